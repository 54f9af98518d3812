"""Who takes part in a search and deviates, or calls it off: what that reads, and what it costs."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from joint_release import WatchedSource
from searched_study import PARTIES, searched_study, tables_of, true_sums
from seeded_randomness import SeededRandomness

from mpc.dealing.recipe import Dealt, Recipe
from mpc.dealing.supply import Supply
from mpc.errors import ParleyError, PeerError, SecretMisuseError, StudyAborted
from mpc.layout import Layout
from mpc.plan.programs import recipes_of
from mpc.ports import Channel, ChargeState
from mpc.privacy import derivation
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.protocols.opening import Computation, Masked
from mpc.ring.planes import Ring
from mpc.session.dealing import computation_with, dealt_supply
from mpc.session.session import Session
from mpc.testing.parties import DOMAIN, InProcessParties
from mpc.units import PartyId, RunId

READER = PartyId("bravo")


def watched() -> dict[PartyId, WatchedSource]:
    return {
        PartyId(party): WatchedSource(DiscreteGaussian(SeededRandomness(f"noise {party}")))
        for party in PARTIES
    }


class Attacked(InProcessParties):
    """Parties as they are, whose ledgers settle what failed, as their nodes do."""

    def __init__(self) -> None:
        study = searched_study()
        self.rows = tables_of(study, 100)
        super().__init__(study, self.rows, SeededRandomness("keys attacked"))
        self.runs: set[RunId] = set()
        self.errors: dict[PartyId, ParleyError] = {}
        self.ended = Event()

    def _compute(self, session: Session, channel: Channel, source: NoiseSource) -> bytes:
        self.runs.add(session.run)
        try:
            return super()._compute(session, channel, source)
        except ParleyError as error:
            self.ledgers[session.own].fail(session.run)
            self.errors[session.own] = error
            self.ended.set()
            raise

    def check_charged_without_release(self) -> None:
        (run,) = self.runs
        for ledger in self.ledgers.values():
            assert ledger.state(run) is ChargeState.FORFEITED
            assert ledger.outbox(run) is None
            assert ledger.balance(DOMAIN).rho_spent == self.plan.rho_total


class KnownMasks:
    """A supply that a dealer looks into: it shares every party's stream, so it has their masks."""

    def __init__(self, supply: Supply, known: list[Ring]) -> None:
        self._supply = supply
        self._known = known

    def take(self, recipe: Recipe) -> Dealt:
        dealt = self._supply.take(recipe)
        self._known.append(dealt.free[0])
        return dealt


class Reader:
    """A party that keeps what the first opening shows everyone, and calls the run off."""

    def __init__(self, own: Computation, seen: list[Ring]) -> None:
        self._own = own
        self._seen = seen
        self.place, self.parties, self.draw = own.place, own.parties, own.draw
        self.open_shuffled_order, self.open_masked_to = own.open_shuffled_order, own.open_masked_to

    def open_masked(self, *masked: Masked) -> tuple[Ring, ...]:
        self._seen.extend(self._own.open_masked(*masked))
        raise StudyAborted("called off", party=READER)


class CalledOff(Attacked):
    """The dealer and ``READER`` pool what they know."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: dict[PartyId, list[Ring]] = {}
        self.seen: list[Ring] = []

    def _computation(self, session: Session, channel: Channel) -> Computation:
        recipes = recipes_of(self.plan)
        known = self.masks.setdefault(session.own, [])
        supply = KnownMasks(dealt_supply(session, channel, recipes), known)
        own = computation_with(session, channel, recipes, supply)
        return Reader(own, self.seen) if session.own == READER else own


class TwoFaced:
    """The channel of a party that turns a bit of the first value it opens, to one peer alone.

    That is its first message after the READY of all. It hears no READY after that before another
    party ended, so that it accuses nobody first.
    """

    def __init__(self, channel: Channel, to: PartyId, ended: Event) -> None:
        self._channel = channel
        self._to = to
        self._ended = ended
        self._is_due = self._is_done = False
        self.own, self.peers, self.close = channel.own, channel.peers, channel.close
        self.receive = channel.receive

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        if to == self._to and self._is_due and not self._is_done:
            self._is_done = True
            payload = bytes([payload[0] ^ 1]) + payload[1:]
        self._channel.send(to, operation, payload)

    def receive_upto(self, sender: PartyId, operation: bytes, size_max: int) -> bytes:
        self._is_due = True
        if self._is_done:
            self._ended.wait(10)
        return self._channel.receive_upto(sender, operation, size_max)


class Steered(Attacked):
    """``READER`` opens another value to alpha than to charlie."""

    def _compute(self, session: Session, channel: Channel, source: NoiseSource) -> bytes:
        if session.own == READER:
            channel = TwoFaced(channel, PartyId("alpha"), self.ended)
        return super()._compute(session, channel, source)


def nodes_of(sums: list[int], layout: Layout, start: int) -> list[int]:
    """The sums of every node as a search compares them: cell by cell, level by level."""
    levels, start = [], start + layout.cells
    for block in layout.blocks[1:]:
        end = start + layout.cells * block.nodes
        levels.append(np.array(sums[start:end]).reshape(layout.cells, block.nodes))
        start = end
    return [int(each) for each in np.concatenate(levels, axis=1).reshape(-1)]


def test_dealer_and_a_party_that_call_a_run_off_read_noised_sums_and_everyone_is_charged() -> None:
    parties, sources = CalledOff(), watched()
    with pytest.raises(PeerError, match=READER):
        parties.run({**sources})
    masks = np.sum([taken[0] for taken in parties.masks.values()], axis=0, dtype=np.uint64)
    read = (parties.seen[0] - masks).view(np.int64)
    layout, start = parties.plan.questions[1].layout, parties.plan.questions[0].layout.size
    exact = true_sums(parties.plan, parties.rows)
    noises = zip(*(source.drawn for source in sources.values()), strict=True)
    noised = [total + sum(drawn) for total, drawn in zip(exact, noises, strict=True)]
    assert list(read) == nodes_of(noised, layout, start) != nodes_of(exact, layout, start)
    parties.check_charged_without_release()


def test_party_that_opens_other_values_to_one_peer_is_found_out_and_nothing_is_released() -> None:
    parties = Steered()
    with pytest.raises(ParleyError):
        parties.run({**watched()})
    honest = [error for party, error in parties.errors.items() if party != READER]
    assert any("it saw other values opened" in error.message for error in honest)
    parties.check_charged_without_release()


def test_sums_that_a_search_should_walk_over_are_not_released_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The price is that of one node a level: to release all of them would cost many times that."""
    parties = Attacked()
    monkeypatch.setattr(derivation, "needs_search", lambda _layouts: False)
    with pytest.raises(SecretMisuseError, match="other integers than the plan releases"):
        parties.run({**watched()})
    parties.check_charged_without_release()
