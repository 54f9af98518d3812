"""Runs as their participant's server follows them: a worker each, told what to do and listened to.

A node of a party and a dealer's do the same here; what starts a run, and what is left to settle
when its worker is gone, is their own. Whatever ends a worker (its own end, a cancel, the server's
end) ends the run.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
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
from mpc.session.agreement import Phase
from mpc.session.approval import Approval, check_approvals
from mpc.units import PARTIES_MAX, PartyId, RunId
from parties.config import Exchange
from parties.node.runs import Run, Runs
from parties.node.workers import Worker, Zygote
from parties.problems import as_problem, from_problem
from parties.worker.messages import (
    Committed,
    Confirmation,
    Connect,
    Dealt,
    Entered,
    Failed,
    Listening,
    Message,
    Stored,
    read_report,
)
from parties.worker.order import SessionOrder
from parties.worker.pipe import LIFE_S, PipeClosed
from protos import control_pb2 as wire

WORKER_ANSWER_S = 60.0
SECOND_LOOK_S = 2 * LIFE_S  # at a silent worker

_log = logging.getLogger("parley.node")

M = TypeVar("M", bound=Message)


class Following(ABC):
    """Runs of one participant. Safe from several threads."""

    def __init__(self, own: PartyId, exchange: Exchange, zygote: Zygote, runs: Runs) -> None:
        self._own = own
        self._exchange = exchange
        self._zygote = zygote
        self._runs = runs

    @abstractmethod
    def _settled(
        self, run: Run, problem: dict[str, str] | None, ordered: bool
    ) -> dict[str, str] | None:
        """Settle what an ended run leaves; what remains of ``problem`` then.

        Called once a run, whose worker is to be killed first. ``ordered``: somebody called it off.
        """

    @abstractmethod
    def _done(self, phase: Phase) -> str:
        """What the good end of a run's ``phase`` is called in the log."""

    def _ordered(self, order: SessionOrder) -> Worker:
        """A worker that has its order."""
        worker = self._zygote.fork()
        try:
            worker.pipe.send(order)
        except ParleyError:
            worker.kill()
            raise
        return worker

    def _approved(
        self, plan: Plan, approvals: tuple[bytes, ...], coordinator: PartyId, now_unix_s: int
    ) -> tuple[list[Approval], RunId]:
        """The approvals of ``plan`` that its coordinator brings, each checked, and their run.

        Raises IntegrityError on another coordinator, and on any that is missing, foreign or
        expired.
        """
        if len(approvals) > PARTIES_MAX:
            raise IntegrityError("more approvals than a study has parties")
        if plan.roster.coordinator.id != coordinator:
            raise IntegrityError("another coordinator than the plan's starts it")
        given = [Approval.from_bytes(approval) for approval in approvals]
        return given, check_approvals(plan, given, now_unix_s)

    def _begun(self, run: Run) -> wire.Started:
        """Follow a run that was just taken up; what its worker says first."""
        self._follow(run)
        listening = self._answer(run, Listening)
        run.enter("started")
        _log.info("run %s of study %s started", run.id[:12], run.plan.study.id)
        return wire.Started(
            run=run.id, address=listening.address, hello=listening.hello, direct=listening.direct
        )

    def connect(self, request: wire.ConnectRequest, coordinator: PartyId) -> wire.Connected:
        """Hand the Hellos and addresses to the run's worker; from here on it runs by itself."""
        run = self.run(request.run, coordinator)
        if not run.claim_connect():
            raise IntegrityError("this run was connected before")
        direct = {each.party for each in request.addresses if each.direct}
        present = run.phase.present(run.plan.roster)
        message = Connect(
            addresses={PartyId(each.party): each.address for each in request.addresses},
            hellos=tuple(request.hellos),
            confirmation=request.confirmation,
            direct=all(member.id in direct for member in present.linked),
        )
        lane = "direct" if message.direct and self._exchange.direct else "gRPC"
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
            party = problem["party"] or self._own
            raise from_problem(problem["code"], problem["message"], party) from None

    def _follow(self, run: Run) -> None:
        threading.Thread(
            target=self._listen, args=(run,), name=f"run-{run.id[:8]}", daemon=True
        ).start()

    def _listen(self, run: Run) -> None:
        """Take what the worker says until it ends, or is silent for as long as no live one is."""
        own, exchange, pipe = self._own, self._exchange, run.worker.pipe
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
                    case Committed() | Dealt() | Stored():
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

    def _told(self, run: Run, problem: dict[str, str]) -> dict[str, str]:
        """What the coordinator learns of a worker's problem.

        It gave the addresses that the worker dialled, so what answered there, if anything did, is
        for this node's log alone: it could be anything in the owner's network.
        """
        meeting = (IdentityError.code, TransportError.code, PeerError.code)
        if run.is_computing or problem["code"] not in meeting:
            return problem
        _log.warning("run %s: %s", run.id[:12], problem["message"])
        own = self._own
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
        state = self._done(run.phase)
        if problem is not None:
            state = f"ended with {problem['code']}: {problem['message']}"
        _log.info("run %s %s", run.id[:12], state)

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
            error = StudyAborted("cancelled by the coordinator", party=self._own)
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
            error = StudyAborted("its node stopped", party=self._own)
            self._finish(run, as_problem(error), ordered=True)
