"""Preparing a run: the dealer deals beforehand, and parties keep their material until the run.

The same approvals, the same meeting and the same watching as a run's; but no approval is used up,
no row is read, nothing is opened or charged, and there is nothing to collect.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc.errors import UsageError
from mpc.plan.model import Plan
from mpc.session.agreement import Phase
from mpc.session.approval import Approval
from mpc.units import PartyId
from parties.coordinator import ending
from parties.coordinator.driving import Drive
from parties.coordinator.prepared_runs import PreparedRecord
from parties.coordinator.state import CoordinatorState


@dataclass(frozen=True)
class Preparation:
    """A prepared run that holds. ``dealt_bytes``: what ``dealer`` sent to ``last``, the one party
    that cannot expand its own. ``already``: it was prepared before, and nothing was done."""

    record: PreparedRecord
    dealer: PartyId
    last: PartyId
    dealt_bytes: int
    already: bool

    @classmethod
    def of(cls, plan: Plan, record: PreparedRecord, *, already: bool) -> Preparation:
        """What ``record`` says of ``plan``. Raises UsageError if it has no dealer."""
        parties = plan.roster.parties
        return cls(record, dealer_of(plan), parties[-1].id, plan.cost.dealt_bytes, already)


def dealer_of(plan: Plan) -> PartyId:
    """Who would deal for ``plan``. Raises UsageError if nobody does."""
    if plan.roster.dealer is None:
        raise UsageError(
            f"nothing to prepare: the study {plan.study.id} names no dealer",
            hint="parley run runs it as it is",
        )
    return plan.roster.dealer.id


def prepare(
    drive: Drive, state: CoordinatorState, plan: Plan, approvals: tuple[Approval, ...]
) -> PreparedRecord:
    """Prepare the run that ``approvals`` make of ``plan``, with everyone who is connected.

    Raises the first failure, naming who; then nobody was charged, no approval is used, and what
    some parties may keep expires with the approvals. Cost: what the dealer sends to the last party.
    """
    gathering = drive.gathered(plan, approvals, Phase.PREPARING)
    state.prepared.begin(gathering.run, plan.digest, plan.study.id, approvals)
    try:
        hellos = gathering.start(plan, approvals)
        gathering.connect(hellos, gathering.pair(hellos))
        gathering.watch()
    except BaseException as error:
        gathering.cancel()
        ending.not_prepared(state, gathering.run, error)
        raise
    return state.prepared.done(gathering.run)
