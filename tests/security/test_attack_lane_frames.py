"""Attack: a party of the roster, with its own certificate, sends what the protocol forbids.

Each ends the session with an error that names the sender; nothing of what it sent is delivered.
"""

from __future__ import annotations

import os
import queue
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
import pytest
from lane_federation import Federation

from mpc.errors import IntegrityError, ParleyError, PeerError
from mpc.units import PartyId
from parties import frames
from parties.channel import PeerChannel
from parties.dialling import Dialler
from parties.frames import CHUNK_BYTES, FrameWriter
from parties.lane import METHOD

ALPHA = PartyId("alpha")
STEP = b"an honest step.."
HEADER = struct.Struct(">8sI16sI")


class Attack:
    """Alpha dials bravo with its own certificate, and then writes frames by hand."""

    def __init__(self, federation: Federation) -> None:
        self.tag = federation.session_tag
        self.writer = FrameWriter(self.tag)
        self._federation = federation
        self._pool = ThreadPoolExecutor(1)
        self._listener = federation.parties[1].listener()
        self._waiting: Future[PeerChannel] = self._pool.submit(
            self._listener.connect, federation.roster, self.tag, {}, 4.0
        )
        alpha, bravo = federation.parties
        self._dialler = Dialler(alpha.member, alpha.tls_key_pem, 3, 4)
        self._bravo = bravo.member
        self._reached: list[grpc.Channel] = []
        self._streams: list[object] = []

    def stream(self) -> tuple[queue.SimpleQueue[bytes | None], grpc.CallIterator[bytes]]:
        """A fresh stream: what is put into the queue is sent as it is; None ends it."""
        channel = self._dialler.reach(self._bravo, self._listener.address, 3)
        self._reached.append(channel)
        out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        incoming = channel.stream_stream(METHOD)(iter(out.get, None))
        self._streams.append(incoming)  # a call that is collected is cancelled
        return out, incoming

    def joined(self) -> tuple[queue.SimpleQueue[bytes | None], grpc.CallIterator[bytes]]:
        out, incoming = self.stream()
        self.put(out, frames.JOIN, b"alpha")
        assert HEADER.unpack_from(next(incoming))[2] == frames.JOIN
        return out, incoming

    def put(self, out: queue.SimpleQueue[bytes | None], operation: bytes, data: bytes) -> None:
        for frame in self.writer.frames(operation, data):
            out.put(frame)

    @property
    def victim(self) -> PeerChannel:
        return self._waiting.result()

    def refused(self, size: int = 8) -> ParleyError:
        with pytest.raises(ParleyError) as caught:
            self.victim.receive(ALPHA, STEP, size)
        assert "alpha" in str(caught.value)
        return caught.value

    def close(self) -> None:
        for channel in self._reached:
            channel.close()
        self._listener.close()
        self._pool.shutdown()


@pytest.fixture
def attack() -> Iterator[Attack]:
    running = Attack(Federation(2))
    yield running
    running.close()


def test_the_attackers_tools_work_when_they_keep_the_rules(attack: Attack) -> None:
    out, _ = attack.joined()
    attack.put(out, STEP, b"8 bytes.")
    attack.put(out, STEP, bytes(CHUNK_BYTES + 1))
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."
    assert attack.victim.receive(ALPHA, STEP, CHUNK_BYTES + 1) == bytes(CHUNK_BYTES + 1)


def test_replayed_frame_is_refused_and_delivered_once(attack: Attack) -> None:
    out, _ = attack.joined()
    (share,) = attack.writer.frames(STEP, b"8 bytes.")
    out.put(share)
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."
    out.put(share)
    error = attack.refused()
    assert isinstance(error, IntegrityError)
    assert "repeated, left out or out of order" in error.message


def test_left_out_frame_is_refused(attack: Attack) -> None:
    out, _ = attack.joined()
    list(attack.writer.frames(STEP, b"swallowed"))
    attack.put(out, STEP, b"8 bytes.")
    assert isinstance(attack.refused(), IntegrityError)


def test_frame_of_another_session_is_refused(attack: Attack) -> None:
    out, _ = attack.joined()
    out.put(HEADER.pack(os.urandom(8), 1, STEP, 8) + b"8 bytes.")
    assert "another session" in attack.refused().message


@pytest.mark.parametrize("length", [0, 7, 9, CHUNK_BYTES, (1 << 32) - 1])
def test_frame_whose_header_lies_about_its_size_is_refused(attack: Attack, length: int) -> None:
    out, _ = attack.joined()
    out.put(HEADER.pack(attack.tag, 1, STEP, length) + b"8 bytes.")
    assert "size is not the one" in attack.refused().message


@pytest.mark.parametrize("size", [0, 1, 31])
def test_frame_shorter_than_a_header_is_refused(attack: Attack, size: int) -> None:
    out, _ = attack.joined()
    out.put(bytes(size))
    assert "shorter than its header" in attack.refused().message


def test_frame_larger_than_a_chunk_never_enters_the_process(attack: Attack) -> None:
    out, _ = attack.joined()
    out.put(HEADER.pack(attack.tag, 1, STEP, CHUNK_BYTES + 1) + bytes(CHUNK_BYTES + 1))
    assert isinstance(attack.refused(CHUNK_BYTES + 1), PeerError)


def test_announcing_four_gigabytes_allocates_nothing(attack: Attack) -> None:
    """The size is checked against the one known beforehand, before more than a chunk is kept."""
    out, _ = attack.joined()
    out.put(HEADER.pack(attack.tag, 1, STEP, (1 << 32) - 1) + bytes(CHUNK_BYTES))
    error = attack.refused()
    assert isinstance(error, PeerError)
    assert error.message == f"alpha: sends {(1 << 32) - 1} bytes where 8 are due"


def test_a_flood_waits_on_the_network_not_in_memory(attack: Attack) -> None:
    out, _ = attack.joined()
    for _ in range(200):
        attack.put(out, STEP, bytes(CHUNK_BYTES))
    victim = attack.victim
    deadline = time.monotonic() + 5
    unread = -1
    while time.monotonic() < deadline and unread != victim._links[ALPHA].unread:
        unread = victim._links[ALPHA].unread
        time.sleep(0.3)
    assert unread <= (64 << 20) + CHUNK_BYTES
    for _ in range(200):
        assert len(victim.receive(ALPHA, STEP, CHUNK_BYTES)) == CHUNK_BYTES


def test_message_cut_short_by_the_next_one_is_refused(attack: Attack) -> None:
    out, _ = attack.joined()
    out.put(next(attack.writer.frames(STEP, bytes(3 * CHUNK_BYTES))))
    attack.put(out, STEP, bytes(3 * CHUNK_BYTES))
    assert "part missing" in attack.refused(3 * CHUNK_BYTES).message


def test_stream_that_ends_without_bye_is_a_failure_although_gRPC_calls_it_clean(  # noqa: N802
    attack: Attack,
) -> None:
    out, _ = attack.joined()
    attack.put(out, STEP, b"8 bytes.")
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."
    out.put(None)
    error = attack.refused()
    assert isinstance(error, PeerError)
    assert "without BYE" in error.message


def test_message_cut_short_by_the_end_is_never_delivered(attack: Attack) -> None:
    out, _ = attack.joined()
    out.put(next(attack.writer.frames(STEP, bytes(2 * CHUNK_BYTES))))
    out.put(None)
    assert "without BYE" in attack.refused(2 * CHUNK_BYTES).message


def test_data_after_bye_is_refused(attack: Attack) -> None:
    out, _ = attack.joined()
    attack.put(out, frames.BYE, b"")
    attack.put(out, STEP, b"8 bytes.")
    attack.refused()


@pytest.mark.parametrize(
    ("operation", "payload"),
    [(frames.JOIN, b"alpha"), (frames.BYE, bytes(65)), (b"parley/lane/?!?!", b"")],
    ids=["second join", "long bye", "unknown"],
)
def test_control_frame_out_of_place_is_refused(
    attack: Attack, operation: bytes, payload: bytes
) -> None:
    out, _ = attack.joined()
    attack.put(out, operation, payload)
    assert isinstance(attack.refused(), IntegrityError)


@pytest.mark.parametrize("payload", [b"bravo", b"alpha", b"", b"nobody", b"\xff" * 60])
def test_a_stop_never_makes_the_victim_blame_a_stranger(attack: Attack, payload: bytes) -> None:
    out, _ = attack.joined()
    attack.put(out, frames.STOP, payload)
    error = attack.refused()
    assert isinstance(error, PeerError)
    assert error.party == ALPHA


@pytest.mark.parametrize(
    "first",
    [
        lambda tag: HEADER.pack(tag, 0, frames.JOIN, 5) + b"bravo",
        lambda tag: HEADER.pack(os.urandom(8), 0, frames.JOIN, 5) + b"alpha",
        lambda tag: HEADER.pack(tag, 1, frames.JOIN, 5) + b"alpha",
        lambda tag: HEADER.pack(tag, 0, STEP, 5) + b"alpha",
        lambda tag: b"",
    ],
    ids=["another's name", "another session", "a later frame", "no join", "nothing"],
)
def test_a_stream_that_begins_wrongly_is_turned_away_and_the_session_goes_on(
    attack: Attack, first: object
) -> None:
    out, incoming = attack.stream()
    assert callable(first)
    out.put(first(attack.tag))
    with pytest.raises(grpc.RpcError) as caught:
        next(incoming)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    out.put(None)
    good, _ = attack.joined()
    attack.put(good, STEP, b"8 bytes.")
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."


def test_a_second_stream_of_the_same_party_is_turned_away(attack: Attack) -> None:
    first, _ = attack.joined()
    second, incoming = attack.stream()
    second.put(next(FrameWriter(attack.tag).frames(frames.JOIN, b"alpha")))
    with pytest.raises(grpc.RpcError) as caught:
        next(incoming)
    assert "in this session already" in caught.value.details()
    second.put(None)
    attack.put(first, STEP, b"8 bytes.")
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."


def test_another_method_is_unknown(attack: Attack) -> None:
    attack.joined()
    other = attack._reached[0].stream_stream("/parley.Lane/Other")(iter([b""]))
    with pytest.raises(grpc.RpcError) as caught:
        next(other)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_threads_of_a_session_end_with_it(attack: Attack) -> None:
    before = threading.active_count()
    out, _ = attack.joined()
    out.put(None)
    attack.refused()
    attack.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before
