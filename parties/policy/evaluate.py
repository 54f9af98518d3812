"""A plan judged by its owner's policy: no reason means allowed, else every reason at once.

The judgement depends on the plan, the policy, the node's file and the ledger, and never on a row:
a refusal that depended on rows would be a free, exact answer. Each reason names the line of the
policy (or of the node's file) it comes from, and says what would be allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mpc.errors import BudgetRefusal
from mpc.plan.model import MECHANISM, Plan
from mpc.plan.noises import sampling_affordable
from mpc.ports import Balance
from mpc.roster import dealer_colleagues
from mpc.study.spelling import listed
from mpc.units import PartyId, RhoPico, rho_text
from parties.config import TableConfig
from parties.ledger.records import DomainUsage
from parties.policy.charge import charge, charge_factor
from parties.policy.model import Domain, PolicyFile

COORDINATOR = "PLY-R010"
PARTNER = "PLY-R011"
PURPOSE = "PLY-R012"
KIND = "PLY-R013"
RECIPIENT = "PLY-R014"
TABLE = "PLY-R015"
COLUMN = "PLY-R016"
COLUMN_USE = "PLY-R017"
PARTIES = "PLY-R018"
COALITION = "PLY-R019"
NOISE = "PLY-R020"
ADJACENCY = "PLY-R021"
STUDY_BUDGET = "PLY-R022"
DOMAIN = "PLY-R023"
CAPACITY = "PLY-R024"
DEALER = "PLY-R025"
DEALER_ORGANIZATION = "PLY-R026"
UNIT = "PLY-R027"
MIN_CELL = "PLY-R028"
LIFETIME_BUDGET = "PLY-B010"
MONTHLY_BUDGET = "PLY-B011"
PARTNER_BUDGET = "PLY-B012"
BUDGETS = frozenset({LIFETIME_BUDGET, MONTHLY_BUDGET, PARTNER_BUDGET})
"""What speaks only against a study that would be charged."""


@dataclass(frozen=True)
class Reason:
    """Why a plan is refused, which line says so, and what would be allowed. No data in it.

    ``file`` is empty if no line of a file says so.
    """

    code: str
    what: str
    allowed: str
    file: str = ""
    line: int = 0

    def render(self) -> str:
        """``policy.yaml:18 PLY-R016 what; allowed: …``."""
        tail = f"; allowed: {self.allowed}" if self.allowed else ""
        place = f"{self.file}:{self.line} " if self.file else ""
        return f"{place}{self.code} {self.what}{tail}"


@dataclass(frozen=True)
class Standing:
    """What a judgement needs beside plan and policy: who judges, what it offers, what is left.

    ``table`` is this node's entry for the study's table, ``balance`` and ``usage`` the ledger's of
    its domain; None if there is none.
    """

    party: PartyId
    table: TableConfig | None
    balance: Balance | None
    usage: DomainUsage | None = None


def evaluate(plan: Plan, policy: PolicyFile, standing: Standing) -> tuple[Reason, ...]:
    """Every reason why ``policy`` refuses ``plan``; () if it is allowed. Changes nothing."""
    return (
        *_who(plan, policy),
        *_who_deals(plan, policy),
        *_what_for(plan, policy),
        *_columns(plan, policy),
        *_protection(plan, policy),
        *_capacity(plan, policy, standing),
        *_budgets(plan, policy, standing),
    )


def _reason(policy: PolicyFile, code: str, what: str, allowed: str, *place: str | int) -> Reason:
    return Reason(code, what, allowed, policy.path.name, policy.line(*place))


def _words(words: Iterable[str]) -> str:
    return listed(words) or "none"


def _who(plan: Plan, policy: PolicyFile) -> Iterator[Reason]:
    said, study = policy.value, plan.study
    coordinator = plan.roster.coordinator.id
    if coordinator not in said.coordinators:
        what = f"coordinator {coordinator} may not propose studies"
        yield _reason(policy, COORDINATOR, what, _words(said.coordinators), "coordinators")
    if study.lead.organization not in said.partners:
        what = f"{study.lead.organization} is no partner"
        yield _reason(policy, PARTNER, what, _words(said.partners), "partners")
    for recipient in study.recipients:
        if recipient not in said.recipients:
            what = f"{recipient} may not receive results"
            yield _reason(policy, RECIPIENT, what, _words(said.recipients), "recipients")


def _who_deals(plan: Plan, policy: PolicyFile) -> Iterator[Reason]:
    said, dealer = policy.value, plan.roster.dealer
    if dealer is None:
        return
    if dealer.id not in said.dealers:
        what = f"dealer {dealer.id} is not accepted"
        yield _reason(policy, DEALER, what, _words(said.dealers), "dealers")
    colleagues = dealer_colleagues(plan.roster)
    if colleagues and not said.dealer_organization_shared:
        what = (
            f"dealer {dealer.id} is of {dealer.organization}, as"
            f" {_words(member.id for member in colleagues)}: with any one party it reads all that"
            " is compared"
        )
        allowed = "a dealer of an organization that takes no other part"
        yield _reason(policy, DEALER_ORGANIZATION, what, allowed, "dealer_organization_shared")


def _what_for(plan: Plan, policy: PolicyFile) -> Iterator[Reason]:
    purpose = plan.study.purpose
    granted = policy.value.purposes.get(purpose)
    if granted is None:
        what = f"purpose {purpose} is not granted"
        yield _reason(policy, PURPOSE, what, _words(policy.value.purposes), "purposes")
        return
    for question in plan.questions:
        if question.kind not in granted.kinds:
            what = f"{question.name}: {question.kind} may not be asked for {purpose}"
            place = ("purposes", purpose, "kinds")
            yield _reason(policy, KIND, what, _words(granted.kinds), *place)


def _columns(plan: Plan, policy: PolicyFile) -> Iterator[Reason]:
    name = plan.study.table.name
    granted = policy.value.tables.get(name)
    if granted is None:
        what = f"table {name} may not be used"
        yield _reason(policy, TABLE, what, _words(policy.value.tables), "tables")
        return
    for column, uses in plan.columns_used.items():
        place = ("tables", name, "columns", column)
        if column not in granted.columns:
            what = f"column {column} of {name} may not be used"
            yield _reason(policy, COLUMN, what, _words(granted.columns), *place)
            continue
        for use in sorted(uses - set(granted.columns[column])):
            what = f"column {column} of {name} may not be used to {use.value}"
            allowed = _words(each.value for each in granted.columns[column])
            yield _reason(policy, COLUMN_USE, what, allowed, *place)


def _protection(plan: Plan, policy: PolicyFile) -> Iterator[Reason]:
    said = policy.value
    if said.parties_min is None or plan.parties < said.parties_min:
        allowed = "none" if said.parties_min is None else f"at least {said.parties_min} parties"
        yield _reason(policy, PARTIES, f"a study of {plan.parties} parties", allowed, "parties_min")
    others = plan.parties - 1
    least = None if said.coalition_min is None else min(said.coalition_min, others)
    if least is None or plan.coalition < least:
        what = f"the promise holds against {plan.coalition} of {others} other parties"
        allowed = "none" if least is None else f"coalition: {least} or more"
        yield _reason(policy, COALITION, what, allowed, "coalition_min")
    if said.min_cell is not None and (plan.study.min_cell or 0) < said.min_cell:
        stated = plan.study.min_cell
        what = "the study shows cells of any size" if stated is None else f"min_cell {stated}"
        yield _reason(policy, MIN_CELL, what, f"min_cell: {said.min_cell} or more", "min_cell")
    allowed_noises = _words(each.value for each in said.noises)
    if plan.mechanism != MECHANISM:
        what = f"mechanism {plan.mechanism} is not known"
        yield _reason(policy, NOISE, what, allowed_noises, "noises")
    for noise in plan.noises:
        if noise not in said.noises:
            what = f"noise {noise.value} is not accepted"
            yield _reason(policy, NOISE, what, allowed_noises, "noises")
    adjacency = plan.study.privacy.adjacency
    if adjacency not in said.adjacencies:
        allowed = _words(each.value for each in said.adjacencies)
        what = f"adjacency {adjacency.value} is not accepted"
        yield _reason(policy, ADJACENCY, what, allowed, "adjacencies")


def _capacity(plan: Plan, policy: PolicyFile, standing: Standing) -> Iterator[Reason]:
    name = plan.study.table.name
    if standing.table is None:
        yield _reason(policy, TABLE, f"this node offers no table {name}", "", "tables")
        return
    entry = plan.study.parties.get(standing.party)
    if entry is None:
        what = f"{standing.party} is no party of the study"
        yield _reason(policy, PARTIES, what, "", "parties_min")
        return
    stated = entry.rows_max
    if standing.table.rows_max > stated:
        what = (
            f"{name} may hold up to {standing.table.rows_max} rows; the study is proved safe"
            f" for {stated} only"
        )
        allowed = f"parties.{standing.party}.rows_max: {standing.table.rows_max} or more"
        yield Reason(CAPACITY, what, allowed, standing.table.file, standing.table.line)


def _budgets(plan: Plan, policy: PolicyFile, standing: Standing) -> Iterator[Reason]:
    name = "" if standing.table is None else standing.table.domain
    domain = policy.value.domains.get(name)
    if domain is not None:
        try:
            charge_factor(plan.study, domain)
        except BudgetRefusal as refusal:
            yield _reason(policy, UNIT, refusal.what, refusal.hint, "domains", name)
            return
    cap = policy.value.study_budget
    if cap is None:
        what = "no study may spend any budget"
        yield _reason(policy, STUDY_BUDGET, what, "", "study_budget")
    elif _study_cost(plan, policy, standing) > cap.rho or not sampling_affordable(
        plan.delta_charged, cap.epsilon, cap.delta
    ):
        what = f"the study costs ε {plan.epsilon_total:f} at δ {plan.delta} for its own unit"
        allowed = f"ε {cap.epsilon:f} at δ {cap.delta} a study"
        yield _reason(policy, STUDY_BUDGET, what, allowed, "study_budget")
    if standing.table is None:
        return
    if domain is None or standing.balance is None:
        what = f"privacy domain {name} has no budget"
        yield _reason(policy, DOMAIN, what, _words(policy.value.domains), "domains")
        return
    yield from _lifetime(plan, policy, domain, standing.balance)
    yield from _bounded(plan, policy, name, standing.usage)


def _study_cost(plan: Plan, policy: PolicyFile, standing: Standing) -> RhoPico:
    """rho for the unit of the table's domain, which may be stronger than the study's."""
    domain = policy.value.domains.get(standing.table.domain) if standing.table else None
    return plan.rho_total if domain is None else charge(plan, domain)


def _lifetime(plan: Plan, policy: PolicyFile, domain: Domain, balance: Balance) -> Iterator[Reason]:
    """The cap is the lower of the policy's and the ledger's; what is spent or held counts."""
    cap = min(domain.rho, balance.rho_cap)
    left = max(0, cap - balance.rho_spent - balance.rho_reserved)
    cost = charge(plan, domain)
    what = f"the study exceeds what is left of domain {balance.domain} for ever"
    place = ("domains", balance.domain)
    # Where delta runs out, no rho would do.
    enough = left if plan.delta_charged <= balance.delta_left else -1
    yield from _exceeded(policy, LIFETIME_BUDGET, what, cost, enough, place)


def _bounded(
    plan: Plan, policy: PolicyFile, name: str, usage: DomainUsage | None
) -> Iterator[Reason]:
    """The caps of 30 days and of partners: what is spent or held within each counts."""
    domain = policy.value.domains[name]
    bounds, cost = domain.bounds, charge(plan, domain)
    used = usage or DomainUsage(RhoPico(0), {})
    if bounds.monthly_rho is not None:
        left = bounds.monthly_rho - used.monthly_rho
        what = f"the study exceeds what is left of domain {name} within 30 days"
        yield from _exceeded(policy, MONTHLY_BUDGET, what, cost, left, ("domains", name, "monthly"))
    asking = (plan.roster.coordinator.organization, plan.study.lead.organization)
    for partner in bounds.binding(*asking):
        left = bounds.partners[partner] - used.partner_rho(partner)
        what = f"the study exceeds what is left of domain {name} for {partner}"
        place = ("domains", name, "partners", partner)
        yield from _exceeded(policy, PARTNER_BUDGET, what, cost, left, place)


def _exceeded(
    policy: PolicyFile, code: str, what: str, cost: RhoPico, left: int, place: tuple[str, ...]
) -> Iterator[Reason]:
    """A reason if ``cost`` is more than is ``left``, in figures only if budgets are published."""
    if cost <= left:
        return
    allowed = ""
    if policy.value.budget_published:
        what += f": it costs ρ {rho_text(cost)}"
        allowed = f"ρ {rho_text(RhoPico(max(0, left)))}"
    yield _reason(policy, code, what, allowed, *place)
