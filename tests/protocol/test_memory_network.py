"""The in-memory channel keeps the lane's contract, and its faults are noticed by whom they hit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from channel_contract import STEP, ChannelContract

from mpc.errors import ContractError, IntegrityError, ParleyError, PeerError
from mpc.testing.network import (
    Ends,
    Fault,
    FaultKind,
    MemoryChannel,
    Network,
    seeded_fault,
    together,
)
from mpc.testing.simulated import SimulatedTime
from mpc.units import PartyId

A, B, C = PartyId("a"), PartyId("b"), PartyId("c")
PARTIES = (A, B, C)


class TestMemoryChannel(ChannelContract):
    @pytest.fixture
    def channels(self) -> Iterator[tuple[MemoryChannel, ...]]:
        network = Network(PARTIES)
        yield network.channels
        for channel in network.channels:
            channel.close()


def network(*faults: Fault, wait_s: float = 5.0) -> Network:
    return Network(PARTIES, wait_s=wait_s, faults=faults)


def fault(kind: FaultKind, index: int = 1) -> Fault:
    return Fault(kind, A, B, index)


def send_three(net: Network) -> None:
    for word in (b"one", b"two", b"six"):
        net.channels[0].send(B, STEP, word)


def test_delayed_message_and_those_behind_it_arrive_in_order() -> None:
    net = network(fault(FaultKind.DELAY))
    send_three(net)
    net.channels[0].close()
    assert [net.channels[1].receive(A, STEP, 3) for _ in range(3)] == [b"one", b"two", b"six"]


def test_message_delayed_past_the_deadline_names_its_sender() -> None:
    net = network(Fault(FaultKind.DELAY, A, B, 0, delay_s=60), wait_s=0.05)
    net.channels[0].send(B, STEP, b"one")
    with pytest.raises(PeerError, match=r"sent nothing for 0.05 s") as caught:
        net.channels[1].receive(A, STEP, 3)
    assert caught.value.party == A


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.SWAP])
def test_message_lost_or_out_of_order_is_refused_naming_the_sender(kind: FaultKind) -> None:
    net = network(fault(kind))
    send_three(net)
    assert net.channels[1].receive(A, STEP, 3) == b"one"
    with pytest.raises(IntegrityError, match="a: sent a message repeated, left out or out of"):
        net.channels[1].receive(A, STEP, 3)


def test_repeated_message_is_refused_naming_the_sender() -> None:
    net = network(fault(FaultKind.REPEAT, 0))
    send_three(net)
    assert net.channels[1].receive(A, STEP, 3) == b"one"
    with pytest.raises(IntegrityError, match="a: sent a message repeated"):
        net.channels[1].receive(A, STEP, 3)


def test_dropped_last_message_meets_the_deadline() -> None:
    net = network(fault(FaultKind.DROP, 0), wait_s=0.05)
    net.channels[0].send(B, STEP, b"one")
    with pytest.raises(PeerError) as caught:
        net.channels[1].receive(A, STEP, 3)
    assert caught.value.party == A


def test_tampered_message_is_delivered_changed() -> None:
    net = network(fault(FaultKind.TAMPER, 0))
    net.channels[0].send(B, STEP, b"one")
    assert net.channels[1].receive(A, STEP, 3) == b"nne"


def test_cut_link_fails_both_ends_naming_each_other_and_reaches_the_third() -> None:
    net = network(fault(FaultKind.CUT, 0))
    with pytest.raises(PeerError) as at_a:
        net.channels[0].send(B, STEP, b"one")
    with pytest.raises(PeerError) as at_b:
        net.channels[1].receive(A, STEP, 3)
    with pytest.raises(PeerError) as at_c:
        net.channels[2].receive(B, STEP, 3)
    assert (at_a.value.party, at_b.value.party) == (B, A)
    assert at_c.value.party in (A, B)


def test_killed_party_is_named_by_all_others() -> None:
    net = network()
    net.kill(B)
    for channel in (net.channels[0], net.channels[2]):
        with pytest.raises(PeerError, match="b: its connection ended without BYE"):
            channel.receive(B, STEP, 3)
    with pytest.raises(ParleyError):
        net.channels[1].send(A, STEP, b"one")


def test_failure_of_one_wakes_everyone_and_blames_whom_it_is_about() -> None:
    net = network(wait_s=30)
    net.channels[0].send(B, b"another step----", b"one")
    ends = together(
        {
            B: lambda: net.channels[1].receive(A, STEP, 3),
            C: lambda: net.channels[2].receive(B, STEP, 3),
        }
    )
    blamed = {party: error.party for party, error in ends.errors.items()}  # type: ignore[attr-defined]
    assert blamed == {B: A, C: A}


def test_killed_by_a_fault_a_party_ends_at_that_message_and_is_named() -> None:
    net = network(fault(FaultKind.KILL))
    net.channels[0].send(B, STEP, b"one")
    with pytest.raises(PeerError, match="a: was killed"):
        net.channels[0].send(B, STEP, b"two")
    with pytest.raises(PeerError, match="a: its connection ended without BYE"):
        net.channels[2].receive(A, STEP, 3)


def simulated(*faults: Fault) -> Network:
    return Network(PARTIES, wait_s=3600.0, faults=faults, time=SimulatedTime(PARTIES))


def receiving(net: Network, *waits: tuple[int, PartyId]) -> Ends[bytes]:
    """Everyone in a thread; who is not in ``waits`` ends at once."""
    tasks: dict[PartyId, Callable[[], bytes]] = dict.fromkeys(PARTIES, lambda: b"")
    for at, sender in waits:
        channel = net.channels[at]
        tasks[channel.own] = lambda channel=channel, sender=sender: channel.receive(sender, STEP, 3)
    return together({own: net.until_ended(own, task) for own, task in tasks.items()})


def test_in_simulated_time_a_message_delayed_for_most_of_an_hour_arrives_at_once() -> None:
    net = simulated(Fault(FaultKind.DELAY, A, B, 0, delay_s=3599.0))
    net.channels[0].send(B, STEP, b"one")
    begun = time.monotonic()
    assert receiving(net, (1, A)).all()[B] == b"one"
    assert time.monotonic() - begun < 30


def test_in_simulated_time_the_deadline_of_an_hour_ends_a_wait_that_nothing_will() -> None:
    net = simulated(Fault(FaultKind.DELAY, A, B, 0, delay_s=3601.0))
    net.channels[0].send(B, STEP, b"one")
    ends = receiving(net, (1, A))
    assert str(ends.errors[B]) == "PLY-N002: a: sent nothing for 3600 s"
    assert ends.values == {A: b"", C: b""}


def test_in_simulated_time_of_all_that_wait_the_first_in_the_roster_gives_up_in_every_run() -> None:
    for _ in range(20):
        ends = receiving(simulated(), (0, B), (1, C), (2, A))
        assert "b: sent nothing for 3600 s" in str(ends.errors[A])
        assert {own: error.party for own, error in ends.errors.items()} == {A: B, B: A, C: B}  # type: ignore[attr-defined]


def test_simulated_time_does_not_wait_for_ever_for_one_that_nobody_told_of_as_ended() -> None:
    net = Network(PARTIES, wait_s=3600.0, time=SimulatedTime(PARTIES, stuck_s=0.05))
    with pytest.raises(ContractError, match="neither waits nor sends"):
        net.channels[1].receive(A, STEP, 3)


def test_seeded_faults_repeat_and_reach_every_kind_and_link() -> None:
    kinds = list(FaultKind)
    faults = [seeded_fault(seed, kinds, PARTIES, 3) for seed in range(500)]
    assert faults == [seeded_fault(seed, kinds, PARTIES, 3) for seed in range(500)]
    assert {each.kind for each in faults} == set(FaultKind)
    links = {(each.sender, each.receiver) for each in faults}
    assert links == {(a, b) for a in PARTIES for b in PARTIES if a != b}
    assert {each.index for each in faults} == {0, 1, 2}
