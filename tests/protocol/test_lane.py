"""Both lanes over real sockets and real certificates."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from channel_contract import ChannelContract
from lane_federation import LANES, Federation, connect_all

from mpc.errors import ContractError, PeerError, TransportError
from mpc.units import PartyId
from parties.channel import PeerChannel


@pytest.fixture(scope="module", params=sorted(LANES))
def lane(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def federation(lane: str) -> Federation:
    return Federation(3, lane=lane)


class TestLane(ChannelContract):
    @pytest.fixture
    def channels(self, federation: Federation) -> Iterator[tuple[PeerChannel, ...]]:
        connected = federation.lanes()
        yield connected
        for channel in connected:
            channel.close()


def free_range(count: int) -> tuple[int, int]:
    """A range of ports that were free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        low: int = probe.getsockname()[1]
    return low, low + count - 1


def test_listeners_choose_different_ports_of_their_range_and_give_them_back(
    federation: Federation,
) -> None:
    low, high = free_range(2)
    alpha, bravo, charlie = federation.parties
    first = alpha.listener(ports=(low, high))
    second = bravo.listener(ports=(low, high))
    assert {first.address, second.address} == {f"127.0.0.1:{port}" for port in (low, high)}
    with pytest.raises(TransportError, match=f"no free port from {low} to {high}"):
        charlie.listener(ports=(low, high))
    first.close()
    third = charlie.listener(ports=(low, high))
    assert third.address == first.address
    for listener in (second, third):
        listener.close()


def test_a_port_in_use_by_a_running_session_is_not_chosen(federation: Federation) -> None:
    listeners = [party.listener() for party in federation.parties]
    addresses = {
        party.member.id: listener.address
        for party, listener in zip(federation.parties, listeners, strict=True)
    }
    channels = connect_all(federation, listeners, addresses)
    taken = int(listeners[2].address.rpartition(":")[2])
    with pytest.raises(TransportError):
        federation.parties[0].listener(ports=(taken, taken))
    for closing in [threading.Thread(target=channel.close) for channel in channels]:
        closing.start()
    channels[0].close()


def test_port_of_a_session_that_ended_is_free_for_the_next_at_once(federation: Federation) -> None:
    """Not a minute later: a node has 16 ports, and may run more studies than that in a minute."""
    first = federation.parties[-1].listener()
    number = int(first.address.rpartition(":")[2])
    others = [party.listener() for party in federation.parties[:-1]]
    first.close()
    for _ in range(3):
        last = federation.parties[-1].listener(ports=(number, number))
        listeners = [*others, last]
        addresses = {
            party.member.id: listener.address
            for party, listener in zip(federation.parties, listeners, strict=True)
        }
        channels = connect_all(federation, listeners, addresses)
        with ThreadPoolExecutor(len(channels)) as pool:
            list(pool.map(PeerChannel.close, channels))
        others = [party.listener() for party in federation.parties[:-1]]
    for listener in others:
        listener.close()


@pytest.mark.parametrize("ports", [(2, 1), (-1, 5), (70000, 70001)])
def test_an_impossible_range_of_ports_is_refused(
    federation: Federation, ports: tuple[int, int]
) -> None:
    with pytest.raises(ContractError):
        federation.parties[0].listener(ports=ports)


def test_a_listener_serves_one_session(federation: Federation) -> None:
    listeners = [party.listener() for party in federation.parties]
    addresses = {
        party.member.id: listener.address
        for party, listener in zip(federation.parties, listeners, strict=True)
    }
    channels = connect_all(federation, listeners, addresses)
    with pytest.raises(ContractError, match="one session"):
        listeners[2].connect(federation.roster, federation.session_tag, addresses, 1.0)
    for closing in [threading.Thread(target=channel.close) for channel in channels]:
        closing.start()
    channels[0].close()


def test_a_missing_address_is_named_before_anything_is_dialled(federation: Federation) -> None:
    listener = federation.parties[0].listener()
    with pytest.raises(ContractError, match="no address of bravo, charlie"):
        listener.connect(federation.roster, federation.session_tag, {}, 1.0)
    listener.close()


def test_no_proxy_of_the_environment_is_used(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for closing in [threading.Thread(target=channel.close) for channel in federation.lanes()]:
        closing.start()


def test_addresses_may_be_names(federation: Federation) -> None:
    listeners = [party.listener() for party in federation.parties]
    addresses = {
        party.member.id: listener.address.replace("127.0.0.1", "localhost")
        for party, listener in zip(federation.parties, listeners, strict=True)
    }
    channels = connect_all(federation, listeners, addresses)
    with ThreadPoolExecutor(len(channels)) as pool:
        list(pool.map(PeerChannel.close, channels))


def test_a_name_that_leads_nowhere_names_the_party(federation: Federation) -> None:
    listener = federation.parties[1].listener()
    with pytest.raises(PeerError) as caught:
        listener.connect(
            federation.roster,
            federation.session_tag,
            {PartyId("charlie"): "charlie.invalid:7001"},
            2.0,
        )
    assert caught.value.party in {"alpha", "charlie"}  # neither came
    listener.close()


def test_sixteen_parties_meet_and_exchange(lane: str) -> None:
    federation = Federation(16, lane=lane, names=[f"party-{number}" for number in range(1, 17)])
    channels = federation.lanes()

    def exchange(channel: PeerChannel) -> None:
        for peer in channel.peers:
            channel.send(peer, b"sixteen parties.", channel.own.encode())
        for peer in channel.peers:
            assert channel.receive_upto(peer, b"sixteen parties.", 40) == peer.encode()
        channel.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(exchange, channels))
