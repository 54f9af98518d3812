"""The in-memory channel of :mod:`mpc.testing` keeps the same contract as the lane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from channel_contract import ChannelContract

from mpc.ports import Channel
from mpc.testing.network import Network
from mpc.units import PartyId


class TestMemoryChannel(ChannelContract):
    @pytest.fixture
    def channels(self) -> Iterator[Sequence[Channel]]:
        network = Network([PartyId("alpha"), PartyId("bravo"), PartyId("charlie")])
        yield network.channels
        for channel in network.channels:
            channel.close()
