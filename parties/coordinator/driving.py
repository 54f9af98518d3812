"""Driving a study: approvals → start → connect → watch → collect → combine. All or nothing.

All parties take part in a run, and so does a dealer, unless the run was prepared with it.
Approvals, shares and charges are the parties'. A refusal by any party ends the study with nothing
computed or spent. Once workers run, the first failure anywhere cancels the run everywhere; what a
party committed stays charged, and no result exists without every party's share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from mpc.errors import (
    IntegrityError,
    NotCommitted,
    ParleyError,
    PeerError,
    StudyUnderWay,
    TransportError,
)
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.model import Plan
from mpc.ports import Clock, Randomness
from mpc.questions.answer import Answer
from mpc.session.agreement import BUILD, Agreement, Phase
from mpc.session.approval import Approval
from mpc.session.hello import session_id
from mpc.session.share import ReleasedShare, check_shares, opening_id
from mpc.units import PartyId, RunId
from parties.coordinator import ending
from parties.coordinator.agreement import RunAgreement
from parties.coordinator.asking import budget_of
from parties.coordinator.client import LinkedClients, PartyClient
from parties.coordinator.gathering import Gathering, Progress
from parties.coordinator.state import CoordinatorState
from parties.identity.store import Identity
from parties.report.standing import PartyBudget
from protos import control_pb2 as wire

COLLECT_S = 30.0  # a party that committed and then went down may come back within this
COLLECT_AGAIN_S = 0.5
OPEN = (PeerError, TransportError, StudyUnderWay)  # whether a party committed is not known yet


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
    """One coordinator's hand on the runs of one plan that end in a result."""

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
        self._own = own
        self._linked = linked
        self._parties = linked.parties
        self._state = state
        self._clock = clock
        self._randomness = randomness
        self._progress = progress

    def gathered(self, plan: Plan, approvals: Sequence[Approval], phase: Phase) -> Gathering:
        """Those present in ``phase`` of the run that ``approvals`` make of ``plan``.

        Raises IntegrityError on an approval that is wrong or expired. Nobody is told anything yet.
        """
        agreement = Agreement.of(
            plan, approvals, self._clock.unix_s(), build=self._build, phase=phase
        )
        return Gathering(self._own, self._linked, agreement, self._randomness, self._progress)

    def run(
        self, plan: Plan, approvals: tuple[Approval, ...], phase: Phase = Phase.WHOLE
    ) -> Outcome:
        """Run ``plan``, which every party approved. Raises the first failure, naming who.

        ``phase``: WHOLE, or PREPARED by those who are connected here, without the dealer.
        """
        gathering = self.gathered(plan, approvals, phase)
        run = gathering.run
        self._state.begin(run, plan.digest, plan.study.id)
        try:
            hellos = gathering.start(plan, approvals)
            pairing = gathering.pair(hellos)
            record = RunAgreement(plan, approvals, hellos)
            self._state.agreed(run, record.to_bytes())
        except BaseException as error:
            gathering.cancel()
            ending.ended_before_workers_met(self._state, gathering, error)
            raise
        try:
            gathering.connect(hellos, pairing)
            gathering.watch()
        except ParleyError as error:
            return self._rescue(gathering, record, error)
        except BaseException:
            gathering.cancel()
            ending.interrupted(self._state, self._parties, run)
            raise
        return self._result(gathering, record, COLLECT_S, None)

    def _rescue(self, gathering: Gathering, record: RunAgreement, error: ParleyError) -> Outcome:
        """Somebody was lost. If all parties had committed by then, the result exists all the same.

        Raises ``error`` if somebody had not; that is final. If a party that may have committed
        stays out of reach, the run stays open, and ``parley status`` settles it later.
        """
        gathering.cancel()
        return self._result(gathering, record, COLLECT_S if gathering.done else 0.0, error)

    def _result(
        self, gathering: Gathering, record: RunAgreement, wait_s: float, before: ParleyError | None
    ) -> Outcome:
        """What every party committed; without it, why not and what that cost is written and raised.

        ``before``: why the run ended, if it did before all had committed.
        """
        run = gathering.run
        try:
            return self.collect(run, record, wait_s)
        except NotCommitted as denied:
            error = before or denied
            ending.failed(self._state, self._parties, gathering, error)
        except OPEN as silent:
            error = before or silent
            raise ending.left_open(self._state, gathering.done, run, error) from None
        except ParleyError as odd:
            error = odd
            ending.without_share(self._state, self._parties, run, error)
        raise error

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


def _share(party: PartyId, data: bytes, size: int) -> ReleasedShare:
    """What ``party`` sent for its share. Raises IntegrityError naming it if it cannot be one."""
    share = ReleasedShare.from_sender(data, party)
    if share.party != party or len(share.words) != size:
        raise IntegrityError("its share is another party's, or of another plan", party=party)
    return share
