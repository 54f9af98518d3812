"""A stream of the direct lane over a network that cuts bytes anywhere, and TLS that keeps some."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.errors import IntegrityError
from mpc.units import PartyId
from parties import frames
from parties.direct.stream import RECORD_BYTES, Parts, Stream
from parties.frames import CHUNK_BYTES, HEADER_BYTES, Frame, FrameReader, FrameWriter

TAG = b"session!"
STEP = b"sixteen bytes..."
SIZES = [0, 1, 31, RECORD_BYTES - HEADER_BYTES, RECORD_BYTES, CHUNK_BYTES, 2 * CHUNK_BYTES + 1]


class Wire(socket.socket):
    """Stands for an SSLSocket: what comes, in pieces; None for nothing at present."""

    def __init__(self, incoming: list[bytes | None], taking: int) -> None:
        super().__init__()
        self._incoming = deque(incoming)
        self._taking = taking
        self._blocks = False
        self.sent = bytearray()

    def recv_into(self, target: Any, *_: Any) -> int:  # type: ignore[override]
        if not self._incoming:
            return 0
        piece = self._incoming.popleft()
        if piece is None:
            raise ssl.SSLWantReadError
        got = min(len(piece), len(target))
        target[:got] = piece[:got]
        if piece[got:]:
            self._incoming.appendleft(piece[got:])
        return got

    def pending(self) -> int:
        return len(self._incoming[0] or b"") if self._incoming else 0

    def send(self, data: Any, *_: Any) -> int:
        self._blocks = not self._blocks
        if self._blocks:
            raise ssl.SSLWantWriteError
        self.sent += data[: self._taking]
        return min(len(data), self._taking)


def stream_over(
    wire: Wire, due: Iterable[Parts | None] = (), room: Iterator[bool] | None = None
) -> tuple[Stream, list[Frame]]:
    taken: list[Frame] = []

    def has_room(_size: int) -> bool:
        return room is None or next(room, True)

    secured = cast("ssl.SSLSocket", wire)
    stream = Stream(PartyId("bravo"), secured, FrameReader(TAG), iter(due), taken.append, has_room)
    return stream, taken


def read_all(stream: Stream) -> NoReturn:
    while True:
        stream.read()


def message(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@given(
    sizes=st.lists(st.sampled_from(SIZES), max_size=4),
    piece=st.sampled_from([1 << 14, 4099, CHUNK_BYTES]),
    pauses=st.lists(st.booleans(), max_size=20),
    room=st.lists(st.booleans(), max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_every_message_arrives_whatever_the_pieces_pauses_and_room(
    sizes: list[int], piece: int, pauses: list[bool], room: list[bool]
) -> None:
    writer = FrameWriter(TAG)
    data = b"".join(frame for size in sizes for frame in writer.frames(STEP, message(size)))
    incoming: list[bytes | None] = [data[at : at + piece] for at in range(0, len(data), piece)]
    for at, pause in enumerate(pauses):
        if pause:
            incoming.insert(at * 2, None)
    wire = Wire(incoming, 0)
    stream, taken = stream_over(wire, room=iter(room))
    with wire, pytest.raises(EOFError):
        read_all(stream)
    assert b"".join(frame.payload for frame in taken) == b"".join(map(message, sizes))


def test_a_frame_without_room_is_not_read_and_takes_no_memory() -> None:
    (frame,) = FrameWriter(TAG).frames(STEP, bytes(1000))
    wire = Wire([frame], 0)
    stream, taken = stream_over(wire, room=iter([False, False]))
    with wire:
        assert not stream.read()
        assert stream.is_full
        assert wire.pending() == 1000
        assert not stream.read()
        assert not stream.read()
        assert not stream.is_full
    assert [len(frame.payload) for frame in taken] == [1000]


@given(data=st.binary(max_size=300))
def test_no_bytes_do_anything_but_end_or_break_a_stream(data: bytes) -> None:
    wire = Wire([data], 0)
    stream, taken = stream_over(wire)
    with wire, pytest.raises((EOFError, IntegrityError)):
        read_all(stream)
    assert not taken


@given(
    sizes=st.lists(st.sampled_from(SIZES), max_size=4),
    taking=st.sampled_from([5000, RECORD_BYTES, 1 << 30]),
)
@settings(max_examples=25, deadline=None)
def test_what_is_due_goes_out_as_frames_whatever_the_network_takes(
    sizes: list[int], taking: int
) -> None:
    writer, again = FrameWriter(TAG), FrameWriter(TAG)
    due = (parts for size in sizes for parts in writer.parts(STEP, message(size)))
    wire = Wire([], taking)
    stream, _ = stream_over(wire, due)
    with wire:
        while stream.write():
            pass
    expected = b"".join(frame for size in sizes for frame in again.frames(STEP, message(size)))
    assert wire.sent == expected


def test_an_idle_stream_waits_for_nothing_and_goes_on_when_something_is_due() -> None:
    (parts,) = FrameWriter(TAG).parts(frames.BEAT, b"")
    wire = Wire([], 1 << 20)
    stream, _ = stream_over(wire, iter([None, parts, None]))
    with wire:
        assert not stream.write()
        assert stream.write()  # the network takes nothing as yet
        assert not stream.write()
        assert len(wire.sent) == HEADER_BYTES
