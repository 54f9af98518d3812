"""What every implementation of :class:`mpc.ports.Channel` must do; each has a test class of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mpc.errors import ParleyError, PeerError
from mpc.ports import Channel

STEP = b"step-one--------"
OTHER = b"step-two--------"


class ChannelContract:
    """Subclasses give a fixture ``channels``: three connected channels, closed at the end."""

    def test_messages_arrive_whole_and_in_order(self, channels: Sequence[Channel]) -> None:
        first, second = channels[0], channels[1]
        messages = [b"", b"x", os.urandom(5_000), os.urandom(3 * (1 << 20) + 17)]
        for message in messages:
            first.send(second.own, STEP, message)
        for message in messages:
            assert second.receive(first.own, STEP, len(message)) == message

    def test_peers_are_the_others_in_roster_order(self, channels: Sequence[Channel]) -> None:
        names = [channel.own for channel in channels]
        for channel in channels:
            assert list(channel.peers) == [name for name in names if name != channel.own]

    def test_receive_upto_takes_any_size_within_its_limit(
        self, channels: Sequence[Channel]
    ) -> None:
        channels[0].send(channels[2].own, STEP, b"12345")
        assert channels[2].receive_upto(channels[0].own, STEP, 100) == b"12345"

    def test_peers_are_told_apart(self, channels: Sequence[Channel]) -> None:
        channels[0].send(channels[2].own, STEP, b"from first")
        channels[1].send(channels[2].own, STEP, b"from second")
        assert channels[2].receive(channels[1].own, STEP, 11) == b"from second"
        assert channels[2].receive(channels[0].own, STEP, 10) == b"from first"

    def test_large_exchange_in_both_directions_at_once_does_not_block(
        self, channels: Sequence[Channel]
    ) -> None:
        payload = os.urandom(24 << 20)

        def exchange(channel: Channel) -> None:
            for peer in channel.peers:
                channel.send(peer, STEP, payload)
            for peer in channel.peers:
                assert channel.receive(peer, STEP, len(payload)) == payload

        with ThreadPoolExecutor(len(channels)) as pool:
            list(pool.map(exchange, channels))

    def test_another_step_of_the_same_shape_is_refused_naming_the_peer(
        self, channels: Sequence[Channel]
    ) -> None:
        channels[0].send(channels[1].own, OTHER, b"12345678")
        with pytest.raises(PeerError, match="another step") as caught:
            channels[1].receive(channels[0].own, STEP, 8)
        assert caught.value.party == channels[0].own

    @pytest.mark.parametrize("size", [0, 7, 9, 1 << 20])
    def test_another_size_is_refused_naming_the_peer(
        self, channels: Sequence[Channel], size: int
    ) -> None:
        channels[0].send(channels[1].own, STEP, bytes(size))
        with pytest.raises(PeerError) as caught:
            channels[1].receive(channels[0].own, STEP, 8)
        assert caught.value.party == channels[0].own

    def test_larger_than_the_limit_is_refused(self, channels: Sequence[Channel]) -> None:
        channels[0].send(channels[1].own, STEP, bytes(101))
        with pytest.raises(PeerError):
            channels[1].receive_upto(channels[0].own, STEP, 100)

    def test_after_a_failure_nothing_works(self, channels: Sequence[Channel]) -> None:
        channels[0].send(channels[1].own, OTHER, b"12345678")
        with pytest.raises(PeerError):
            channels[1].receive(channels[0].own, STEP, 8)
        with pytest.raises(ParleyError):
            channels[1].send(channels[0].own, STEP, b"")
        with pytest.raises(ParleyError):
            channels[1].receive(channels[0].own, OTHER, 8)

    def test_a_peer_that_said_bye_is_named_when_its_message_is_due(
        self, channels: Sequence[Channel]
    ) -> None:
        channels[0].send(channels[1].own, STEP, b"last words")
        closing = threading.Thread(target=channels[0].close)
        closing.start()
        assert channels[1].receive(channels[0].own, STEP, 10) == b"last words"
        with pytest.raises(PeerError) as caught:
            channels[1].receive(channels[0].own, STEP, 10)
        assert caught.value.party == channels[0].own
        closing.join()

    def test_a_stranger_is_no_peer(self, channels: Sequence[Channel]) -> None:
        with pytest.raises(ParleyError):
            channels[0].send(channels[0].own, STEP, b"")

    def test_a_closed_channel_sends_nothing(self, channels: Sequence[Channel]) -> None:
        for closing in [threading.Thread(target=each.close) for each in channels]:
            closing.start()
        channels[0].close()
        with pytest.raises(ParleyError):
            channels[0].send(channels[1].own, STEP, b"")
