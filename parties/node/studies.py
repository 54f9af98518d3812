"""Studies in progress at a node: started with all approvals, run by a worker, ended with it.

A start uses up this party's own approval, unless it only prepares the run, and makes a worker; a
connect lets the worker meet its peers. Whatever ends a worker (its own end, a cancel, the node's
end) ends the run; a reservation that was not committed is then released, or forfeited if the rows
may be why it ended.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from mpc.errors import IntegrityError, ParleyError, StorageError
from mpc.plan.model import Plan
from mpc.ports import ChargeState
from mpc.session.agreement import Phase
from mpc.session.approval import Approval
from mpc.units import RunId
from parties.data.catalogue import DATABASE
from parties.node.desk import Desk
from parties.node.following import Following
from parties.node.parts import LEDGER, TEMPORARY, NodeParts
from parties.node.proposals import Proposed
from parties.node.requests import BegunRun
from parties.node.runs import Run, Runs
from parties.node.workers import Worker, Zygote
from parties.worker.order import PreparingOrder, SessionOrder, WorkerOrder
from protos import control_pb2 as wire

_log = logging.getLogger("parley.node")


class Studies(Following):
    """Runs of one party's node. Safe from several threads."""

    def __init__(self, parts: NodeParts, desk: Desk, zygote: Zygote) -> None:
        config = parts.config
        runs = Runs(config.workers.at_once, len(config.coordinators))
        super().__init__(config.party, config.exchange, zygote, runs)
        self._config = config
        self._trust = parts.trust
        self._policy = parts.policy
        self._catalogue = parts.catalogue
        self._ledger = parts.ledger
        self._requests = parts.requests
        self._prepared = parts.prepared
        self._clock = parts.clock
        self.desk = desk

    def start(self, proposed: Proposed, approvals: tuple[bytes, ...], phase: Phase) -> wire.Started:
        """Check every approval, use up the own one unless ``phase`` prepares, make a worker ready.

        Raises IntegrityError on any approval that is missing, foreign, expired or used; policy,
        versions and pins are judged once more, since they may have changed since the approval.
        """
        plan, coordinator = self.desk.plan_to_start(proposed), proposed.asker
        given, run_id = self._approved(plan, approvals, coordinator, self._clock.unix_s())
        reasons = self.desk.reasons(plan, charged=True)
        if reasons:
            raise IntegrityError(f"this party no longer agrees: {reasons[0].code}")
        own = next(each for each in given if each.party == self._config.party)
        domain = self._config.tables[plan.study.table.name].domain
        begun = BegunRun(run_id, plan.digest, coordinator, domain)
        manual = self._policy.value.approval == "manual"
        with self._runs.place(run_id, coordinator, phase):
            if phase is Phase.PREPARING:
                self._requests.check_open(own.nonce, begun, manual=manual)
                worker = self._preparing_worker(plan, given, run_id)
            else:
                if phase is Phase.PREPARED:
                    self._prepared.check(run_id)
                approver = self._requests.use_up(own.nonce, begun, manual=manual)
                worker = self._worker(plan, given, run_id, approver, phase)
            run = Run(run_id, coordinator, plan, worker, phase)
            self._runs.add(run)
        return self._begun(run)

    def _preparing_worker(self, plan: Plan, approvals: list[Approval], run: RunId) -> Worker:
        """A worker that is told of no row and no ledger."""
        own, exchange = self._trust.identity, self._config.exchange
        order = SessionOrder.of(run, plan, approvals, own, exchange, Phase.PREPARING)
        return self._ordered(PreparingOrder(**vars(order), state=str(self._config.state)))

    def _worker(
        self, plan: Plan, approvals: list[Approval], run: RunId, approver: str, phase: Phase
    ) -> Worker:
        """A worker that has its order."""
        self._folder(run).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._ordered(self._order(plan, approvals, run, approver, phase))
        except ParleyError:
            shutil.rmtree(self._folder(run), ignore_errors=True)
            raise

    def _order(
        self, plan: Plan, approvals: list[Approval], run: RunId, approver: str, phase: Phase
    ) -> WorkerOrder:
        table = self._config.tables[plan.study.table.name]
        limits, own = self._policy.value.limits, self._trust.identity
        return WorkerOrder(
            **vars(SessionOrder.of(run, plan, approvals, own, self._config.exchange, phase)),
            table=self._catalogue.for_worker(plan.study.table.name),
            ledger=str(self._config.state / LEDGER),
            versions=str(self._config.state / DATABASE),
            state=str(self._config.state),
            temporary=str(self._folder(run)),
            domain=table.domain,
            partner=plan.roster.coordinator.organization,
            approved_by=approver,
            reserve_s=limits.reserve_s,
            reserved_max=limits.reserved_max,
            aborts_max=limits.aborts_max,
            threads=self._config.workers.threads,
            memory_mb=self._config.workers.memory_mb,
        )

    def _folder(self, run: RunId) -> Path:
        """Where a run's engine may spill; gone when the run is over."""
        return self._config.state / TEMPORARY / run

    def _done(self, phase: Phase) -> str:
        return "prepared; nothing is charged" if phase is Phase.PREPARING else "committed"

    def _settled(
        self, run: Run, problem: dict[str, str] | None, ordered: bool
    ) -> dict[str, str] | None:
        """What is left of ``problem`` once the worker is gone: nothing, if it had committed."""
        run.worker.kill()
        if run.phase is Phase.PREPARING:
            self._deleted(run, self._prepared.discard)
            return problem
        shutil.rmtree(self._folder(run.id), ignore_errors=True)  # what it spilled or recoded
        if ordered:
            self._ledger.release(run.id)
        else:
            self._ledger.fail(run.id)
        self._deleted(run, self._prepared.end)
        state = self._ledger.state(run.id)
        if state is ChargeState.FORFEITED:
            why = "its rows may be why it ended, or what it noised was being compared"
            _log.warning("run %s: its charge is kept: %s", run.id[:12], why)
        # However the worker ended, a committed share is in the outbox.
        return None if state is ChargeState.COMMITTED else problem

    @staticmethod
    def _deleted(run: Run, delete: Callable[[RunId], None]) -> None:
        """What ``delete`` cannot delete is in the node's log, and no part of how the run ended."""
        try:
            delete(run.id)
        except StorageError as failure:
            _log.error("run %s: %s", run.id[:12], failure.message)
