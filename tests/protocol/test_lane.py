"""The gRPC lane over real sockets and real certificates."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from channel_contract import ChannelContract
from lane_federation import Federation

from parties.channel import PeerChannel


@pytest.fixture(scope="module")
def federation() -> Federation:
    return Federation(3)


class TestLane(ChannelContract):
    @pytest.fixture
    def channels(self, federation: Federation) -> Iterator[tuple[PeerChannel, ...]]:
        connected = federation.lanes()
        yield connected
        for channel in connected:
            channel.close()
