"""Runs that a dealer deals for: started with all approvals, each dealt by a worker of its own."""

from __future__ import annotations

from mpc.errors import IntegrityError, PolicyRefusal
from mpc.plan.model import Plan
from mpc.ports import Clock
from mpc.session.agreement import Phase
from parties.dealer.config import DealerConfig
from parties.identity.trust import Trust
from parties.node.following import Following
from parties.node.proposals import Planner, Proposed
from parties.node.runs import Run, Runs
from parties.node.workers import Zygote
from parties.worker.order import SessionOrder
from protos import control_pb2 as wire


class Dealings(Following):
    """Runs of one dealer. Safe from several threads."""

    def __init__(self, config: DealerConfig, trust: Trust, clock: Clock, zygote: Zygote) -> None:
        runs = Runs(config.at_once, len(config.coordinators))
        super().__init__(config.dealer, config.exchange, zygote, runs)
        self._config = config
        self._trust = trust
        self._clock = clock
        self._planner = Planner()

    def start(self, proposed: Proposed, approvals: tuple[bytes, ...], phase: Phase) -> wire.Started:
        """Check the plan, who takes part in it and every approval; make a worker ready.

        Raises IntegrityError on another plan than the one named, a wrong approval, or a phase in
        which nothing is dealt, IdentityError on a participant that is not pinned here,
        PolicyRefusal on one of an organization that this dealer does not deal for.
        """
        if phase is Phase.PREPARED:
            raise IntegrityError("what was prepared needs no dealer")
        plan = self._planner.plan(proposed)
        self._check(plan)
        given, run_id = self._approved(plan, approvals, proposed.asker, self._clock.unix_s())
        own, exchange = self._trust.identity, self._config.exchange
        order = SessionOrder.of(run_id, plan, given, own, exchange, phase)
        with self._runs.place(run_id, proposed.asker, phase):
            run = Run(run_id, proposed.asker, plan, self._ordered(order), phase)
            self._runs.add(run)
        return self._begun(run)

    def _check(self, plan: Plan) -> None:
        self._trust.check_roster(plan.roster)
        strangers = self._config.strangers(plan.roster)
        if strangers:
            raise PolicyRefusal(
                self._config.dealer,
                f"it does not deal for {', '.join(strangers)}",
                hint="its operator may list them in its file: organizations",
            )

    def _done(self, phase: Phase) -> str:
        return "dealt, beforehand" if phase is Phase.PREPARING else "dealt"

    def _settled(
        self, run: Run, problem: dict[str, str] | None, ordered: bool
    ) -> dict[str, str] | None:
        """Nothing is left of a dealing but its keys, which end with the worker."""
        run.worker.kill()
        return problem
