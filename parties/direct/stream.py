"""One TLS connection of the direct lane: frames in, frames out, never waiting.

A stream is not for several threads: whoever has the poll loop's lock uses it.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator

from mpc.units import PartyId
from parties.frames import CHUNK_BYTES, FRAME_BYTES_MAX, HEADER_BYTES, Frame, FrameReader

RECORD_BYTES = 16 << 10  # what one TLS record carries at most
READ_COST_BYTES = 1 << 10  # what any read counts as, so that small frames take no endless turn
_END = object()

Parts = tuple[bytes, memoryview]


class Stream:
    """A connection whose peer is known. It must not block: give it as the handshake left it."""

    def __init__(
        self,
        peer: PartyId,
        secured: ssl.SSLSocket,
        reader: FrameReader,
        due: Iterator[Parts | None],
        take: Callable[[Frame], None],
        has_room: Callable[[int], bool],
    ) -> None:
        """``due`` gives what to send, None as long as there is nothing; its end ends this side.

        ``take`` gets each frame; ``has_room`` is asked before the payload of one is read, and
        again after a no.
        """
        self.peer = peer
        self.secured = secured
        self._reader = reader
        self._due = due
        self._take = take
        self._has_room = has_room
        self._sending: deque[memoryview] = deque()
        self._sent_all = False
        self._header = bytearray(HEADER_BYTES)
        self._target = memoryview(self._header)  # what is read next, as far as it is missing
        self._head = (b"", 0)
        self._payload: bytearray | None = None  # of that head's frame, once there is room for it
        self._is_headed = False  # the header is whole, its payload has not begun
        self.is_full = False  # a frame waits for room

    def read(self) -> bool:
        """Take in about one frame of what has come; True if more of it is at hand.

        Raises EOFError if the peer ended it, OSError (and so SSLError) if it broke, and
        IntegrityError if what came is against the rules.
        """
        budget = FRAME_BYTES_MAX
        while budget > 0:
            if self._is_headed and not self._begin_payload():
                return False
            try:
                got = self.secured.recv_into(self._target)
            except ssl.SSLWantReadError:
                return False
            if not got:
                raise EOFError
            budget -= max(got, READ_COST_BYTES)
            self._target = self._target[got:]
            if not self._target and self._complete() and not self.secured.pending():
                return False  # the rule for small messages: no third call only to hear of nothing
        return True

    def write(self) -> bool:
        """Send about one frame of what is due; True if more waits until the network takes it.

        Raises OSError (and so SSLError) if it broke.
        """
        budget = FRAME_BYTES_MAX
        while budget > 0:
            if not self._sending and not self._fill():
                return False
            try:
                sent = self.secured.send(self._sending[0])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return True
            budget -= sent
            if sent == len(self._sending[0]):
                self._sending.popleft()
            else:
                self._sending[0] = self._sending[0][sent:]
        return True

    def close(self) -> None:
        """End the connection both ways. May come twice."""
        self._shut(socket.SHUT_RDWR)
        self.secured.close()

    def _shut(self, how: int) -> None:
        try:
            # SSLSocket.shutdown would go on in plain text.
            socket.socket.shutdown(self.secured, how)
        except OSError:
            return  # the peer was faster

    def _fill(self) -> bool:
        if self._sent_all:
            return False
        parts = next(self._due, _END)
        if parts is None:
            return False
        if not isinstance(parts, tuple):
            self._sent_all = True
            self._shut(socket.SHUT_WR)
            return False
        header, payload = parts
        cut = RECORD_BYTES - HEADER_BYTES  # the first record is full; only so much is copied
        self._sending.append(memoryview(b"".join((header, payload[:cut]))))
        if len(payload) > cut:
            self._sending.append(payload[cut:])
        return True

    def _begin_payload(self) -> bool:
        """Make room for the payload that the header states, at most a chunk."""
        size = min(self._head[1], CHUNK_BYTES)
        self.is_full = not self._has_room(size)
        if self.is_full:
            return False
        self._is_headed = False
        self._payload = bytearray(size)
        self._target = memoryview(self._payload)
        if size == 0:
            self._complete()
        return True

    def _complete(self) -> bool:
        """The header or payload is whole; True if a frame is."""
        if self._payload is None:
            self._head = self._reader.head(self._header)
            self._is_headed = True
            return self._head[1] == 0 and self._begin_payload()
        frame = Frame(*self._head, self._payload)
        self._payload = None
        self._target = memoryview(self._header)
        self._take(frame)
        return True
