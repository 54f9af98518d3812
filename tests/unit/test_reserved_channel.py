"""A worker's channel during its reservation: the whole one's contract, and an end with that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from channel_contract import ChannelContract
from stored_material import NOW, SetClock

from mpc.errors import TransportError
from mpc.ports import Channel
from mpc.testing.network import Network
from mpc.units import PartyId
from parties.worker.reserved import ReservedChannel

STEP = bytes(16)
ALPHA, BRAVO = PartyId("alpha"), PartyId("bravo")


class TestReservedChannel(ChannelContract):
    @pytest.fixture
    def channels(self) -> Iterator[Sequence[Channel]]:
        network = Network([ALPHA, BRAVO, PartyId("charlie")])
        clock = SetClock()
        channels = [ReservedChannel(each, clock, lambda: NOW + 1) for each in network.channels]
        yield channels
        for channel in channels:
            channel.close()


@pytest.mark.parametrize(
    ("expires", "late_s", "is_heard"),
    [(0, 10**6, True), (NOW + 60, 59, True), (NOW + 60, 60, False)],
)
def test_nobody_is_heard_once_the_reservation_has_ended(
    expires: int, late_s: int, is_heard: bool
) -> None:
    """Each answer is in time for its own wait; together they are not."""
    network, clock = Network([ALPHA, BRAVO]), SetClock()
    whole, peer = network.channels
    channel = ReservedChannel(whole, clock, lambda: expires)
    for _ in range(2):
        peer.send(ALPHA, STEP, b"answer")
    clock.now += late_s
    for receive in (channel.receive, channel.receive_upto):
        if is_heard:
            assert receive(BRAVO, STEP, 6) == b"answer"
        else:
            with pytest.raises(TransportError, match="only when its reservation had ended"):
                receive(BRAVO, STEP, 6)
