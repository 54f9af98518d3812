"""A session's channel for as long as this party's reservation lasts."""

from __future__ import annotations

from collections.abc import Callable

from mpc.errors import TransportError
from mpc.ports import Channel, Clock
from mpc.units import PartyId


class ReservedChannel:
    """:class:`mpc.ports.Channel` that hears nobody once a reservation has ended.

    What comes then could not be committed. So peers that answer just before each deadline hold a
    worker for the reservation's time and one wait more, whatever the number of rounds.
    """

    def __init__(self, channel: Channel, clock: Clock, expires_unix_s: Callable[[], int]) -> None:
        """``expires_unix_s``: when the reservation ends; 0 before there is one."""
        self._channel = channel
        self._clock = clock
        self._expires_unix_s = expires_unix_s

    @property
    def own(self) -> PartyId:
        return self._channel.own

    @property
    def peers(self) -> tuple[PartyId, ...]:
        return self._channel.peers

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        """As the whole channel."""
        self._channel.send(to, operation, payload)

    def receive(self, sender: PartyId, operation: bytes, size: int) -> bytes:
        """As the whole channel. Raises TransportError once the reservation has ended."""
        data = self._channel.receive(sender, operation, size)
        self._check()
        return data

    def receive_upto(self, sender: PartyId, operation: bytes, size_max: int) -> bytes:
        """As the whole channel. Raises TransportError once the reservation has ended."""
        data = self._channel.receive_upto(sender, operation, size_max)
        self._check()
        return data

    def close(self) -> None:
        """End the whole channel."""
        self._channel.close()

    def _check(self) -> None:
        if 0 < self._expires_unix_s() <= self._clock.unix_s():
            raise TransportError("its peers answered only when its reservation had ended")
