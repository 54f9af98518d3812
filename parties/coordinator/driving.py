"""Driving a study: approvals → start → connect → watch → collect → combine. All or nothing.

All parties and the dealer, if there is one, take part in a run; approvals, shares and charges are
the parties'. A refusal by any party ends the study with nothing computed or spent. Once workers
run, the first failure anywhere cancels the run everywhere; what a party committed stays charged,
and no result exists without every party's share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass

from mpc.canonical import canonical_bytes
from mpc.errors import (
    IntegrityError,
    NotCommitted,
    ParleyError,
    PeerError,
    StudyAborted,
    StudyUnderWay,
    TransportError,
)
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.model import Plan
from mpc.ports import Clock, Randomness
from mpc.questions.answer import Answer
from mpc.session.agreement import BUILD, Agreement
from mpc.session.approval import Approval
from mpc.session.establish import CoordinatorPairing, make_hello
from mpc.session.hello import session_id
from mpc.session.share import ReleasedShare, check_shares, opening_id
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, RunId
from parties.coordinator import ending
from parties.coordinator.agreement import RunAgreement
from parties.coordinator.asking import budget_of, each
from parties.coordinator.client import LinkedClients, PartyClient, RunClient
from parties.coordinator.state import CoordinatorState
from parties.identity.store import Identity
from parties.problems import from_problem
from parties.report.standing import PartyBudget
from protos import control_pb2 as wire

COLLECT_S = 30.0  # a party that committed and then went down may come back within this
COLLECT_AGAIN_S = 0.5
GRACE_S = 3.0
CANCEL_S = 2.0
OPEN = (PeerError, TransportError, StudyUnderWay)  # whether a party committed is not known yet

Progress = Callable[[PartyId, str], None]
"""Told each stage that each party and the dealer enter, as they do."""


@dataclass(frozen=True)
class Outcome:
    """A finished run: what was agreed, every party's share, and what they add up to."""

    run: RunId
    agreement: RunAgreement
    shares: tuple[ReleasedShare, ...]
    totals: tuple[int, ...]
    answers: tuple[Answer, ...]
    budgets: tuple[PartyBudget, ...]


class Drive:
    """One coordinator's hand on all who take part in the runs of one plan."""

    def __init__(
        self,
        own: Identity,
        linked: LinkedClients,
        state: CoordinatorState,
        clock: Clock,
        randomness: Randomness,
        progress: Progress,
        build: str = BUILD,
    ) -> None:
        """``build``: the mechanism of the parties met; another than the product's is for tests."""
        self._build = build
        self._committed: set[PartyId] = set()
        self._lost: set[PartyId] = set()
        self._own = own
        self._linked = linked.all
        self._parties = linked.parties
        self._state = state
        self._clock = clock
        self._randomness = randomness
        self._progress = progress

    def run(self, plan: Plan, judgements: Mapping[PartyId, wire.Judgement]) -> Outcome:
        """Run ``plan``, which every party approved. Raises the first failure, naming who."""
        approvals = [
            _approval(member.id, judgements[member.id].approval) for member in plan.roster.parties
        ]
        agreement = Agreement.of(plan, approvals, self._clock.unix_s(), build=self._build)
        own = make_hello(agreement, self._own.member.id, self._own.sign, self._randomness)
        run = agreement.run
        self._state.begin(run, plan.digest, plan.study.id)
        try:
            started = self._start(plan, run, approvals)
            hellos = (*(started[member.id].hello for member in plan.roster.linked), own.data)
            pairing = own.agree_as_coordinator(hellos)
            record = RunAgreement(plan, tuple(approvals), hellos)
            self._state.agreed(run, record.to_bytes())
        except BaseException as error:
            self._cancel(run)
            ending.ended_before_workers_met(self._state, run, error)
            raise
        try:
            self._connect(run, started, hellos, pairing)
            self._watch(run)
        except ParleyError as error:
            return self._rescue(run, record, error)
        except BaseException:
            self._cancel(run)
            ending.interrupted(self._state, self._parties, run)
            raise
        return self._result(run, record, COLLECT_S, None)

    def _start(
        self, plan: Plan, run: RunId, approvals: list[Approval]
    ) -> dict[PartyId, wire.Started]:
        given = [approval.to_bytes() for approval in approvals]
        known = wire.StartRequest(plan_digest=plan.digest, approvals=given)
        whole = wire.StartRequest(
            plan_digest=plan.digest,
            approvals=given,
            study=canonical_bytes(study_to_plain(plan.study)),
            roster=canonical_bytes(plan.roster.to_plain()),
        )

        def start(client: RunClient) -> wire.Started:
            return client.start(known if client.peer.id in self._parties else whole)

        started = each(self._linked, start)
        for party, reply in started.items():
            if reply.run != run:
                raise IntegrityError("it started another run than was agreed", party=party)
        return started

    def _connect(
        self,
        run: RunId,
        started: Mapping[PartyId, wire.Started],
        hellos: tuple[bytes, ...],
        pairing: CoordinatorPairing,
    ) -> None:
        addresses = [
            wire.Address(party=party, address=reply.address, direct=reply.direct)
            for party, reply in started.items()
        ]

        def connect(client: RunClient) -> wire.Connected:
            return client.connect(
                wire.ConnectRequest(
                    run=run,
                    addresses=addresses,
                    hellos=hellos,
                    confirmation=pairing.confirmations[client.peer.id],
                )
            )

        for party, connected in each(self._linked, connect).items():
            pairing.check(party, connected.confirmation)

    def _cancel(self, run: RunId) -> None:
        """End the run wherever it did not commit, as far as parties answer soon."""
        reachable = [c for member, c in self._linked.items() if member not in self._lost]
        if reachable:
            pool = ThreadPoolExecutor(len(reachable))
            reason = "the study ended elsewhere"
            wait([pool.submit(client.cancel, run, reason) for client in reachable], CANCEL_S)
            pool.shutdown(wait=False)

    def _rescue(self, run: RunId, record: RunAgreement, error: ParleyError) -> Outcome:
        """Somebody was lost. If all parties had committed by then, the result exists all the same.

        Raises ``error`` if somebody had not; that is final. If a party that may have committed
        stays out of reach, the run stays open, and ``parley status`` settles it later.
        """
        self._cancel(run)
        return self._result(run, record, COLLECT_S if self._committed else 0.0, error)

    def _result(
        self, run: RunId, record: RunAgreement, wait_s: float, before: ParleyError | None
    ) -> Outcome:
        """What every party committed; without it, why not and what that cost is written and raised.

        ``before``: why the run ended, if it did before all had committed.
        """
        try:
            return self.collect(run, record, wait_s)
        except NotCommitted as denied:
            error = before or denied
            ending.failed(self._state, self._parties, self._lost, run, error)
        except OPEN as silent:
            error = before or silent
            raise ending.left_open(self._state, self._committed, run, error) from None
        except ParleyError as odd:
            error = odd
            ending.without_share(self._state, self._parties, run, error)
        raise error

    def _watch(self, run: RunId) -> None:
        """Follow everyone until all committed and all is dealt.

        Raises what tells most once one has failed. The others of a failed one end by themselves
        within seconds, or commit if all were READY: they get GRACE_S for it.
        """
        pool = ThreadPoolExecutor(len(self._linked))
        watching = {
            member: pool.submit(self._follow, client, run)
            for member, client in self._linked.items()
        }
        pool.shutdown(wait=False)  # a thread that waits for a lost party ends with its connection
        done, _ = wait(watching.values(), return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            wait(watching.values(), GRACE_S)
        failures = {
            member: failure
            for member, future in watching.items()
            if future.done() and (failure := future.exception())
        }
        if failures:
            raise min(failures.items(), key=_tells_of_another)[1]

    def _follow(self, client: RunClient, run: RunId) -> None:
        member = client.peer.id
        problem = self._last_stage(client, run).problem
        if problem.code:
            raise from_problem(problem.code, problem.message, problem.party or member)
        if member not in self._parties:
            self._progress(member, "dealt")
            return
        self._committed.add(member)
        self._progress(member, "committed")

    def _last_stage(self, client: RunClient, run: RunId) -> wire.Stage:
        member = client.peer.id
        try:
            for stage in client.watch(run):
                if stage.final:
                    return stage
                self._progress(member, stage.name)
        except (PeerError, TransportError) as error:
            self._lost.add(member)
            error.what = f"was lost while the study ran: {error.what}"
            raise
        raise StudyAborted("its node stopped reporting", party=member)

    def collect(self, run: RunId, record: RunAgreement, wait_s: float) -> Outcome:
        """Every party's committed share of ``run``, checked, added up and decoded.

        Parties that went down after their commit are asked again for ``wait_s`` seconds; each
        sends the same bytes whenever it is asked. Raises NotCommitted naming one that committed
        nothing, which is final, or else why a party did not answer.
        """
        replies = self._replies(run, time.monotonic() + wait_s)
        plan = record.plan
        shares = tuple(
            _share(member.id, replies[member.id].share, plan.size) for member in plan.roster.parties
        )
        session = session_id(record.hellos)
        check_shares(plan.roster, plan.digest, run, session, opening_id(session), shares)
        totals = combine_shares(plan, [share.words for share in shares])
        budgets = (budget_of(party, reply.budget) for party, reply in replies.items())
        return Outcome(
            run=run,
            agreement=record,
            shares=shares,
            totals=tuple(totals),
            answers=decode_totals(plan, totals),
            budgets=tuple(budget for budget in budgets if budget is not None),
        )

    def _replies(self, run: RunId, end: float) -> dict[PartyId, wire.Collected]:
        settled = threading.Event()
        pool = ThreadPoolExecutor(len(self._parties))
        asked = {
            party: pool.submit(self._collect, client, run, end, settled)
            for party, client in self._parties.items()
        }
        pool.shutdown(wait=False)
        try:
            for future in as_completed(asked.values()):
                if isinstance(future.exception(), NotCommitted):
                    future.result()  # no need to wait for those that cannot be reached
        finally:
            settled.set()
        return {party: future.result() for party, future in asked.items()}

    def _collect(
        self, client: PartyClient, run: RunId, end: float, settled: threading.Event
    ) -> wire.Collected:
        while True:
            try:
                return client.collect(run)
            except NotCommitted:
                raise
            except ParleyError:
                if time.monotonic() + COLLECT_AGAIN_S > end or settled.wait(COLLECT_AGAIN_S):
                    raise


def _approval(party: PartyId, data: bytes) -> Approval:
    """What ``party`` sent for its approval. Raises IntegrityError naming it if it cannot be one."""
    try:
        approval = Approval.from_bytes(data)
    except IntegrityError as fault:
        raise IntegrityError(fault.what, party=party) from None
    if approval.party != party:
        raise IntegrityError("its approval is another party's", party=party)
    return approval


def _share(party: PartyId, data: bytes, size: int) -> ReleasedShare:
    """What ``party`` sent for its share. Raises IntegrityError naming it if it cannot be one."""
    try:
        share = ReleasedShare.from_bytes(data)
    except IntegrityError as fault:
        raise IntegrityError(fault.what, party=party) from None
    if share.party != party or len(share.words) != size:
        raise IntegrityError("its share is another party's, or of another plan", party=party)
    return share


def _tells_of_another(failure: tuple[PartyId, BaseException]) -> bool:
    """Whether somebody failed because of another: then that one's own word, if any, says more."""
    member, error = failure
    return isinstance(error, PeerError) and error.party != member
