"""A session's channel as the parties use it among themselves: the dealer is not in it."""

from __future__ import annotations

from mpc.errors import ContractError
from mpc.ports import Channel
from mpc.units import PartyId


class AmongParties:
    """:class:`mpc.ports.Channel` to some of the peers of another one, and to nobody else.

    What parties open goes to every peer of their channel, and the dealer, who knows the masks,
    must see none of it. So computations get this one, and refuse one with a dealer in it.
    """

    def __init__(self, channel: Channel, peers: tuple[PartyId, ...]) -> None:
        """``peers`` in roster order, all of them peers of ``channel``."""
        if not set(peers) <= set(channel.peers):
            raise ContractError("a part of a channel leads to peers that the whole one has")
        self._channel = channel
        self._peers = peers

    @property
    def own(self) -> PartyId:
        return self._channel.own

    @property
    def peers(self) -> tuple[PartyId, ...]:
        return self._peers

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        """As the whole channel. Raises ContractError for who is not in this part of it."""
        self._check(to)
        self._channel.send(to, operation, payload)

    def receive(self, sender: PartyId, operation: bytes, size: int) -> bytes:
        """As the whole channel. Raises ContractError for who is not in this part of it."""
        self._check(sender)
        return self._channel.receive(sender, operation, size)

    def receive_upto(self, sender: PartyId, operation: bytes, size_max: int) -> bytes:
        """As the whole channel. Raises ContractError for who is not in this part of it."""
        self._check(sender)
        return self._channel.receive_upto(sender, operation, size_max)

    def close(self) -> None:
        """End the whole channel."""
        self._channel.close()

    def _check(self, peer: PartyId) -> None:
        if peer not in self._peers:
            raise ContractError(f"{peer} is not among the parties of this channel")
