"""A party's computation over a channel: every opening one message to each peer, all at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.dealing.recipe import Recipe
from mpc.dealing.supply import Supply
from mpc.errors import ContractError
from mpc.guarded import Guarded
from mpc.ports import Channel
from mpc.protocols.opening import Correlation, Cost, Masked, ShuffledOrder, correlation_of
from mpc.ring.planes import Ring
from mpc.steps import Steps
from mpc.units import PartyId


class Record(Protocol):
    """Takes every value that all parties see: :class:`mpc.session.ready.Transcript`."""

    def record(self, operation: bytes, opened: bytes) -> None: ...


class PartyComputation(Guarded):
    """:class:`mpc.protocols.opening.Computation` of one party of a session.

    Each opening has an id, the running hash of every step so far with its shapes, so that a party
    whose program took another turn is found out before a word is used.
    """

    __slots__ = ("_channel", "_parties", "_record", "_steps", "_supply", "cost", "place")

    def __init__(
        self, parties: tuple[PartyId, ...], channel: Channel, supply: Supply, steps: Steps,
        record: Record,
    ) -> None:  # fmt: skip
        """``parties`` in roster order, ``channel.own`` among them."""
        if sorted(parties) != sorted((channel.own, *channel.peers)):
            raise ContractError("a computation runs among the parties of its channel")
        self._parties = parties
        self._channel = channel
        self._supply = supply
        self._steps = steps
        self._record = record
        self.place = parties.index(channel.own)
        self.cost = Cost()

    @property
    def parties(self) -> int:
        return len(self._parties)

    def draw(self, recipe: Recipe) -> Correlation:
        dealt = self._supply.take(recipe)
        return correlation_of(recipe, dealt.free, dealt.derived, dealt.order)

    def open_masked(self, *masked: Masked) -> tuple[Ring, ...]:
        """Raises what the channel raises, naming the peer."""
        step = self._steps.next("open", *(each.shape for each in masked))
        said = self._exchanged(step, b"".join(each.to_bytes() for each in masked))
        opened, start = [], 0
        for each in masked:
            end = start + each.size_bytes
            opened.append(each.opened([each.read(data[start:end]) for data in said]))
            start = end
        for value in opened:
            self._record.record(step, value.tobytes())
        return tuple(opened)

    def open_shuffled_order(self, order: ShuffledOrder) -> NDArray[np.bool_]:
        """Raises what the channel raises, naming the peer.

        The places are in the opening's id: of parties that compared other pairs, all stop before it
        is put together, since that would be no order of shuffled keys.
        """
        step = self._steps.next(f"open order {order.pairs()}", order.left.shape)
        opened = order.opened(self._exchanged(step, order.to_bytes()))
        self._record.record(step, opened.tobytes())
        return opened

    def _exchanged(self, step: bytes, own: bytes) -> list[bytes]:
        """One round: ``own`` to each peer, and as many bytes of each."""
        for peer in self._channel.peers:
            self._channel.send(peer, step, own)
        said = [self._channel.receive(peer, step, len(own)) for peer in self._channel.peers]
        self.cost = replace(
            self.cost,
            rounds=self.cost.rounds + 1,
            bytes_to_each=self.cost.bytes_to_each + len(own),
        )
        return said

    def open_masked_to(self, place: int, masked: Masked) -> Ring | None:
        """Raises what the channel raises, naming the peer."""
        step = self._steps.next(f"open to {place}", masked.shape)
        to, sent, opened = self._parties[place], 0, None
        if self.place == place:
            said = [
                self._channel.receive(peer, step, masked.size_bytes) for peer in self._channel.peers
            ]
            opened = masked.opened([masked.read(data) for data in said])
        else:
            self._channel.send(to, step, masked.to_bytes())
            sent = masked.size_bytes
        self.cost = replace(
            self.cost, rounds=self.cost.rounds + 1, bytes_to_one=self.cost.bytes_to_one + sent
        )
        return opened
