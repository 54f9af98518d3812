"""Studies in progress at a node: started with all approvals, run by a worker, ended with it.

A start uses up this party's own approval and makes a worker; a connect lets the worker meet its
peers. Whatever ends a worker (its own end, a cancel, the node's end) ends the run, and a
reservation that was not committed is released.
"""

from __future__ import annotations

import logging
import shutil
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from mpc.errors import (
    EngineFailed,
    IdentityError,
    IntegrityError,
    ParleyError,
    PeerError,
    StudyAborted,
    TransportError,
    UnknownStudy,
)
from mpc.plan.model import Plan
from mpc.ports import ChargeState
from mpc.session.approval import Approval, check_approvals
from mpc.study.canonical import study_to_plain
from mpc.units import PARTIES_MAX, PartyId, RunId
from parties.data.catalogue import DATABASE
from parties.identity.store import Identity
from parties.node.desk import Desk
from parties.node.parts import LEDGER, TEMPORARY, NodeParts
from parties.node.requests import BegunRun
from parties.node.runs import Run, Runs
from parties.node.workers import Worker, Zygote
from parties.problems import as_problem, from_problem
from parties.worker.messages import (
    Committed,
    Confirmation,
    Connect,
    Entered,
    Failed,
    Listening,
    Message,
    read_report,
)
from parties.worker.order import WorkerOrder
from parties.worker.pipe import LIFE_S, PipeClosed
from protos import control_pb2 as wire

WORKER_ANSWER_S = 60.0
SECOND_LOOK_S = 2 * LIFE_S  # at a silent worker

_log = logging.getLogger("parley.node")

M = TypeVar("M", bound=Message)


class Studies:
    """Runs of one node. Safe from several threads."""

    def __init__(self, parts: NodeParts, desk: Desk, zygote: Zygote) -> None:
        self._config = parts.config
        self._trust = parts.trust
        self._policy = parts.policy
        self._catalogue = parts.catalogue
        self._ledger = parts.ledger
        self._requests = parts.requests
        self._clock = parts.clock
        self.desk = desk
        self._zygote = zygote
        self._runs = Runs(self._config.workers.at_once, len(self._config.coordinators))

    def start(
        self, digest: str, approvals: tuple[bytes, ...], coordinator: PartyId
    ) -> wire.Started:
        """Check every approval, use up the own one, make the worker ready.

        Raises IntegrityError on any approval that is missing, foreign, expired or used; policy,
        versions and pins are judged once more, since they may have changed since the approval.
        """
        if len(approvals) > PARTIES_MAX:
            raise IntegrityError("more approvals than a study has parties")
        plan = self.desk.agreed_plan(digest)
        if plan.roster.coordinator.id != coordinator:
            raise IntegrityError("another coordinator than the plan's starts it")
        given = [Approval.from_bytes(approval) for approval in approvals]
        run_id = check_approvals(plan, given, self._clock.unix_s())
        reasons = self.desk.reasons(plan, charged=True)
        if reasons:
            raise IntegrityError(f"this party no longer agrees: {reasons[0].code}")
        own = next(each for each in given if each.party == self._config.party)
        domain = self._config.tables[plan.study.table.name].domain
        begun = BegunRun(run_id, plan.digest, coordinator, domain)
        manual = self._policy.value.approval == "manual"
        with self._runs.place(run_id, coordinator):
            approver = self._requests.use_up(own.nonce, begun, manual=manual)
            run = Run(run_id, coordinator, plan, self._worker(plan, given, run_id, approver))
            self._runs.add(run)
        self._follow(run)
        listening = self._answer(run, Listening)
        run.enter("started")
        _log.info("run %s of study %s started", run_id[:12], plan.study.id)
        return wire.Started(
            run=run_id,
            address=listening.address,
            hello=listening.hello,
            direct=listening.direct,
        )

    def _worker(self, plan: Plan, approvals: list[Approval], run: RunId, approver: str) -> Worker:
        """A worker that has its order."""
        self._folder(run).mkdir(mode=0o700, parents=True, exist_ok=True)
        worker = self._zygote.fork()
        try:
            worker.pipe.send(self._order(plan, approvals, run, approver))
        except ParleyError:
            worker.kill()
            shutil.rmtree(self._folder(run), ignore_errors=True)
            raise
        return worker

    def _order(
        self, plan: Plan, approvals: list[Approval], run: RunId, approver: str
    ) -> WorkerOrder:
        table = self._config.tables[plan.study.table.name]
        exchange, limits = self._config.exchange, self._policy.value.limits
        identity: Identity = self._trust.identity
        return WorkerOrder(
            run=run,
            party=self._config.party,
            plan_digest=plan.digest,
            study=study_to_plain(plan.study),
            roster=plan.roster.to_plain(),
            approvals=[approval.to_plain() for approval in approvals],
            identity=identity.for_worker(),
            table=self._catalogue.for_worker(plan.study.table.name),
            ledger=str(self._config.state / LEDGER),
            versions=str(self._config.state / DATABASE),
            temporary=str(self._folder(run)),
            domain=table.domain,
            partner=plan.roster.coordinator.organization,
            approved_by=approver,
            reserve_s=limits.reserve_s,
            reserved_max=limits.reserved_max,
            aborts_max=limits.aborts_max,
            threads=self._config.workers.threads,
            memory_mb=self._config.workers.memory_mb,
            host=exchange.host,
            bind=exchange.bind or exchange.host,
            port_first=exchange.ports[0],
            port_last=exchange.ports[1],
            keepalive_s=exchange.keepalive_s,
            timeout_s=exchange.timeout_s,
            wait_s=exchange.wait_s,
            direct=exchange.direct,
        )

    def connect(self, request: wire.ConnectRequest, coordinator: PartyId) -> wire.Connected:
        """Hand the Hellos and addresses to the run's worker; from here on it runs by itself."""
        run = self.run(request.run, coordinator)
        if not run.claim_connect():
            raise IntegrityError("this run was connected before")
        direct = {each.party for each in request.addresses if each.direct}
        message = Connect(
            addresses={PartyId(each.party): each.address for each in request.addresses},
            hellos=tuple(request.hellos),
            confirmation=request.confirmation,
            direct=all(member.id in direct for member in run.plan.roster.linked),
        )
        lane = "direct" if message.direct and self._config.exchange.direct else "gRPC"
        _log.info("run %s meets its peers on the %s lane", run.id[:12], lane)
        try:
            run.worker.pipe.send(message)
        except ParleyError as error:
            self._finish(run, as_problem(error))
            raise
        return wire.Connected(confirmation=self._answer(run, Confirmation).confirmation)

    def _answer(self, run: Run, kind: type[M]) -> M:
        """The worker's message of ``kind``; raises what the run ended with instead."""
        try:
            heard = run.answer(kind.FIELDS[0], WORKER_ANSWER_S)
            return kind.from_plain({name: heard[name] for name in kind.FIELDS})
        except TransportError as error:
            self._finish(run, as_problem(error))
            raise
        except StudyAborted:
            problem = run.problem or as_problem(StudyAborted("the run is over"))
            party = problem["party"] or self._config.party
            raise from_problem(problem["code"], problem["message"], party) from None

    def _follow(self, run: Run) -> None:
        threading.Thread(
            target=self._listen, args=(run,), name=f"run-{run.id[:8]}", daemon=True
        ).start()

    def _listen(self, run: Run) -> None:
        """Take what the worker says until it ends, or is silent for as long as no live one is."""
        own, exchange, pipe = self._config.party, self._config.exchange, run.worker.pipe
        problem: dict[str, str] | None = as_problem(
            EngineFailed("its worker ended without a word", party=own)
        )
        try:
            while True:
                # Twice, since this node may itself have been frozen: then a live worker's signs
                # come as soon as both go on.
                pipe.is_silent(exchange.keepalive_s + exchange.timeout_s - SECOND_LOOK_S)
                plain = pipe.receive(SECOND_LOOK_S)
                match read_report(plain):
                    case Entered(stage):
                        run.enter(stage)
                    case Listening() | Confirmation():
                        run.hear(plain)
                    case Committed():
                        problem = None
                        return
                    case Failed(told, where):
                        if where:
                            _log.error("run %s: unexpected %s", run.id[:12], where)
                        problem = self._told(run, dict(told))
                        return
        except PipeClosed:
            return
        except IntegrityError as fault:
            _log.error("run %s: %s", run.id[:12], fault.message)
        except TransportError:
            frozen = EngineFailed("its worker is frozen: it shows no sign of life", party=own)
            problem = as_problem(frozen)
        finally:
            self._finish(run, problem)

    def _folder(self, run: RunId) -> Path:
        """Where a run's engine may spill; gone when the run is over."""
        return self._config.state / TEMPORARY / run

    def _told(self, run: Run, problem: dict[str, str]) -> dict[str, str]:
        """What the coordinator learns of a worker's problem.

        It gave the addresses that the worker dialled, so what answered there, if anything did, is
        for this node's log alone: it could be anything in the owner's network.
        """
        meeting = (IdentityError.code, TransportError.code, PeerError.code)
        if run.is_computing or problem["code"] not in meeting:
            return problem
        _log.warning("run %s: %s", run.id[:12], problem["message"])
        own = self._config.party
        told = f"{own} did not meet it; the log of {own}'s node says more"
        return as_problem(PeerError(problem["party"] or own, told))

    def _finish(self, run: Run, problem: dict[str, str] | None, *, ordered: bool = False) -> None:
        """End the worker, then settle what was not committed; that sequence keeps it exact.

        The first reason counts: a worker that was killed ends its pipe too, which is no reason.
        ``ordered``: somebody called the run off, so no row is why it ends.
        """
        if not run.claim_end():
            return
        try:
            problem = self._settled(run, problem, ordered)
        finally:
            run.end(problem)
        state = "committed"
        if problem is not None:
            state = f"ended with {problem['code']}: {problem['message']}"
        _log.info("run %s %s", run.id[:12], state)

    def _settled(
        self, run: Run, problem: dict[str, str] | None, ordered: bool
    ) -> dict[str, str] | None:
        """What is left of ``problem`` once the worker is gone: nothing, if it had committed."""
        run.worker.kill()
        shutil.rmtree(self._folder(run.id), ignore_errors=True)  # what it spilled or recoded
        if ordered:
            self._ledger.release(run.id)
        else:
            self._ledger.fail(run.id)
        state = self._ledger.state(run.id)
        if state is ChargeState.FORFEITED:
            _log.warning("run %s: its charge is kept: its rows may be why it ended", run.id[:12])
        # However the worker ended, a committed share is in the outbox.
        return None if state is ChargeState.COMMITTED else problem

    def run(self, run: str, coordinator: PartyId) -> Run:
        """A run of this coordinator. Raises UnknownStudy on any other."""
        found = self._runs.get(run)
        if found is None or found.coordinator != coordinator:
            raise UnknownStudy("no such run here since this node started")
        return found

    def watched(self, coordinator: PartyId) -> AbstractContextManager[None]:
        """One more call of this coordinator that watches. Raises Busy if it has its fill."""
        return self._runs.watched(coordinator)

    def cancel(self, run: str, coordinator: PartyId) -> bool:
        """End a run that has not committed; True if it was running."""
        found = self.run(run, coordinator)
        was_running = not found.over
        if was_running:
            error = StudyAborted("cancelled by the coordinator", party=self._config.party)
            self._finish(found, as_problem(error), ordered=True)
        return was_running

    def under_way(self, run: str) -> bool:
        """Whether ``run`` may yet commit here."""
        found = self._runs.get(run)
        return found is not None and not found.over

    def count(self) -> int:
        """Studies in progress."""
        return len(self._runs.active())

    def stop(self) -> None:
        """End every run: the node is going down."""
        for run in self._runs.active():
            error = StudyAborted("its node stopped", party=self._config.party)
            self._finish(run, as_problem(error), ordered=True)
