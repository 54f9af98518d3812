"""One session's messages to and from each peer, over whatever carries frames.

:class:`PeerChannel` is :class:`mpc.ports.Channel`. Sending never waits, and a lane takes in what
comes while others send, so two parties that both send large tensors do not block each other. The
first failure of any link ends the session for all: every later call raises it, and each peer is
told whom it was about (a STOP frame), so that nobody blames the messenger. A link that ends without
BYE failed.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mpc.errors import ContractError, IntegrityError, ParleyError, PeerError
from mpc.units import PartyId, is_identifier
from parties import frames
from parties.frames import Frame, FrameReader, FrameWriter
from parties.waiting import ChannelLimits, Waiting

FRAME_OVERHEAD_BYTES = 256
"""What a queued frame takes in memory beside its payload: about 220, so rounded up."""


def _memory(size: int) -> int:
    """What a frame with ``size`` bytes of payload counts as while it is queued: never nothing."""
    return FRAME_OVERHEAD_BYTES + size


@dataclass
class _Link:
    """What is queued to one peer, what came from it, and how far it is to BYE."""

    peer: PartyId
    outbox: queue.SimpleQueue[tuple[bytes, bytes] | None] = field(default_factory=queue.SimpleQueue)
    unsent: int = 0
    inbox: deque[Frame] = field(default_factory=deque)
    unread: int = 0
    joined: bool = False
    left: bool = False  # said BYE
    acknowledged: bool = False  # had ours
    ended: bool = False
    flushed: bool = False  # everything queued went out, and the sender is done

    @property
    def silent(self) -> bool:
        """Nothing more can come from the peer."""
        return self.ended or not self.joined


class PeerChannel:
    """Messages of one session, over links that a lane attaches. See :class:`mpc.ports.Channel`."""

    def __init__(
        self,
        own: PartyId,
        peers: tuple[PartyId, ...],
        session_tag: bytes,
        limits: ChannelLimits,
        release: Callable[[], None],
        waiting: Waiting | None = None,
    ) -> None:
        if len(session_tag) != frames.SESSION_BYTES:
            raise ContractError(f"a session tag is {frames.SESSION_BYTES} bytes")
        self._own = own
        self._tag = session_tag
        self._limits = limits
        self._release = release
        self._links = {peer: _Link(peer) for peer in peers}
        self._waiting = waiting or Waiting()
        self._changed = self._waiting.changed
        self._failure: ParleyError | None = None
        self._closed = False

    @property
    def own(self) -> PartyId:
        return self._own

    @property
    def peers(self) -> tuple[PartyId, ...]:
        return tuple(self._links)

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        """Queue ``payload``. Raises the session's failure, or PeerError if the peer has left."""
        frames.check_operation(operation)
        if type(payload) is not bytes:
            raise ContractError("a channel carries bytes and no other buffer")
        if len(payload) > self._limits.message_bytes_max:
            raise ContractError(f"a message has at most {self._limits.message_bytes_max} bytes")
        link = self._link(to)
        with self._changed:
            self._check_open()
            if link.left:
                raise self._broken(to, "has left the session, but was still to be sent to")
            if link.unsent + len(payload) > self._limits.unsent_bytes_max:
                raise self._broken(to, f"is {link.unsent} bytes behind in receiving")
            link.unsent += len(payload)
            self._queue(link, (operation, payload))

    def receive(self, sender: PartyId, operation: bytes, size: int) -> bytes:
        """The next message of ``sender``, which must be of ``operation`` and ``size`` bytes."""
        return self._receive(sender, operation, size, size)

    def receive_upto(self, sender: PartyId, operation: bytes, size_max: int) -> bytes:
        """The next message of ``sender``, which must be of ``operation``."""
        return self._receive(sender, operation, 0, size_max)

    def close(self) -> None:
        """Say BYE, wait until each peer has it (at most ``close_s``), end. Idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            if self._failure is None:
                for link in self._links.values():
                    self._queue(link, (frames.BYE, b""))
                self._waiting.until(
                    lambda: all(link.acknowledged or link.silent for link in self._links.values()),
                    self._limits.close_s,
                )
            for link in self._links.values():
                self._queue(link, None)
            # After a failure a peer ends its side once it has our STOP. To end ours before could
            # take the STOP back, and the peer would name us instead of who failed.
            self._waiting.until(
                lambda: all(
                    link.silent or (link.flushed and self._failure is None)
                    for link in self._links.values()
                ),
                self._limits.close_s,
            )
            self._changed.notify_all()
        self._release()

    def __enter__(self) -> PeerChannel:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # --- what a lane calls ---------------------------------------------------------------------

    @property
    def tag(self) -> bytes:
        """The session tag, in every frame's header."""
        return self._tag

    @property
    def is_over(self) -> bool:
        """Whether it failed or was closed."""
        return self._over()

    def outgoing(self, peer: PartyId) -> Iterator[bytes]:
        """Frames for ``peer`` as they become due, JOIN first; waits for them, ends with session.

        Each is ``bytes``: a memoryview kills gRPC's sender thread without a word.
        """
        link, writer = self._link(peer), FrameWriter(self._tag)
        yield from writer.frames(frames.JOIN, self._own.encode())
        while (message := link.outbox.get()) is not None:
            for parts in self._frames_of(link, writer, *message):
                yield b"".join(parts)
        self._all_out(link)

    def due(self, peer: PartyId, writer: FrameWriter) -> Iterator[tuple[bytes, memoryview] | None]:
        """The same without JOIN, as header and payload; None where nothing is due as yet.

        Asked for more, what it gave before has gone out.
        """
        link = self._link(peer)
        while True:
            try:
                message = link.outbox.get_nowait()
            except queue.Empty:
                yield None
                continue
            if message is None:
                break
            yield from self._frames_of(link, writer, *message)
        self._all_out(link)

    def check_join(self, peer: PartyId, reader: FrameReader, data: bytes) -> None:
        """The first frame of a link: the same session, and the peer's own id."""
        frame = reader.read(data)
        if frame.operation != frames.JOIN or frame.payload != peer.encode():
            raise IntegrityError("did not begin with its own JOIN")

    def new_reader(self) -> FrameReader:
        """What checks the frames of one link."""
        return FrameReader(self._tag)

    def attach(self, peer: PartyId) -> bool:
        """Take the link of ``peer`` into use; False if it is in use or the session is over."""
        with self._changed:
            link = self._link(peer)
            if link.joined or self._closed or self._failure is not None:
                return False
            link.joined = True
            self._changed.notify_all()
            return True

    def take_in(self, peer: PartyId, reader: FrameReader, incoming: Iterable[bytes]) -> None:
        """Read the frames of ``peer`` until its link ends or breaks the rules."""
        for data in incoming:
            try:
                self.take(peer, reader.read(data))
            except IntegrityError as error:
                self.fail(IntegrityError(error.what, party=peer), about=peer)
                return

    def take(self, peer: PartyId, frame: Frame) -> None:
        """One frame of ``peer``, as its reader gave it; waits for room if it is data.

        Raises IntegrityError (without naming the sender: add it) if it is out of place.
        """
        with self._changed:
            link = self._link(peer)
            if frame.is_control:
                self._obey(link, frame)
                return
            if link.left:
                raise IntegrityError("sent data after its BYE")
            size = len(frame.payload)
            self._waiting.until(lambda: self.has_room(peer, size), threading.TIMEOUT_MAX)
            if self._over():
                return  # nobody will read it
            link.inbox.append(frame)
            link.unread += _memory(size)
            self._changed.notify_all()

    def has_room(self, peer: PartyId, size: int) -> bool:
        """Whether a frame with ``size`` bytes of payload may be kept unread. Lock held."""
        link, most = self._link(peer), self._limits.unread_bytes_max
        return not link.inbox or link.unread + _memory(size) <= most or self._over()

    def end(self, peer: PartyId, why: str) -> None:
        """The link of ``peer`` is gone; without a BYE on either side that is a failure."""
        with self._changed:
            link = self._link(peer)
            link.ended = True
            if not (link.left or self._closed):
                reason = f" ({why})" if why else ""
                self._record(PeerError(peer, f"its connection ended without BYE{reason}"), peer)
            self._queue(link, None)
            self._changed.notify_all()

    def fail(self, error: ParleyError, about: PartyId) -> None:
        """End the session for everyone because of ``error``; the first one counts."""
        with self._changed:
            self._record(error, about)

    def wait_joined(self, deadline_s: float) -> None:
        """Return once every link is in use. Raises PeerError naming those that are not."""
        with self._changed:
            self._waiting.until(
                lambda: self._failure or all(link.joined for link in self._links.values()),
                deadline_s,
            )
            missing = [link.peer for link in self._links.values() if not link.joined]
            if self._failure is None and missing:
                names = ", ".join(missing)
                error = PeerError(missing[0], f"not connected in time (missing: {names})")
                self._record(error, missing[0])
            if self._failure is not None:
                raise self._failure

    # --- inside --------------------------------------------------------------------------------

    def _link(self, peer: PartyId) -> _Link:
        link = self._links.get(peer)
        if link is None:
            raise ContractError(f"{peer} is no peer of {self._own} in this session")
        return link

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ContractError("this session's channel is closed")

    def _record(self, error: ParleyError, about: str) -> None:
        """Keep the first failure, wake every waiter, tell every peer. Lock held."""
        if self._failure is not None or self._closed:
            return
        self._failure = error
        for link in self._links.values():
            self._queue(link, (frames.STOP, about.encode()))
            self._queue(link, None)
        self._changed.notify_all()

    def _broken(self, peer: PartyId, message: str) -> ParleyError:
        """What to raise once ``peer`` broke the session: the first failure of it. Lock held."""
        error = PeerError(peer, message)
        self._record(error, peer)
        return self._failure or error

    def _queue(self, link: _Link, message: tuple[bytes, bytes] | None) -> None:
        """One more message for a link's peer, or its end. Lock held."""
        link.outbox.put(message)
        self._waiting.queued(link.peer)

    def _frames_of(
        self, link: _Link, writer: FrameWriter, operation: bytes, payload: bytes
    ) -> Iterator[tuple[bytes, memoryview]]:
        if not self._drops(operation):
            for parts in writer.parts(operation, payload):
                yield parts
                if self._drops(operation):  # asked before the next frame gets its number
                    break
        with self._changed:
            link.unsent -= len(payload)

    def _all_out(self, link: _Link) -> None:
        with self._changed:
            link.flushed = True
            self._changed.notify_all()

    def _drops(self, operation: bytes) -> bool:
        """Nobody waits for data of a session that failed; STOP is to go out at once."""
        return self._failure is not None and operation != frames.STOP

    def _over(self) -> bool:
        return self._closed or self._failure is not None

    def _obey(self, link: _Link, frame: Frame) -> None:
        if frame.operation == frames.BYE:
            if link.left:
                raise IntegrityError("said BYE twice")
            link.left = True
            self._queue(link, (frames.GOT, b""))
        elif frame.operation == frames.GOT:
            link.acknowledged = True
        elif frame.operation == frames.STOP:
            link.left = True
            accused = frame.payload == self._own.encode()
            error = self._reported(link.peer, frame.payload)
            # An accused party that accused back would make the others name its accuser.
            self._record(error, "" if accused else error.party)
        else:
            raise IntegrityError("sent a control frame out of place")
        self._changed.notify_all()

    def _reported(self, peer: PartyId, payload: bytes | bytearray) -> PeerError:
        """What a STOP of ``peer`` means here. Its word is repeated as its word."""
        about = payload.decode("ascii", "replace")
        if about == self._own:
            return PeerError(peer, "ended the session: it says that this party failed")
        if is_identifier(about) and about in self._links and about != peer:
            return PeerError(about, f"failed, as {peer} reports")
        return PeerError(peer, "ended the session because of an error there")

    def _next(self, link: _Link) -> Frame:
        wait_s = self._limits.wait_of_s(link.peer)
        with self._changed:
            self._check_open()
            self._waiting.until(lambda: link.inbox or link.left or self._over(), wait_s)
            self._check_open()
            if link.inbox:
                frame = link.inbox.popleft()
                link.unread -= _memory(len(frame.payload))
                self._changed.notify_all()
                return frame
            if link.left:
                raise self._broken(link.peer, "has left the session, but its message was due")
            raise self._broken(link.peer, f"sent nothing for {wait_s:g} s")

    def _receive(self, sender: PartyId, operation: bytes, least: int, most: int) -> bytes:
        frames.check_operation(operation)
        if not 0 <= most <= self._limits.message_bytes_max:
            raise ContractError(f"a message has at most {self._limits.message_bytes_max} bytes")
        link = self._link(sender)
        first = self._next(link)
        with self._changed:
            if first.operation != operation:
                raise self._broken(sender, "is at another step of the computation")
            if not least <= first.length <= most:
                due = f"{most}" if least == most else f"at most {most}"
                raise self._broken(sender, f"sends {first.length} bytes where {due} are due")
        parts: list[bytes | bytearray] = [first.payload]
        left = first.length - len(first.payload)
        while left:
            frame = self._next(link)
            if frame.operation != operation or frame.length != left:
                with self._changed:
                    raise self._broken(sender, "sent a message with a part missing")
            parts.append(frame.payload)
            left -= len(frame.payload)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
