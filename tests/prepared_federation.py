"""Preparing and the prepared run in one process: both sessions as they are, over memory networks.

What a party keeps in between is what a store would be given: the material's bytes, and parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dealt_federation import DEALER, Dealing
from kernel_parties import Opened, ring, shares_of
from numpy.typing import NDArray
from session_federation import SessionFederation

from mpc.dealing.delivery import recipes_digest
from mpc.dealing.recipe import Recipe
from mpc.ports import Channel
from mpc.protocols.opening import Cost
from mpc.protocols.party import PartyComputation
from mpc.protocols.rehearsal import rehearse
from mpc.protocols.shares import SharedWords
from mpc.session.agreement import Phase
from mpc.session.approval import Approval
from mpc.session.preparing import Material, Prepared, prepared_supply
from mpc.session.session import Session
from mpc.steps import Steps
from mpc.testing.network import Ends, Network, together
from mpc.testing.sessions import approvals_of
from mpc.units import PartyId


@dataclass(frozen=True)
class Kept:
    """What one party keeps between the sessions."""

    material: bytes
    parts: tuple[bytes, ...] = ()

    def taken(self) -> Prepared:
        return Prepared(Material.from_bytes(self.material), iter(self.parts))


@dataclass
class PreparedFederation:
    """Parties and a dealer, and one run of their plan: ``approvals`` name it."""

    count: int = 3
    seed: str = "prepared"
    costs: dict[PartyId, Cost] = field(default_factory=dict)
    sessions: dict[PartyId, Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.federation = SessionFederation(self.count, self.seed, dealer=True)
        self.parties = self.federation.parties
        self.approvals = self.approved()

    def approved(self) -> tuple[Approval, ...]:
        federation = self.federation
        return approvals_of(federation.plan, federation.participants, federation.randomness)

    def prepare_ends(
        self, recipes: Sequence[Recipe], *,
        planned: Callable[[PartyId], Sequence[Recipe]] | None = None, wait_s: float = 5.0,
    ) -> tuple[Ends[Any], Network]:  # fmt: skip
        """The preparing session, each one's end. ``planned``: what each takes the plan to name."""
        meeting = self.federation.meeting(phase=Phase.PREPARING, approvals=self.approvals)
        pairings, dealer = meeting.pair_dealt()
        network = self.federation.network(wait_s=wait_s)

        def take_part(channel: Channel) -> Kept | None:
            own = recipes if planned is None else planned(channel.own)
            if channel.own == DEALER:
                dealer.confirm(channel).deal(channel, own)
                return None
            prepared = pairings[channel.own].prepare(channel).receive(channel, own)
            parts = tuple(prepared.corrections)
            return Kept(prepared.material.to_bytes(), parts)

        tasks = {channel.own: lambda c=channel: take_part(c) for channel in network.channels}
        return together(tasks), network

    def prepare(self, recipes: Sequence[Recipe]) -> dict[PartyId, Kept]:
        """What every party keeps of a preparing session."""
        values = self.prepare_ends(recipes)[0].all()
        return {party: values[party] for party in self.parties}

    def compute(
        self, kept: Mapping[PartyId, Kept], program: Callable[..., Any], *secrets: NDArray[Any],
        wait_s: float = 5.0,
    ) -> Dealing:  # fmt: skip
        """The prepared run, in which the parties alone meet."""
        words = [ring(secret) for secret in secrets]
        rehearsed = rehearse(program, *(each.shape for each in words), parties=self.count)
        inputs = [shares_of(each, self.count, f"input {at}") for at, each in enumerate(words)]
        meeting = self.federation.meeting(phase=Phase.PREPARED, approvals=self.approvals)
        pairings = meeting.pair()
        network = self.federation.network(wait_s=wait_s, dealer=False)
        opened = {party: Opened() for party in self.parties}

        def take_part(place: int, channel: Channel) -> Any:
            session = self.sessions[channel.own] = pairings[channel.own].confirm(channel)
            prepared, recipes = kept[channel.own].taken(), rehearsed.recipes
            supply = prepared_supply(session, channel, recipes, prepared)
            computation = PartyComputation(
                self.parties, channel, supply, Steps(session, recipes_digest(recipes)),
                opened[channel.own],
            )  # fmt: skip
            try:
                return program(computation, *(SharedWords(shares[place]) for shares in inputs))
            finally:
                self.costs[channel.own] = computation.cost

        tasks = {
            channel.own: lambda p=place, c=channel: take_part(p, c)
            for place, channel in enumerate(network.channels)
        }
        return Dealing(together(tasks), self.costs, opened, rehearsed.recipes, network)
