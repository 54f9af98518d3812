"""Who is named when a session fails: the channel alone, its links joined by hand."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.errors import ContractError, IntegrityError, PeerError
from mpc.units import PartyId
from parties import frames
from parties.channel import PeerChannel
from parties.frames import CHUNK_BYTES, FrameReader, FrameWriter
from parties.waiting import ChannelLimits

ALPHA, BRAVO, CHARLIE = NAMES = PartyId("alpha"), PartyId("bravo"), PartyId("charlie")
TAG = b"session!"
STEP = b"sixteen bytes..."


class Mesh:
    """Three channels; every link is two threads that hand frames over."""

    def __init__(self, limits: ChannelLimits) -> None:
        self.channels = {
            own: PeerChannel(
                own, tuple(name for name in NAMES if name != own), TAG, limits, lambda: None
            )
            for own in NAMES
        }
        self._cut: set[PartyId] = set()
        for sender in NAMES:
            for receiver in NAMES:
                if sender != receiver:
                    threading.Thread(target=self._carry, args=(sender, receiver)).start()
        for channel in self.channels.values():
            channel.wait_joined(2)

    def _carry(self, sender: PartyId, receiver: PartyId) -> None:
        target = self.channels[receiver]
        incoming = self._until_cut(sender, receiver)
        reader = target.new_reader()
        target.check_join(sender, reader, next(incoming))
        target.attach(sender)
        target.take_in(sender, reader, incoming)
        target.end(sender, "")

    def _until_cut(self, sender: PartyId, receiver: PartyId) -> Iterator[bytes]:
        for frame in self.channels[sender].outgoing(receiver):
            if {sender, receiver} & self._cut:
                return
            yield frame

    def cut(self, party: PartyId) -> None:
        """The party is gone: none of its frames goes on, none reaches it."""
        self._cut.add(party)
        for name in NAMES:
            if name != party:
                self.channels[name].end(party, "")
                self.channels[party].end(name, "")

    def close(self) -> None:
        closing = [threading.Thread(target=each.close) for each in self.channels.values()]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    running = Mesh(ChannelLimits(wait_s=1, close_s=1, unsent_bytes_max=10_000))
    yield running
    running.close()


def failure(channel: PeerChannel, sender: PartyId) -> PeerError:
    with pytest.raises(PeerError) as caught:
        channel.receive(sender, STEP, 1)
    return caught.value


def test_waiting_for_one_party_ends_when_another_is_lost(mesh: Mesh) -> None:
    threading.Timer(0.1, mesh.cut, [CHARLIE]).start()
    began = time.monotonic()
    error = failure(mesh.channels[ALPHA], BRAVO)
    assert error.party == CHARLIE
    assert time.monotonic() - began < 0.5


def test_all_survivors_name_the_lost_party_and_not_the_one_that_told_them(mesh: Mesh) -> None:
    mesh.channels[ALPHA].end(CHARLIE, "")  # only alpha sees it
    assert failure(mesh.channels[ALPHA], BRAVO).party == CHARLIE
    told = failure(mesh.channels[BRAVO], ALPHA)
    assert told.party == CHARLIE
    assert told.message in {  # charlie, who is still there, may be first to tell
        "charlie: failed, as alpha reports",
        "charlie: ended the session because of an error there",
    }


def test_the_party_that_others_lost_names_who_says_so(mesh: Mesh) -> None:
    mesh.channels[ALPHA].end(CHARLIE, "")
    error = failure(mesh.channels[CHARLIE], BRAVO)
    assert error.party in {ALPHA, BRAVO}  # who told first
    assert "this party failed" in error.message


def test_silence_past_the_deadline_names_the_silent_party(mesh: Mesh) -> None:
    assert "sent nothing for 1 s" in failure(mesh.channels[ALPHA], BRAVO).message


def test_who_waits_for_a_peer_with_a_shorter_wait_names_it_before_others_name_who_waits() -> None:
    running = Mesh(ChannelLimits(wait_s=4, close_s=1, waits_s={CHARLIE: 0.5}))
    try:
        told: list[PeerError] = []
        waiting = threading.Thread(
            target=lambda: told.append(failure(running.channels[ALPHA], BRAVO))
        )
        waiting.start()
        assert (
            "charlie: sent nothing for 0.5 s" in failure(running.channels[BRAVO], CHARLIE).message
        )
        waiting.join()
        assert told[0].party == CHARLIE
    finally:
        running.close()


def test_a_wait_of_nothing_is_no_limit() -> None:
    with pytest.raises(ContractError, match="positive"):
        ChannelLimits(waits_s={CHARLIE: 0.0})


def test_the_first_failure_is_the_one_that_counts(mesh: Mesh) -> None:
    mesh.channels[ALPHA].end(CHARLIE, "")
    mesh.channels[ALPHA].end(BRAVO, "")
    assert failure(mesh.channels[ALPHA], BRAVO).party == CHARLIE
    with pytest.raises(PeerError, match="charlie"):
        mesh.channels[ALPHA].send(BRAVO, STEP, b"x")


def test_a_peer_that_takes_nothing_fails_the_session_instead_of_filling_memory() -> None:
    limits = ChannelLimits(wait_s=1, close_s=0.1, unsent_bytes_max=10_000)
    channel = PeerChannel(ALPHA, (BRAVO,), TAG, limits, lambda: None)
    channel.attach(BRAVO)
    channel.send(BRAVO, STEP, bytes(9_000))
    with pytest.raises(PeerError, match="9000 bytes behind") as caught:
        channel.send(BRAVO, STEP, bytes(1_001))
    assert caught.value.party == BRAVO


def test_stop_overtakes_queued_data_and_is_the_frame_that_is_due() -> None:
    channel = PeerChannel(ALPHA, (BRAVO, CHARLIE), TAG, ChannelLimits(), lambda: None)
    channel.attach(BRAVO)
    outgoing, reader = channel.outgoing(BRAVO), FrameReader(TAG)
    reader.read(next(outgoing))  # JOIN
    for _ in range(3):
        channel.send(BRAVO, STEP, bytes(3 * CHUNK_BYTES))
    assert reader.read(next(outgoing)).length == 3 * CHUNK_BYTES
    channel.end(CHARLIE, "")
    rest = [reader.read(frame) for frame in outgoing]
    assert [(frame.operation, frame.payload) for frame in rest] == [(frames.STOP, b"charlie")]


def test_everything_sent_before_close_arrives(mesh: Mesh) -> None:
    for number in range(100):
        mesh.channels[ALPHA].send(BRAVO, STEP, bytes([number]))
    threading.Thread(target=mesh.channels[ALPHA].close).start()
    for number in range(100):
        assert mesh.channels[BRAVO].receive(ALPHA, STEP, 1) == bytes([number])


def test_a_party_that_left_cannot_be_sent_to(mesh: Mesh) -> None:
    mesh.channels[ALPHA].close()
    with pytest.raises(PeerError, match="has left"):
        mesh.channels[BRAVO].send(ALPHA, STEP, b"x")


@pytest.mark.parametrize("payload", [bytearray(8), memoryview(b"8 bytes.")])
def test_only_bytes_are_sent(mesh: Mesh, payload: bytes) -> None:
    """gRPC's sender thread dies of a memoryview without a word."""
    with pytest.raises(ContractError):
        mesh.channels[ALPHA].send(BRAVO, STEP, payload)


@pytest.mark.parametrize("operation", [b"", b"short", bytes(17), frames.BYE, frames.STOP])
def test_an_operation_is_sixteen_bytes_and_not_the_lanes_own(mesh: Mesh, operation: bytes) -> None:
    with pytest.raises(ContractError):
        mesh.channels[ALPHA].send(BRAVO, operation, b"x")
    with pytest.raises(ContractError):
        mesh.channels[ALPHA].receive(BRAVO, operation, 1)


@given(sizes=st.lists(st.sampled_from([0, 1, 31, CHUNK_BYTES, 2 * CHUNK_BYTES + 1]), max_size=4))
@settings(max_examples=30, deadline=None)
def test_frames_carry_messages_of_any_size(sizes: list[int]) -> None:
    writer, reader = FrameWriter(TAG), FrameReader(TAG)
    for size in sizes:
        message = bytes(range(256)) * (size // 256) + bytes(size % 256)
        parts = [reader.read(frame) for frame in writer.frames(STEP, message)]
        assert b"".join(part.payload for part in parts) == message
        assert parts[0].length == size
        assert all(part.operation == STEP for part in parts)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_refusing(data: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        FrameReader(TAG).read(data)
