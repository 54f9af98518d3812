"""Attack: a party of the roster, with its own certificate, sends what the protocol forbids.

Each ends the session with an error that names the sender; nothing of what it sent is delivered.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from lane_attacker import ALPHA, ATTACKS, HEADER, STEP, Attack, GrpcAttack

from mpc.errors import IntegrityError, PeerError
from parties import frames
from parties.frames import CHUNK_BYTES, FrameWriter


@pytest.fixture(params=sorted(ATTACKS))
def attack(request: pytest.FixtureRequest) -> Iterator[Attack]:
    running = ATTACKS[request.param]()
    yield running
    running.close()


@pytest.fixture
def grpc_attack() -> Iterator[GrpcAttack]:
    running = GrpcAttack()
    yield running
    running.close()


def test_the_attackers_tools_work_when_they_keep_the_rules(attack: Attack) -> None:
    out = attack.joined()
    attack.put(out, STEP, b"8 bytes.")
    attack.put(out, STEP, bytes(CHUNK_BYTES + 1))
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."
    assert attack.victim.receive(ALPHA, STEP, CHUNK_BYTES + 1) == bytes(CHUNK_BYTES + 1)


def test_replayed_frame_is_refused_and_delivered_once(attack: Attack) -> None:
    out = attack.joined()
    (share,) = attack.writer.frames(STEP, b"8 bytes.")
    out.put(share)
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."
    out.put(share)
    error = attack.refused()
    assert isinstance(error, IntegrityError)
    assert "repeated, left out or out of order" in error.message


def test_left_out_frame_is_refused(attack: Attack) -> None:
    out = attack.joined()
    list(attack.writer.frames(STEP, b"swallowed"))
    attack.put(out, STEP, b"8 bytes.")
    assert isinstance(attack.refused(), IntegrityError)


def test_frame_of_another_session_is_refused(attack: Attack) -> None:
    out = attack.joined()
    out.put(HEADER.pack(os.urandom(8), 1, STEP, 8) + b"8 bytes.")
    assert "another session" in attack.refused().message


@pytest.mark.parametrize("length", [0, 7, 9, CHUNK_BYTES, (1 << 32) - 1])
def test_frame_whose_header_lies_about_its_size_is_refused(
    grpc_attack: GrpcAttack, length: int
) -> None:
    out = grpc_attack.joined()
    out.put(HEADER.pack(grpc_attack.tag, 1, STEP, length) + b"8 bytes.")
    assert "size is not the one" in grpc_attack.refused().message


@pytest.mark.parametrize("size", [0, 1, 31])
def test_frame_shorter_than_a_header_is_refused(grpc_attack: GrpcAttack, size: int) -> None:
    out = grpc_attack.joined()
    out.put(bytes(size))
    assert "shorter than its header" in grpc_attack.refused().message


def test_frame_larger_than_a_chunk_never_enters_the_process(grpc_attack: GrpcAttack) -> None:
    out = grpc_attack.joined()
    out.put(HEADER.pack(grpc_attack.tag, 1, STEP, CHUNK_BYTES + 1) + bytes(CHUNK_BYTES + 1))
    assert isinstance(grpc_attack.refused(CHUNK_BYTES + 1), PeerError)


def test_announcing_four_gigabytes_allocates_nothing(attack: Attack) -> None:
    """The size is checked against the one known beforehand, before more than a chunk is kept."""
    out = attack.joined()
    out.put(HEADER.pack(attack.tag, 1, STEP, (1 << 32) - 1) + bytes(CHUNK_BYTES))
    error = attack.refused()
    assert isinstance(error, PeerError)
    assert error.message == f"alpha: sends {(1 << 32) - 1} bytes where 8 are due"


def test_a_flood_waits_on_the_network_not_in_memory(attack: Attack) -> None:
    out = attack.joined()

    def flood() -> None:
        for _ in range(200):
            attack.put(out, STEP, bytes(CHUNK_BYTES))

    flooding = threading.Thread(target=flood)
    flooding.start()
    victim = attack.victim
    deadline = time.monotonic() + 5
    unread = -1
    while time.monotonic() < deadline and unread != victim._links[ALPHA].unread:
        unread = victim._links[ALPHA].unread
        time.sleep(0.3)
    assert unread <= (64 << 20) + CHUNK_BYTES
    for _ in range(200):
        assert len(victim.receive(ALPHA, STEP, CHUNK_BYTES)) == CHUNK_BYTES
    flooding.join()


def test_message_cut_short_by_the_next_one_is_refused(attack: Attack) -> None:
    out = attack.joined()
    out.put(next(attack.writer.frames(STEP, bytes(3 * CHUNK_BYTES))))
    attack.put(out, STEP, bytes(3 * CHUNK_BYTES))
    assert "part missing" in attack.refused(3 * CHUNK_BYTES).message


def test_stream_that_ends_without_bye_is_a_failure_although_its_lane_calls_it_clean(
    attack: Attack,
) -> None:
    out = attack.joined()
    attack.put(out, STEP, b"8 bytes.")
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."
    out.put(None)
    error = attack.refused()
    assert isinstance(error, PeerError)
    assert "without BYE" in error.message


def test_message_cut_short_by_the_end_is_never_delivered(attack: Attack) -> None:
    out = attack.joined()
    out.put(next(attack.writer.frames(STEP, bytes(2 * CHUNK_BYTES))))
    out.put(None)
    assert "without BYE" in attack.refused(2 * CHUNK_BYTES).message


def test_data_after_bye_is_refused(attack: Attack) -> None:
    out = attack.joined()
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
    out = attack.joined()
    attack.put(out, operation, payload)
    assert isinstance(attack.refused(), IntegrityError)


@pytest.mark.parametrize("payload", [b"bravo", b"alpha", b"", b"nobody", b"\xff" * 60])
def test_a_stop_never_makes_the_victim_blame_a_stranger(attack: Attack, payload: bytes) -> None:
    out = attack.joined()
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
    grpc_attack: GrpcAttack, first: object
) -> None:
    out, incoming = grpc_attack.stream()
    assert callable(first)
    out.put(first(grpc_attack.tag))
    with pytest.raises(grpc.RpcError) as caught:
        next(incoming)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    out.put(None)
    good = grpc_attack.joined()
    grpc_attack.put(good, STEP, b"8 bytes.")
    assert grpc_attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."


def test_a_second_stream_of_the_same_party_is_turned_away(grpc_attack: GrpcAttack) -> None:
    first = grpc_attack.joined()
    second, incoming = grpc_attack.stream()
    second.put(next(FrameWriter(grpc_attack.tag).frames(frames.JOIN, b"alpha")))
    with pytest.raises(grpc.RpcError) as caught:
        next(incoming)
    assert "in this session already" in caught.value.details()
    second.put(None)
    grpc_attack.put(first, STEP, b"8 bytes.")
    assert grpc_attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."


def test_another_method_is_unknown(grpc_attack: GrpcAttack) -> None:
    grpc_attack.joined()
    other = grpc_attack.reached[0].stream_stream("/parley.Lane/Other")(iter([b""]))
    with pytest.raises(grpc.RpcError) as caught:
        next(other)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_threads_of_a_session_end_with_it(attack: Attack) -> None:
    before = threading.active_count()
    out = attack.joined()
    out.put(None)
    attack.refused()
    attack.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before
