"""What a peer can make a party keep in memory: frames that nobody has read yet."""

from __future__ import annotations

import itertools
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from mpc.units import PartyId
from parties import frames
from parties.channel import FRAME_OVERHEAD_BYTES, PeerChannel
from parties.frames import CHUNK_BYTES, FrameReader, FrameWriter
from parties.waiting import ChannelLimits

ALPHA, BRAVO = PartyId("alpha"), PartyId("bravo")
TAG = b"session!"
STEP = b"sixteen bytes..."
LIMIT = 1 << 20


class Fed:
    """A channel that a thread feeds with messages of bravo, made as they are taken in."""

    def __init__(self, limit: int, messages: Iterator[bytes]) -> None:
        limits = ChannelLimits(wait_s=2, close_s=0.1, unread_bytes_max=limit)
        self.channel = PeerChannel(ALPHA, (BRAVO,), TAG, limits, lambda: None)
        self.channel.attach(BRAVO)
        self.taken = 0
        self._messages = messages
        self._reader = FrameReader(TAG)
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        self.channel.take_in(BRAVO, self._reader, self._incoming())

    def _incoming(self) -> Iterator[bytes]:
        writer = FrameWriter(TAG)
        for message in self._messages:
            for frame in writer.frames(STEP, message):
                self.taken += 1
                yield frame
        yield from writer.frames(frames.BYE, b"")

    def wait_stuck(self) -> int:
        """How many frames were taken in once no more are."""
        before = -1
        while before != self.taken:
            before = self.taken
            time.sleep(0.2)
        return before

    def wait_done(self) -> bool:
        self._thread.join(5)
        return not self._thread.is_alive()

    @property
    def unread(self) -> int:
        return self.channel._link(BRAVO).unread

    @property
    def queued(self) -> int:
        return len(self.channel._link(BRAVO).inbox)

    def close(self) -> None:
        self.channel.close()
        assert self.wait_done()


@pytest.mark.parametrize("size", [0, 1, 200])
def test_small_frames_that_nobody_reads_stop_at_the_limit_in_memory(size: int) -> None:
    tracemalloc.start()
    fed = Fed(LIMIT, itertools.repeat(bytes(size), 50 * LIMIT // FRAME_OVERHEAD_BYTES))
    taken = fed.wait_stuck()
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fed.queued * (FRAME_OVERHEAD_BYTES + size) == fed.unread <= LIMIT
    assert taken == fed.queued + 1  # the one in hand; the others stay on the network
    assert memory < 1.1 * LIMIT
    assert fed.channel.receive(BRAVO, STEP, size) == bytes(size)  # the session goes on
    fed.close()


@pytest.mark.parametrize("size", [0, 1, 200])
def test_small_messages_that_are_read_never_add_up_to_the_limit(size: int) -> None:
    limit = 10 * FRAME_OVERHEAD_BYTES
    fed = Fed(limit, itertools.repeat(bytes(size), 20_000))
    for _ in range(20_000):
        assert fed.channel.receive(BRAVO, STEP, size) == bytes(size)
    assert fed.wait_done()
    assert fed.unread == 0
    fed.close()


def test_frame_larger_than_the_limit_passes_alone() -> None:
    messages = [bytes(3 * CHUNK_BYTES + 5), b"", b"next"]
    fed = Fed(1000, iter(messages))
    assert fed.wait_stuck() == 2
    assert fed.queued == 1
    for message in messages:
        assert fed.channel.receive(BRAVO, STEP, len(message)) == message
    assert fed.wait_done()
    assert fed.unread == 0
    fed.close()
