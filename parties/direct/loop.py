"""What drives the streams of a direct lane: one poll loop, in the thread that waits for a message.

While that thread computes, a second one takes a turn now and then, so that what is queued goes out,
what comes is taken in, peers see that this party lives and it sees that they do. Both hold the
channel's lock when they touch a stream; nobody holds it while polling for long. Nothing here waits
for a peer to read, so two parties that both send large tensors do not block each other.
"""

from __future__ import annotations

import selectors
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mpc.errors import IntegrityError, TransportError
from mpc.units import PartyId
from parties import frames
from parties.channel import PeerChannel
from parties.direct.stream import Parts, Stream
from parties.frames import Frame, FrameReader, FrameWriter
from parties.waiting import Waiting

TURN_S = 0.05  # how long one poll lasts at most
LOOK_S = 0.25  # between two looks at who is alive
LATE_S = 1.0  # past its time, such a look says that this party itself stood still
PAUSE_MIN_S, PAUSE_MAX_S = 0.0005, 0.02  # of the second thread, after a turn with and without work


class Beats:
    """Signs of life for one peer: a frame when one is due, nothing otherwise."""

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer
        self._due: deque[Parts] = deque()

    def beat(self) -> None:
        """One more, unless the last one has not even gone out."""
        if not self._due:
            self._due.extend(self._writer.parts(frames.BEAT, b""))

    def __iter__(self) -> Iterator[Parts | None]:
        while True:
            yield self._due.popleft() if self._due else None


@dataclass(eq=False)
class Line:
    """The two connections of one peer: messages to it, messages from it.

    Against the messages go beats, which nothing holds up: neither what this party has not read nor
    what the peer has not.
    """

    peer: PartyId
    to: Stream
    of: Stream
    beats: Beats
    heard_s: float
    beaten_s: float

    @property
    def streams(self) -> tuple[Stream, Stream]:
        return self.to, self.of


class PollLoop(Waiting):
    """Drives every line of one channel. ``changed`` is the one lock of both."""

    def __init__(self, keepalive_s: float, timeout_s: float) -> None:
        """A beat every ``keepalive_s``; who shows no life for both together is lost."""
        super().__init__()
        self._keepalive_s = keepalive_s
        self._silence_s = keepalive_s + timeout_s
        self._channel: PeerChannel | None = None
        self._selector = selectors.DefaultSelector()
        self._lines: dict[PartyId, Line] = {}
        self._live: dict[Stream, int] = {}  # what each stream is polled for
        self._at_hand: set[Stream] = set()  # TLS has more, which polling does not see
        self._look_due_s = time.monotonic()
        self._polling = False
        self._waiting = 0  # threads that wait for messages and so drive
        self._over = threading.Event()

    def serve(self, channel: PeerChannel) -> None:
        """Of which channel the lines are to be; once, before :meth:`add`."""
        self._channel = channel

    def line(
        self,
        peer: PartyId,
        to: tuple[ssl.SSLSocket, FrameReader, FrameWriter],
        of: tuple[ssl.SSLSocket, FrameReader, FrameWriter],
    ) -> None:
        """Take two connections of ``peer`` into use, both after their greeting."""
        channel = self._served()
        beats = Beats(of[2])
        now = time.monotonic()

        def is_beat(frame: Frame) -> None:
            if frame.operation != frames.BEAT or frame.length:
                raise IntegrityError("sent messages where only signs of life may be")

        line = Line(
            peer,
            Stream(peer, to[0], to[1], channel.due(peer, to[2]), is_beat, lambda _size: True),
            Stream(
                peer,
                of[0],
                of[1],
                iter(beats),
                lambda frame: channel.take(peer, frame),
                lambda size: channel.has_room(peer, size),
            ),
            beats,
            heard_s=now,
            beaten_s=now,
        )
        with self.changed:
            if self._over.is_set() or not channel.attach(peer):
                for stream in line.streams:
                    stream.close()
                return
            self._lines[peer] = line
            for stream in line.streams:
                self._live[stream] = selectors.EVENT_READ
                self._selector.register(stream.secured, selectors.EVENT_READ, stream)
            self._at_hand.update(line.streams)
            self._write(line.to)

    def watch(self) -> None:
        """From now on, take a turn also while nobody waits."""
        threading.Thread(target=self._watch, name="lane", daemon=True).start()

    def turn(self) -> bool:
        """Do what can be done now; True if there was something. Nothing if others are at it."""
        if not self.changed.acquire(blocking=False):
            return False
        try:
            return not self._waiting and not self._over.is_set() and self._work(0.0)
        finally:
            self.changed.release()

    def until(self, predicate: Callable[[], object], deadline_s: float) -> None:
        last = time.monotonic() + deadline_s
        self._waiting += 1
        try:
            while not predicate():
                left = last - time.monotonic()
                if left <= 0:
                    return
                wait_s = min(left, TURN_S)
                if self._polling or self._over.is_set():
                    self.changed.wait(wait_s)
                else:
                    self._work(wait_s)
        finally:
            self._waiting -= 1

    def queued(self, peer: PartyId) -> None:
        line = self._lines.get(peer)
        if line is not None:
            self._write(line.to)

    def close(self) -> None:
        """End every connection. May come twice, and from any thread."""
        with self.changed:
            self._over.set()
            for line in self._lines.values():
                for stream in line.streams:
                    self._drop(stream)
            while self._polling:
                self.changed.wait(TURN_S)
            self._selector.close()

    # --- one turn ------------------------------------------------------------------------------

    def _work(self, wait_s: float) -> bool:
        """Poll for ``wait_s`` without the lock, then read and write what is ready with it."""
        for stream in [each for each in self._live if each.is_full]:
            self._read(stream)  # if there is room now
        if self._at_hand:
            wait_s = 0.0
        self._polling = True
        self.changed.release()
        try:
            ready = self._selector.select(wait_s)
        finally:
            self.changed.acquire()
            self._polling = False
        at_hand, self._at_hand = self._at_hand, set()
        for key, events in ready:
            if events & selectors.EVENT_WRITE:
                self._write(key.data)
            if events & selectors.EVENT_READ:
                at_hand.add(key.data)
        for stream in at_hand:
            self._read(stream)
        now = time.monotonic()
        if now >= self._look_due_s:
            self._look(now)
        self.changed.notify_all()
        return bool(ready or at_hand)

    def _read(self, stream: Stream) -> None:
        if stream not in self._live:
            return
        try:
            if stream.read():
                self._at_hand.add(stream)
            else:
                self._at_hand.discard(stream)
        except IntegrityError as error:
            told = IntegrityError(error.what, party=stream.peer)
            self._served().fail(told, about=stream.peer)
            self._ended(stream, "")
        except EOFError:
            self._ended(stream, "")
        except OSError as error:
            self._ended(stream, _words(error))
        else:
            self._lines[stream.peer].heard_s = time.monotonic()
            self._poll(stream, selectors.EVENT_READ, on=not stream.is_full)

    def _write(self, stream: Stream) -> None:
        if stream not in self._live:
            return
        try:
            more = stream.write()
        except OSError as error:
            self._ended(stream, _words(error))
        else:
            self._poll(stream, selectors.EVENT_WRITE, on=more)

    def _ended(self, stream: Stream, why: str) -> None:
        """A connection is gone. What the peer said last may yet be in the other one."""
        self._drop(stream)
        line = self._lines[stream.peer]
        if stream is line.to:
            self._read(line.of)
            while line.of in self._at_hand:
                self._read(line.of)
        self._served().end(stream.peer, why)

    def _poll(self, stream: Stream, event: int, *, on: bool) -> None:
        """Poll ``stream`` for ``event`` from now on, or no more."""
        before = self._live.get(stream)
        if before is None:
            return  # it ended meanwhile
        after = before | event if on else before & ~event
        if after == before:
            return
        self._live[stream] = after
        if not before:
            self._selector.register(stream.secured, after, stream)
        elif not after:
            self._selector.unregister(stream.secured)
        else:
            self._selector.modify(stream.secured, after, stream)

    def _drop(self, stream: Stream) -> None:
        if self._live.pop(stream, 0):
            self._selector.unregister(stream.secured)
        self._at_hand.discard(stream)
        stream.close()

    # --- who is alive --------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """Send the beats that are due, and name who showed no life."""
        stood_still = now - self._look_due_s > LATE_S
        self._look_due_s = now + LOOK_S
        for line in self._lines.values():
            if line.of not in self._live and line.to not in self._live:
                continue
            if stood_still:
                line.heard_s = now  # its signs may lie unread: no word about others yet
            if now - line.beaten_s >= self._keepalive_s:
                line.beaten_s = now
                line.beats.beat()
                self._write(line.of)
            if now - line.heard_s > self._silence_s:
                self._lost(line)

    def _lost(self, line: Line) -> None:
        self._served().end(line.peer, f"no sign of life for {self._silence_s:g} s")
        for stream in line.streams:  # only now: why it ends has gone out, for a peer that wakes up
            self._drop(stream)

    def _watch(self) -> None:
        pause_s = PAUSE_MAX_S
        while not self._over.wait(pause_s):
            try:
                busy = self.turn()
            except Exception:  # whatever it is, nobody may wait for ever because of it
                broken = TransportError("the lane of this party broke")
                channel = self._served()
                channel.fail(broken, about=channel.own)
                raise
            pause_s = PAUSE_MIN_S if busy else min(2 * pause_s, PAUSE_MAX_S)

    def _served(self) -> PeerChannel:
        if self._channel is None:
            raise RuntimeError("a poll loop drives a channel")
        return self._channel


def _words(error: OSError) -> str:
    """What the system or TLS says, without anything that the peer could write."""
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return str(reason or "lost").replace("_", " ").lower()
