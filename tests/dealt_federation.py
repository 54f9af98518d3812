"""Parties and a dealer in one process: the handshake as it is, then kernel programs on its streams.

Over the in-memory network, each in a thread of its own; the dealer deals as it does in a session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernel_parties import Opened, joined, ring, shares_of
from numpy.typing import NDArray
from session_federation import PassingTime, SessionFederation, on_the_wall

from mpc.dealing.delivery import recipes_digest
from mpc.dealing.recipe import Recipe
from mpc.ports import Channel
from mpc.protocols.opening import Cost
from mpc.protocols.party import PartyComputation, Record
from mpc.protocols.rehearsal import rehearse
from mpc.protocols.shares import SharedWords
from mpc.session.dealing import dealt_supply
from mpc.session.session import Session
from mpc.steps import Steps
from mpc.testing.network import Ends, Fault, Network, together
from mpc.units import PartyId

DEALER = PartyId("dealer")


@dataclass(frozen=True)
class Dealing:
    """What everyone did of one program: its ends, the parties' costs, and the wire."""

    ends: Ends[Any]
    costs: Mapping[PartyId, Cost]
    opened: Mapping[PartyId, Opened]
    recipes: tuple[Recipe, ...]
    network: Network

    def output(self) -> Any:
        """What the parties' shares are shares of."""
        values = self.ends.all()
        return joined([values[party] for party in values if party != DEALER])


def compute(
    session: Session, channel: Channel, program: Callable[..., Any], recipes: Sequence[Recipe],
    inputs: Sequence[SharedWords], costs: dict[PartyId, Cost],
    among: Callable[[Channel, tuple[PartyId, ...]], Channel] = lambda channel, _peers: channel,
    record: Record | None = None,
) -> Any:  # fmt: skip
    """One party's part of ``program``, after its handshake."""
    supply = dealt_supply(session, channel, recipes)
    parties = session.among_parties(channel)
    computation = PartyComputation(
        session.agreement.parties,
        among(parties, parties.peers),
        supply,
        Steps(session, recipes_digest(recipes)),
        record or session.transcript,
    )
    try:
        return program(computation, *inputs)
    finally:
        costs[session.own] = computation.cost


def run_dealt(
    program: Callable[..., Any],
    *secrets: NDArray[Any],
    parties: int = 3,
    faults: Sequence[Fault] = (),
    wait_s: float = 20.0,
    dealt: Callable[[tuple[Recipe, ...]], Sequence[Recipe]] = lambda recipes: recipes,
    time: PassingTime = on_the_wall,
) -> Dealing:
    """Handshake and ``program`` on shares of ``secrets``. ``dealt``: what the dealer plans."""
    federation = SessionFederation(parties, dealer=True)
    words = [ring(secret) for secret in secrets]
    rehearsed = rehearse(program, *(each.shape for each in words), parties=parties)
    inputs = [shares_of(each, parties, f"input {at}") for at, each in enumerate(words)]
    pairings, dealer = federation.meeting().pair_dealt()
    network = federation.network(wait_s=wait_s, faults=faults, time=time)
    opened = {party: Opened() for party in federation.parties}
    costs: dict[PartyId, Cost] = {}

    def party(place: int, channel: Channel) -> Any:
        session = pairings[channel.own].confirm(channel)
        own = [SharedWords(shares[place]) for shares in inputs]
        return compute(
            session, channel, program, rehearsed.recipes, own, costs, record=opened[channel.own]
        )

    def deal(channel: Channel) -> None:
        dealer.confirm(channel).deal(channel, dealt(rehearsed.recipes))
        channel.close()

    *channels, last = network.channels
    tasks: dict[PartyId, Callable[[], Any]] = {
        channel.own: lambda place=place, channel=channel: party(place, channel)
        for place, channel in enumerate(channels)
    }
    tasks[last.own] = lambda: deal(last)
    ends = together({own: network.until_ended(own, task) for own, task in tasks.items()})
    return Dealing(ends, costs, opened, rehearsed.recipes, network)
