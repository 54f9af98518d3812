"""Where plans are judged: the same answer for the same plan, pins, versions, policy and ledger.

The desk recomputes every plan from the study and the roster. It reads no row: refusals that
depended on rows would be free, exact queries. It signs what policy or a person allowed, and hands
out what was committed.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterator

from mpc.canonical import Plain
from mpc.errors import (
    ChargeKept,
    IdentityError,
    NotCommitted,
    ParleyError,
    PlanRefusal,
    StudyFaults,
    StudyUnderWay,
    UnknownStudy,
)
from mpc.plan.model import Plan
from mpc.ports import Balance, ChargeState
from mpc.roster import Roster
from mpc.session.approval import NONCE_SIZE, Approval
from mpc.units import PartyId, PlanDigest, RunId
from parties.ledger.records import DomainUsage
from parties.node.parts import NodeParts
from parties.node.proposals import Planner, Proposed
from parties.node.requests import POLICY, RequestState
from parties.node.summary import request_summary
from parties.policy.evaluate import BUDGETS, Reason, Standing, evaluate
from protos import control_pb2 as wire

ROSTER = "PLY-R030"
VERSION = "PLY-R031"
SCHEMA = "PLY-R032"
PERSON = "PLY-R033"
UNPLANNABLE = "PLY-R034"

OUTDATED = "PLY-R035"
CHARGED = BUDGETS | {OUTDATED}
"""What speaks only against a plan that would be charged."""

PLANS_KEPT_MAX = 100  # of one coordinator, the latest approved

_log = logging.getLogger("parley.node")


class Desk:
    """One party's judgement on plans, and its approvals. Safe from several threads."""

    def __init__(self, parts: NodeParts) -> None:
        self._config = parts.config
        self._trust = parts.trust
        self._policy = parts.policy
        self._catalogue = parts.catalogue
        self._ledger = parts.ledger
        self._requests = parts.requests
        self._clock = parts.clock
        self._randomness = parts.randomness
        self._planner = Planner()
        self._agreed = _AgreedPlans()
        self._told: dict[str, str | None] = {}

    def published(self) -> dict[str, Plain]:
        """Each table's published schema and announced version. No counts."""
        return self._catalogue.published()

    @property
    def noises(self) -> tuple[str, ...]:
        """Who may make the noise of a study, as the policy says."""
        return tuple(noise.value for noise in self._policy.value.noises)

    def judgement(self, proposed: Proposed, *, dry_run: bool, fresh: bool) -> wire.Judgement:
        """Judge a proposal; sign it if policy or a person says yes and it is no dry run."""
        stranger = self._stranger(proposed.read_roster())
        if stranger is not None:  # before anything is planned for it
            return self._refused([_wire_reason(stranger)])
        try:
            plan = self._planner.plan(proposed)
        except (StudyFaults, PlanRefusal) as fault:
            return self._refused([wire.Reason(code=UNPLANNABLE, what=fault.message)])
        earlier = self._committed_run(plan.digest)
        released = earlier is not None and not fresh
        reasons = self.reasons(plan, charged=not released)
        budget = self._budget(plan)
        if reasons:
            return self._refused([_wire_reason(reason) for reason in reasons], budget)
        if released:
            return wire.Judgement(verdict=wire.Judgement.RELEASED, run=earlier, budget=budget)
        if dry_run:
            manual = self._policy.value.approval == "manual"
            verdict = wire.Judgement.ACCEPTABLE
            return wire.Judgement(verdict=verdict, manual=manual, budget=budget)
        return self._decision(plan, proposed.asker, budget)

    def _decision(self, plan: Plan, asker: PartyId, budget: wire.Budget) -> wire.Judgement:
        """Policy's yes, or that of a person: what it is, or that it is awaited.

        What a person refused, the policy does not allow alone.
        """
        approver, since = POLICY, self._clock.unix_s()
        manual = self._policy.value.approval == "manual"
        if manual:
            asked = self._requests.ask(
                plan.digest,
                plan.study.id,
                asker,
                self._summary(plan),
                self._policy.value.approval_expires_s,
            )
            if asked.state is RequestState.PENDING:
                verdict = wire.Judgement.PENDING
                return wire.Judgement(verdict=verdict, manual=True, budget=budget)
            approver, since = asked.decided_by, asked.decided_at
        refused = self._requests.refused(plan.digest)
        if refused is not None:
            what = f"refused by {refused.decided_by}: {refused.reason}"
            allowed = "a changed study; or this one, if they reconsider"
            return self._refused([wire.Reason(code=PERSON, what=what, allowed=allowed)], budget)
        return wire.Judgement(
            verdict=wire.Judgement.APPROVED,
            approval=self._approval(plan, approver, since).to_bytes(),
            manual=manual,
            budget=budget,
        )

    def reasons(self, plan: Plan, *, charged: bool) -> tuple[Reason, ...]:
        """Everything that speaks against ``plan``; () if this party may take part.

        ``charged`` is False if the plan was released before and costs nothing now.
        """
        table = self._config.tables.get(plan.study.table.name)
        standing = Standing(
            party=self._config.party,
            table=table,
            balance=self._balance(table.domain) if table else None,
            usage=self._usage(table.domain) if table else None,
        )
        against = (
            *self._own_reasons(plan),
            *self._ledger_reasons(),
            *evaluate(plan, self._policy, standing),
        )
        return tuple(each for each in against if charged or each.code not in CHARGED)

    def _own_reasons(self, plan: Plan) -> Iterator[Reason]:
        stranger = self._stranger(plan.roster)
        if stranger is not None:
            yield stranger
        name = plan.study.table.name
        if name not in self._config.tables:
            return  # the policy's own reason names the table
        entry = plan.study.parties.get(self._config.party)
        announced = self._catalogue.announced(name)
        self._log_offline(name)
        if entry is not None and entry.version != announced:
            allowed = "none is registered" if announced is None else f"version {announced}"
            what = f"version {entry.version} of table {name} is not the announced one"
            yield Reason(VERSION, what, allowed)
        for misfit in self._catalogue.misfits(plan.study.table):
            yield Reason(SCHEMA, misfit, "what parley coordinator tables shows of this party")

    def _ledger_reasons(self) -> Iterator[Reason]:
        if self._ledger.evidence():
            what = "this party's ledger is an older copy than what its peers have seen"
            yield Reason(OUTDATED, what, "once its owner put the latest back, or accepted the loss")

    def _log_offline(self, table: str) -> None:
        """Tell the owner in the node's log, once, why studies find no version of ``table``."""
        why = self._catalogue.why_offline(table)
        if why is not None and self._told.get(table) != why:
            _log.warning("%s", why)
        self._told[table] = why

    def log_offline(self) -> None:
        """Tell the owner in the node's log of every table that studies cannot use, and why."""
        for table in self._config.tables:
            self._log_offline(table)

    def _stranger(self, roster: Roster) -> Reason | None:
        """Why not everybody of ``roster`` is known here, or None if all are."""
        try:
            self._trust.check_roster(roster)
        except IdentityError as refusal:
            allowed = "whom its operator pinned (parley pki trust) before the node started"
            return Reason(ROSTER, refusal.message, allowed)
        return None

    def _summary(self, plan: Plan) -> str:
        """The plan in words, and what it takes from this party's budget."""
        table = self._config.tables[plan.study.table.name]  # else there was a reason to refuse
        return request_summary(plan, table.domain, self._policy.value.domains.get(table.domain))

    def _approval(self, plan: Plan, approver: str, since: int) -> Approval:
        """Signed and promised; good for the policy's time since the yes was said, at ``since``."""
        nonce = self._randomness.random_bytes(NONCE_SIZE)
        expires = min(self._clock.unix_s(), since) + self._policy.value.approval_expires_s
        approval = Approval.sign(
            plan_digest=plan.digest,
            party=self._config.party,
            nonce=nonce,
            expires_unix_s=expires,
            approved_by=approver,
            signer=self._trust.identity.sign,
        )
        coordinator = plan.roster.coordinator.id
        self._requests.promise(approval.nonce, plan.digest, coordinator, approver, expires)
        self._agreed.keep(plan)
        return approval

    def plan_to_start(self, proposed: Proposed) -> Plan:
        """The plan of a start: computed anew if it has a study, else one that was approved.

        Whether this party approved it is for its approval to show. Raises what either raises.
        """
        if proposed.study:
            return self._planner.plan(proposed)
        return self.agreed_plan(proposed.digest)

    def agreed_plan(self, digest: str) -> Plan:
        """A plan this party approved since its node started."""
        plan = self._agreed.get(PlanDigest(digest))
        if plan is None:
            raise UnknownStudy(
                "this node has approved no such plan since it started", hint="propose it again"
            )
        return plan

    def collected(
        self, run: RunId, coordinator: PartyId, *, under_way: bool = False
    ) -> wire.Collected:
        """The committed share of a run that this coordinator started; the same bytes for ever.

        Raises NotCommitted if there is none and nothing was charged, ChargeKept if there is none
        and it was charged all the same, and StudyUnderWay if it may still come.
        """
        share, begun = self._ledger.outbox(run), self._requests.begun(run)
        if begun is None or begun.coordinator != coordinator:
            raise NotCommitted("nothing was committed here for this run")
        if share is None:
            raise self._why_nothing(run, under_way)
        return wire.Collected(share=share, budget=self.budget(begun.domain))

    def _why_nothing(self, run: RunId, under_way: bool) -> ParleyError:
        state = self._ledger.state(run)
        if under_way or state is ChargeState.RESERVED:
            return StudyUnderWay("this run is under way; nothing is committed yet")
        if state is ChargeState.FORFEITED:
            return ChargeKept("nothing was committed here for this run, and its charge is kept")
        return NotCommitted("nothing was committed here for this run")

    def _committed_run(self, digest: PlanDigest) -> RunId | None:
        for run in self._requests.runs_of(digest):
            if self._ledger.state(run) is ChargeState.COMMITTED:
                return run
        return None

    def _balance(self, domain: str) -> Balance | None:
        return self._ledger.balance(domain) if domain in self._policy.value.domains else None

    def _usage(self, domain: str) -> DomainUsage | None:
        return self._ledger.usage(domain) if domain in self._policy.value.domains else None

    def _budget(self, plan: Plan) -> wire.Budget:
        table = self._config.tables.get(plan.study.table.name)
        return self.budget(table.domain) if table else wire.Budget()

    def budget(self, domain: str) -> wire.Budget:
        """What this party publishes of a domain's budget: nothing unless its policy says so."""
        granted = self._policy.value.domains.get(domain)
        if granted is None or not self._policy.value.budget_published:
            return wire.Budget()
        balance = self._ledger.balance(domain)
        return wire.Budget(
            published=True,
            rho_cap_pico=balance.rho_cap,
            rho_left_pico=balance.rho_left,
            delta=f"{granted.delta:f}",
        )

    def _refused(
        self, reasons: list[wire.Reason], budget: wire.Budget | None = None
    ) -> wire.Judgement:
        """No, why, and whom the policy names to be asked about it."""
        owner = self._policy.value.owner
        return wire.Judgement(
            verdict=wire.Judgement.REFUSED,
            reasons=reasons,
            budget=budget,
            contact="" if owner is None else owner.contact,
        )


class _AgreedPlans:
    """Plans this party approved: each coordinator's latest, whatever the others propose."""

    def __init__(self) -> None:
        self._plans: defaultdict[PartyId, dict[PlanDigest, Plan]] = defaultdict(dict)
        self._lock = threading.Lock()  # coordinators are pinned, so few

    def keep(self, plan: Plan) -> None:
        with self._lock:
            plans = self._plans[plan.roster.coordinator.id]
            plans.pop(plan.digest, None)  # the latest stands last
            plans[plan.digest] = plan
            for digest in list(plans)[:-PLANS_KEPT_MAX]:
                del plans[digest]

    def get(self, digest: PlanDigest) -> Plan | None:
        with self._lock:
            found = (plans[digest] for plans in self._plans.values() if digest in plans)
            return next(found, None)


def _wire_reason(reason: Reason) -> wire.Reason:
    what = f"{reason.what} ({reason.file}:{reason.line})" if reason.file else reason.what
    return wire.Reason(code=reason.code, what=what, allowed=reason.allowed)
