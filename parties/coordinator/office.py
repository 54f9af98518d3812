"""The coordinator's office: a study planned, prepared, run to a receipt, an open one settled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mpc.accounting.event import Noise
from mpc.errors import NotCommitted, ParleyError, UsageError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.roster import Member, Roster
from mpc.session.agreement import BUILD, Phase
from mpc.session.approval import Approval
from mpc.study.model import Study
from mpc.units import PartyId
from parties.config import CoordinatorConfig, load_coordinator_config
from parties.coordinator.agreement import RunAgreement
from parties.coordinator.asking import UNREACHED, call_all, verdict, verdicts_of, wait_for_all
from parties.coordinator.charging import charges_of, together
from parties.coordinator.client import LinkedClients, PartyClient, RunClient
from parties.coordinator.driving import Drive, Outcome
from parties.coordinator.ending import INTERRUPTED
from parties.coordinator.gathering import Progress, approvals_of
from parties.coordinator.prepared_runs import PreparedRecord
from parties.coordinator.preparing import Preparation, dealer_of, prepare
from parties.coordinator.reaching import NOTHING_SPENT, reach_all, silence
from parties.coordinator.state import Charged, CoordinatorState, RunRecord, RunState, Waiting
from parties.identity.store import Identity, load_identity
from parties.identity.trust import Trust, load_trust
from parties.report.receipt import build_receipt, load_receipt, receipt_bytes
from parties.report.standing import PartyBudget, PartyVerdict
from parties.report.verify import Verification, verify_receipt
from parties.system import SystemClock, SystemRandomness
from protos import control_pb2 as wire

UNMET_S = 300  # parties start a run within far less
CHARGES_S = 10.0
Client = TypeVar("Client", bound=RunClient)


@dataclass(frozen=True)
class Finished:
    """A released result: the receipt's bytes, what they verify to, and what parties have left.

    ``budgets``: of those that publish theirs; None if nobody was asked.
    """

    receipt: bytes
    verified: Verification
    budgets: tuple[PartyBudget, ...] | None
    repeated: bool  # released before, and charged only then


class Office:
    """A coordinator's identity, trust and memory."""

    def __init__(self, config: CoordinatorConfig, build: str = BUILD) -> None:
        self.config = config
        self._build = build
        self.clock = SystemClock()
        self.identity: Identity = load_identity(config.identity)
        if self.identity.member.id != config.id:
            raise UsageError(f"{config.file} is for {config.id}; the identity there is another's")
        self.trust: Trust = load_trust(config.identity, self.identity, config.pins)
        self.state = CoordinatorState(config.state / "coordinator.db", self.clock)

    @classmethod
    def open(cls, path: Path) -> Office:
        """The office of the file at ``path``."""
        return cls(load_coordinator_config(path))

    def plan(self, study: Study) -> Plan:
        """``study`` worked out for the parties, and the dealer if it names one, pinned here."""
        missing = [party for party in study.parties if party not in self.config.parties]
        if missing:
            raise UsageError(f"{self.config.file} has no address of {', '.join(missing)}")
        dealers = () if study.dealer is None else (study.dealer,)
        if not set(dealers) <= set(self.config.dealers):
            raise UsageError(
                f"{self.config.file} has no address of the dealer {study.dealer}",
                hint=f"write it under dealers: {study.dealer}: {{address: host:port}}",
            )
        linked = (self.trust.member(PartyId(each)) for each in (*study.parties, *dealers))
        return plan_study(study, Roster((*linked, self.identity.member)))

    def with_noises(self, study: Study) -> Study:
        """``study`` with the noises that every owner accepts, if it names a dealer and no noises.

        The plan takes the least of them. Asks every party; unchanged if they accept own noise
        alone, or if one cannot be asked, which then has no answer to the plan either.
        """
        if study.dealer is None or study.privacy.noises is not None:
            return study
        with self.clients(self.plan(study)) as clients:
            try:
                said = call_all(clients, lambda client: frozenset(client.describe().noises))
            except UNREACHED:
                return study
        accepted = tuple(n for n in Noise if all(n.value in noises for noises in said.values()))
        if set(accepted) <= {Noise.OWN}:
            return study
        privacy = study.privacy.model_copy(update={"noises": accepted})
        return study.model_copy(update={"privacy": privacy})

    @contextmanager
    def clients(self, plan: Plan) -> Iterator[dict[PartyId, PartyClient]]:
        """A connection to every party of ``plan``, in roster order."""
        with contextlib.ExitStack() as stack:
            yield {
                member.id: stack.enter_context(self.client(member))
                for member in plan.roster.parties
            }

    @contextmanager
    def linked_clients(self, plan: Plan) -> Iterator[LinkedClients]:
        """The same, and a connection to the dealer if ``plan`` has one."""
        dealer = plan.roster.dealer
        with contextlib.ExitStack() as stack:
            parties = stack.enter_context(self.clients(plan))
            deals = None if dealer is None else stack.enter_context(self.dealer_client(dealer))
            yield LinkedClients(parties, deals)

    def client(self, party: Member) -> PartyClient:
        """A connection to one party at its configured address."""
        return self._dialled(PartyClient, party)

    def dealer_client(self, dealer: Member) -> RunClient:
        """A connection to one dealer at its configured address."""
        return self._dialled(RunClient, dealer)

    def _dialled(self, kind: type[Client], member: Member) -> Client:
        config = self.config
        return kind(
            self.identity,
            member,
            config.members[member.id].address,
            keepalive_s=config.keepalive_s,
            timeout_s=config.timeout_s,
        )

    def verdicts(self, plan: Plan) -> tuple[PartyVerdict, ...]:
        """What every party would say, or that it gave no answer; nothing is signed or spent."""
        with self.clients(plan) as clients:
            return verdicts_of(plan, clients)

    def dealer_silence(self, plan: Plan) -> ParleyError | None:
        """Why the dealer of ``plan`` gives no answer; None if it does, or if there is no dealer."""
        with self.linked_clients(plan) as linked:
            return None if linked.dealer is None else silence(linked.dealer)

    def run(
        self,
        plan: Plan,
        approval_s: float,
        progress: Progress,
        waiting: Waiting,
    ) -> Finished:
        """Run ``plan``, or return its stored receipt if every party released it before.

        Raises what refuses or fails, naming who; see :mod:`parties.coordinator.driving`. Proposes
        to nobody unless all can be reached. What is prepared for the plan is for
        :meth:`run_prepared`: proposing replaces its approvals.
        """
        with self.linked_clients(plan) as linked:
            agreed = self._agreed(plan, linked, approval_s, waiting)
            if isinstance(agreed, Finished):
                self.state.answered(plan.digest)
                return agreed
            return self._finish(self._drive(linked, progress).run(plan, agreed))

    def run_prepared(self, plan: Plan, prepared: PreparedRecord, progress: Progress) -> Finished:
        """Run ``plan`` as it was ``prepared``: by its approvals, with no connection to the dealer.

        Proposes to nobody. ``prepared`` is used up unless a party cannot be reached before the run
        begins. Raises as :meth:`run` does, and if a party has not kept its material, naming it.
        """
        with self.clients(plan) as clients:
            linked = LinkedClients(clients)
            reach_all(linked)
            approvals = prepared.read_approvals()
            drive = self._drive(linked, progress)
            return self._finish(drive.run(plan, approvals, Phase.PREPARED))

    def prepare(
        self,
        plan: Plan,
        approval_s: float,
        progress: Progress,
        waiting: Waiting,
    ) -> Preparation:
        """Have the dealer of ``plan`` deal for a run of it, which then needs no dealer.

        Asks for approvals as :meth:`run` does. If a prepared run holds, nothing is done. Raises
        UsageError if there is nothing to prepare: no dealer, or a result that is there already;
        else what refuses or fails, naming who.
        """
        dealer_of(plan)
        held = self.state.prepared.holding(plan.digest)
        if held is not None:
            return Preparation.of(plan, held, already=True)
        with self.linked_clients(plan) as linked:
            agreed = self._agreed(plan, linked, approval_s, waiting)
            if isinstance(agreed, Finished):
                self.state.answered(plan.digest)
                raise UsageError(
                    "nothing to prepare: this study was released before",
                    hint="parley run gives its results again, and costs nothing",
                )
            record = prepare(self._drive(linked, progress), self.state, plan, agreed)
            return Preparation.of(plan, record, already=False)

    def _agreed(
        self,
        plan: Plan,
        linked: LinkedClients,
        approval_s: float,
        waiting: Waiting,
    ) -> tuple[Approval, ...] | Finished:
        """Every party's approval of ``plan``; or its result, if all released it and it is here.

        The dealer has to answer before anything is proposed, unless a result of ``plan`` is here.
        """
        is_here = any(run.receipt is not None for run in self.state.runs(plan.digest))
        reach_all(LinkedClients(linked.parties) if is_here else linked)
        with self.state.remembering(plan.digest, plan.study.id, waiting) as said:
            judgements = wait_for_all(plan, linked.parties, approval_s, said)
            stored = self._stored(plan, judgements)
            if stored is not None:
                return stored
            if is_here:
                reach_all(linked, NOTHING_SPENT)
            if any(each.verdict == wire.Judgement.RELEASED for each in judgements.values()):
                judgements = wait_for_all(plan, linked.parties, approval_s, said, fresh=True)
        return approvals_of(plan, judgements)

    def _drive(self, linked: LinkedClients, progress: Progress) -> Drive:
        randomness = SystemRandomness()
        return Drive(
            self.identity, linked, self.state, self.clock, randomness, progress, self._build
        )

    def _stored(self, plan: Plan, judgements: dict[PartyId, wire.Judgement]) -> Finished | None:
        """The receipt of the run that every party says it released, if it is here."""
        runs = {judgement.run for judgement in judgements.values()}
        if len(runs) != 1 or runs == {""}:
            return None
        for record in self.state.runs(plan.digest):
            if record.run in runs and record.receipt is not None:
                budgets = [verdict(*each).budget for each in judgements.items()]
                known = tuple(budget for budget in budgets if budget is not None)
                return Finished(record.receipt, self.verify(record.receipt), known, repeated=True)
        return None

    def _finish(self, outcome: Outcome) -> Finished:
        record = self.state.run(outcome.run)
        receipt = receipt_bytes(
            build_receipt(
                outcome.agreement.plan,
                approvals=outcome.agreement.approvals,
                hellos=outcome.agreement.hellos,
                shares=outcome.shares,
                authority=self.identity.authority,
                started_at=record.started_at,
                released_at=self.clock.unix_s(),
                signer=self.identity.sign,
            )
        )
        verified = self.verify(receipt)
        self.state.released(outcome.run, receipt)
        return Finished(receipt, verified, outcome.budgets, repeated=False)

    def verify(self, receipt: bytes) -> Verification:
        """``receipt`` against the pins here and this coordinator's own certificates."""
        pins = {**self.config.pins, self.identity.member.id: self.identity.member.fingerprint}
        return verify_receipt(
            load_receipt(receipt), pins, pinned_in="the coordinator's own file", build=self._build
        )

    def settle(self, record: RunRecord) -> RunRecord:
        """Find out what became of a run that was under way when this coordinator stopped.

        Collects what every party committed, if all did; otherwise the run failed, or its parties
        cannot be reached and it stays open. Of one without a result, asks who charged it.
        """
        if record.state is RunState.STARTED and not record.agreement:
            if self.clock.unix_s() - record.started_at > UNMET_S:
                self.state.failed(record.run, "given up before the parties' workers met")
                self.state.charged(record.run, Charged.NO)
            return self.state.run(record.run)
        agreement = RunAgreement.from_bytes(record.agreement)
        with self.clients(agreement.plan) as clients:
            drive = self._drive(LinkedClients(clients), _silent)
            try:
                if record.state is RunState.STARTED:
                    self._finish(drive.collect(record.run, agreement, wait_s=0.0))
                    return self.state.run(record.run)
            except NotCommitted as error:
                if record.problem == INTERRUPTED:
                    self.state.cancelled(record.run, INTERRUPTED)
                else:
                    self.state.failed(record.run, record.problem or error.message)
            charges = charges_of(clients, record.run, wait_s=CHARGES_S)
            self.state.charged(record.run, together(charges))
        return self.state.run(record.run)


def _silent(_party: PartyId, _stage: str) -> None:
    """No progress to show."""
