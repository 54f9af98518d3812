"""A policy file: deny by default, faults with their place, and the judgement of a real plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from mpc.accounting.conversion import rho_from_epsilon
from mpc.errors import ConfigFaults
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.ports import Balance
from mpc.roster import Member, Roster
from mpc.study.parse import parse_study
from mpc.units import Adjacency, DeltaAtto, PartyId, RhoPico, Role
from parties.config import TableConfig
from parties.ledger.records import DomainUsage
from parties.policy.charge import charge, charge_factor
from parties.policy.evaluate import Reason, Standing, evaluate
from parties.policy.model import Domain, PolicyFile, load_policy

NORTH = PartyId("insurer-north")
DEALER = "dealing-house"

STUDY = """\
version: 1
id: visits-by-health
title: Visits
purpose: health-services-research
lead: {name: Joan Example, organization: Institute for Health, email: joan@institute.example}
parties:
  insurer-north: {version: 1, rows_max: 20000, rows_expected: 9000}
  insurer-south: {version: 1, rows_max: 20000, rows_expected: 7000}
  insurer-west: {version: 1, rows_max: 20000, rows_expected: 4000}
recipients: [coordinator]
table:
  name: visits
  unit: {kind: row, rows_max: 1}
  columns:
    mdvis: {type: number, bounds: [0, 77], step: 1}
    health: {type: category, levels: [good, poor]}
    age: {type: number, bounds: [0, 99], step: 1}
  where: age >= 18
privacy: {epsilon: 1, delta: 0.000001, adjacency: add_or_remove_one}
questions:
  people: {kind: count, by: [health]}
  visits: {kind: mean, column: mdvis, by: [health]}
"""

POLICY = """\
version: 1
owner: {name: M. Okafor, email: dpo@north.example}
approval: automatic
coordinators: [study-office]
partners: [Institute for Health]
recipients: [coordinator]
purposes:
  health-services-research:
    kinds: [count, mean]
tables:
  visits:
    columns:
      mdvis: [aggregate]
      health: [group]
      age: [filter]
parties_min: 3
coalition_min: 2
noises: [own]
adjacencies: [add_or_remove_one]
study_budget: {epsilon: 1, delta: 0.000001}
domains:
  members: {epsilon: 2, delta: 0.000001}
"""


MEDIAN = "  median: {kind: quantile, column: mdvis, probability: 0.5}\n"
ACCEPTING = POLICY.replace("[count, mean]", "[count, mean, quantile]")


def member(name: str, role: Role) -> Member:
    return Member(PartyId(name), role, name, f"tls {name}".encode(), f"sign {name}".encode())


def planned(old: str = "", new: str = "", *, coordinator: str = "study-office") -> Plan:
    assert old in STUDY
    study = parse_study(STUDY.replace(old, new).encode() if old else STUDY.encode(), "study")
    parties = [member(name, Role.PARTY) for name in study.parties]
    return plan_study(study, Roster((*parties, member(coordinator, Role.COORDINATOR))))


def policy_of(folder: Path, text: str) -> PolicyFile:
    path = folder / "policy.yaml"
    path.write_text(text)
    return load_policy(path)


def balance(committed: int = 0, reserved: int = 0, cap: int | None = None) -> Balance:
    domain = Domain(epsilon=Decimal(2), delta=Decimal("0.000001"))
    return Balance(
        domain="members",
        rho_cap=RhoPico(domain.rho if cap is None else cap),
        delta_cap=DeltaAtto(0),
        rho_spent=RhoPico(committed),
        delta_spent=DeltaAtto(0),
        rho_reserved=RhoPico(reserved),
        delta_reserved=DeltaAtto(0),
    )


def standing(rows_max: int = 20000, left: Balance | None = None) -> Standing:
    table = TableConfig(Path("visits.schema.yaml"), "members", rows_max, "node.yaml", 31)
    return Standing(NORTH, table, left or balance())


def test_plan_within_the_policy_is_allowed_for_the_whole_study_budget(tmp_path: Path) -> None:
    assert evaluate(planned(), policy_of(tmp_path, POLICY), standing()) == ()


def test_empty_policy_refuses_everything_with_every_reason(tmp_path: Path) -> None:
    reasons = evaluate(planned(), policy_of(tmp_path, "version: 1\n"), standing())

    assert [reason.code[-3:] for reason in reasons] == [
        "010", "011", "014", "012", "015", "018", "019", "020", "021", "022", "023",
    ]  # fmt: skip
    assert all(reason.file == "policy.yaml" and reason.line == 1 for reason in reasons)


def test_approval_is_manual_unless_the_policy_says_otherwise(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "version: 1\n").value

    assert policy.approval == "manual"
    assert not policy.budget_published


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "what", "allowed"),
    [
        ("[study-office]", "[other-office]", "R010", 4, "coordinator study-office", "other-office"),
        ("[Institute for Health]", "[Other]", "R011", 5, "Institute for Health is no", "Other"),
        ("[coordinator]", "[insurer-north]", "R014", 6, "coordinator may not rec", "insurer-north"),
        ("  health-services", "  public-health", "R012", 7, "health-services-research", "public-h"),
        ("[count, mean]", "[mean]", "R013", 9, "people: count may not", "mean"),
        ("  visits:", "  claims:", "R015", 10, "table visits may not", "claims"),
        ("      age: [filter]\n", "", "R016", 12, "column age of visits", "mdvis, health"),
        ("age: [filter]", "age: [group]", "R017", 15, "age of visits may not be used to filter",
         "group"),
        ("parties_min: 3", "parties_min: 4", "R018", 16, "3 parties", "at least 4"),
        ("noises: [own]", "noises: []", "R020", 18, "noise own", "none"),
        ("[add_or_remove_one]", "[replace_one]", "R021", 19, "add_or_remove_one", "replace_one"),
        ("{epsilon: 1,", "{epsilon: 0.9,", "R022", 20, "costs ε 1.0", "ε 0.9"),
        ("  members:", "  patients:", "R023", 21, "domain members", "patients"),
    ],
)  # fmt: skip
def test_each_rule_refuses_at_its_line_and_says_what_is_allowed(
    tmp_path: Path, old: str, new: str, code: str, line: int, what: str, allowed: str
) -> None:
    assert old in POLICY

    (reason,) = evaluate(planned(), policy_of(tmp_path, POLICY.replace(old, new)), standing())

    assert (reason.code, reason.file, reason.line) == (f"PLY-{code}", "policy.yaml", line)
    assert what in reason.what
    assert allowed in reason.allowed
    assert reason.render().startswith(f"policy.yaml:{line} PLY-{code} ")


@pytest.fixture
def dealt() -> Callable[..., Plan]:
    """The plan with a median more, and a dealer of ``organization`` for it."""

    def make(organization: str = "Dealing House") -> Plan:
        study = parse_study(
            (STUDY + MEDIAN).replace("recipients", f"dealer: {DEALER}\nrecipients").encode(), "s"
        )
        parties = [member(name, Role.PARTY) for name in study.parties]
        dealer = replace(member(DEALER, Role.DEALER), organization=organization)
        return plan_study(
            study, Roster((*parties, dealer, member("study-office", Role.COORDINATOR)))
        )

    return make


def test_no_dealer_is_accepted_unless_the_policy_names_it(
    tmp_path: Path, dealt: Callable[..., Plan]
) -> None:
    (silent,) = evaluate(dealt(), policy_of(tmp_path, ACCEPTING), standing())
    (empty,) = evaluate(dealt(), policy_of(tmp_path, ACCEPTING + "dealers: []\n"), standing())
    others = policy_of(tmp_path, ACCEPTING + "dealers: [house-of-deals, third-house]\n")
    (another,) = evaluate(dealt(), others, standing())

    assert (silent.code, silent.what) == ("PLY-R025", "dealer dealing-house is not accepted")
    assert (silent.allowed, silent.line) == ("none", 1)
    assert (empty.code, empty.allowed, empty.line) == ("PLY-R025", "none", 23)
    assert (another.code, another.allowed, another.line) == (
        "PLY-R025", "house-of-deals, third-house", 23,
    )  # fmt: skip


def test_a_dealer_that_the_policy_names_is_accepted_and_no_policy_demands_one(
    tmp_path: Path, dealt: Callable[..., Plan]
) -> None:
    policy = policy_of(tmp_path, ACCEPTING + f"dealers: [{DEALER}]\n")

    assert evaluate(planned(), policy, standing()) == ()
    assert evaluate(dealt(), policy, standing()) == ()


@pytest.mark.parametrize(
    ("organization", "who"),
    [("insurer-west", "insurer-west"), ("Study-Office", "study-office")],
)
def test_a_dealer_of_a_participants_organization_is_refused_although_it_is_named(
    tmp_path: Path, dealt: Callable[..., Plan], organization: str, who: str
) -> None:
    named = ACCEPTING + f"dealers: [{DEALER}]\n"
    for written in ("", "dealer_organization_shared: false\n"):
        policy = policy_of(tmp_path, named + written)
        (reason,) = evaluate(dealt(organization), policy, standing())

        assert (reason.code, reason.line) == ("PLY-R026", 24 if written else 1)
        assert f"dealer dealing-house is of {organization}, as {who}" in reason.what
        assert "no other part" in reason.allowed


def test_a_dealer_of_a_participants_organization_runs_only_if_the_policy_says_so_and_names_it(
    tmp_path: Path, dealt: Callable[..., Plan]
) -> None:
    shared = ACCEPTING + "dealer_organization_shared: true\n"
    policy = policy_of(tmp_path, shared + f"dealers: [{DEALER}]\n")

    assert evaluate(dealt("insurer-west"), policy, standing()) == ()
    (reason,) = evaluate(dealt("insurer-west"), policy_of(tmp_path, shared), standing())
    assert reason.code == "PLY-R025"


def test_smaller_coalition_than_the_policy_asks_is_refused(tmp_path: Path) -> None:
    plan = planned("adjacency: add_or_remove_one", "adjacency: add_or_remove_one, coalition: 1")

    (reason,) = evaluate(plan, policy_of(tmp_path, POLICY), standing())

    assert (reason.code, reason.line) == ("PLY-R019", 17)
    assert "1 of 2 other parties" in reason.what
    assert "coalition: 2" in reason.allowed


def test_coalition_of_everybody_else_is_always_enough(tmp_path: Path) -> None:
    text = POLICY.replace("coalition_min: 2", "coalition_min: 15")

    assert evaluate(planned(), policy_of(tmp_path, text), standing()) == ()


def test_another_coordinator_with_a_good_study_is_refused(tmp_path: Path) -> None:
    plan = planned(coordinator="other-office")

    (reason,) = evaluate(plan, policy_of(tmp_path, POLICY), standing())

    assert reason.code == "PLY-R010"


def test_unknown_mechanism_is_refused(tmp_path: Path) -> None:
    plan = replace(planned(), mechanism="no-noise/1")

    (reason,) = evaluate(plan, policy_of(tmp_path, POLICY), standing())

    assert reason.code == "PLY-R020"
    assert "no-noise/1" in reason.what


@pytest.mark.parametrize(
    ("study", "refused"), [("", True), ("9", True), ("10", False), ("99", False)]
)
def test_an_owners_least_cell_is_the_least_that_a_study_may_state(
    tmp_path: Path, study: str, refused: bool
) -> None:
    plan = planned("questions:", f"min_cell: {study}\nquestions:") if study else planned()
    policy = policy_of(tmp_path, POLICY + "min_cell: 10\n")

    reasons = evaluate(plan, policy, standing())

    assert [reason.code for reason in reasons] == (["PLY-R028"] if refused else [])
    if refused:
        assert reasons[0].allowed == "min_cell: 10 or more"
        assert reasons[0].line == policy.line("min_cell")
        assert reasons[0].what.endswith(study or "of any size")
    assert evaluate(plan, policy_of(tmp_path, POLICY), standing()) == ()


def test_one_recipient_too_many_is_named(tmp_path: Path) -> None:
    plan = planned("recipients: [coordinator]", "recipients: [coordinator, insurer-west]")

    (reason,) = evaluate(plan, policy_of(tmp_path, POLICY), standing())

    assert reason.code == "PLY-R014"
    assert "insurer-west" in reason.what


def test_table_that_may_outgrow_the_range_proof_is_refused(tmp_path: Path) -> None:
    (reason,) = evaluate(planned(), policy_of(tmp_path, POLICY), standing(rows_max=20001))

    assert reason.code == "PLY-R024"
    assert reason.allowed == "parties.insurer-north.rows_max: 20001 or more"
    assert (reason.file, reason.line) == (
        "node.yaml",
        31,
    )  # not the policy's: it says nothing of it


def test_table_that_the_node_does_not_offer_is_refused(tmp_path: Path) -> None:
    nothing = Standing(NORTH, None, None)

    (reason,) = evaluate(planned(), policy_of(tmp_path, POLICY), nothing)

    assert reason.code == "PLY-R015"


def test_domain_without_ledger_is_refused(tmp_path: Path) -> None:
    table = standing().table

    (reason,) = evaluate(planned(), policy_of(tmp_path, POLICY), Standing(NORTH, table, None))

    assert reason.code == "PLY-R023"


@pytest.mark.parametrize("held", ["committed", "reserved"])
def test_budget_that_is_spent_or_held_is_gone(tmp_path: Path, held: str) -> None:
    plan = planned()
    cap = Domain(epsilon=Decimal(2), delta=Decimal("0.000001")).rho
    just_enough = balance(**{held: cap - plan.rho_total})
    one_too_little = balance(**{held: cap - plan.rho_total + 1})
    policy = policy_of(tmp_path, POLICY)

    assert evaluate(plan, policy, standing(left=just_enough)) == ()
    (reason,) = evaluate(plan, policy, standing(left=one_too_little))
    assert (reason.code, reason.line) == ("PLY-B010", 22)


def test_lowered_policy_binds_although_the_ledger_has_more(tmp_path: Path) -> None:
    text = POLICY.replace("{epsilon: 2,", "{epsilon: 0.5,")

    (reason,) = evaluate(planned(), policy_of(tmp_path, text), standing())

    assert reason.code == "PLY-B010"


def test_what_is_left_is_told_only_if_published(tmp_path: Path) -> None:
    spent = standing(left=balance(cap=1_000_000))
    (closed,) = evaluate(planned(), policy_of(tmp_path, POLICY), spent)
    (told,) = evaluate(planned(), policy_of(tmp_path, POLICY + "budget_published: true\n"), spent)

    assert "ρ" not in closed.what + closed.allowed
    assert told.allowed == "ρ 0.000001"


MONTHLY = POLICY.replace(
    "members: {epsilon: 2, delta: 0.000001}",
    "members:\n    epsilon: 2\n    delta: 0.000001\n    monthly: {epsilon: 1, delta: 0.000001}",
)
PARTNER = POLICY.replace(
    "members: {epsilon: 2, delta: 0.000001}",
    "members:\n    epsilon: 2\n    delta: 0.000001\n    partners:\n"
    "      Institute for Health: {epsilon: 1, delta: 0.000001}",
)


@pytest.mark.parametrize(
    ("text", "code", "line", "what"),
    [
        (MONTHLY, "PLY-B011", 25, "within 30 days"),
        (PARTNER, "PLY-B012", 26, "for Institute for Health"),
    ],
)
def test_cap_of_a_month_or_a_partner_refuses_what_exceeds_it_and_points_at_its_line(
    tmp_path: Path, text: str, code: str, line: int, what: str
) -> None:
    plan, table = planned(), standing().table
    cap = rho_from_epsilon(Decimal(1), Decimal("0.000001"))

    def reasons(used: int, text: str = text) -> tuple[Reason, ...]:
        usage = DomainUsage(RhoPico(used), {"Institute for Health": RhoPico(used)})
        here = Standing(NORTH, table, balance(), usage)
        return evaluate(plan, policy_of(tmp_path, text), here)

    assert reasons(cap - plan.rho_total) == ()
    (closed,) = reasons(cap - plan.rho_total + 1)
    assert (closed.code, closed.line) == (code, line)
    assert what in closed.what
    assert "ρ" not in closed.what + closed.allowed
    (told,) = reasons(cap + 5, text + "budget_published: true\n")
    assert told.allowed == "ρ 0"


def test_cap_of_a_partner_that_is_none_is_a_fault_of_the_file(tmp_path: Path) -> None:
    text = PARTNER.replace("      Institute for Health:", "      Institute of Health:")
    with pytest.raises(ConfigFaults) as wrong:
        policy_of(tmp_path, text)
    (fault,) = wrong.value.faults
    assert (fault.code, fault.line) == ("PLY-C114", 26)
    assert "Institute of Health is no partner" in fault.what
    assert "Institute for Health" in fault.what + fault.allowed


def test_judgement_changes_nothing_and_is_the_same_twice(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "version: 1\n")

    assert evaluate(planned(), policy, standing()) == evaluate(planned(), policy, standing())


def domain(adjacency: Adjacency, rows_max: int) -> Domain:
    return Domain(
        epsilon=Decimal(2), delta=Decimal("0.000001"), adjacency=adjacency, rows_max=rows_max
    )


@pytest.mark.parametrize(
    ("adjacency", "rows_max", "unit_rows", "factor"),
    [
        (Adjacency.ADD_OR_REMOVE_ONE, 1, 1, Fraction(1)),
        (Adjacency.ADD_OR_REMOVE_ONE, 3, 1, Fraction(9)),
        (Adjacency.ADD_OR_REMOVE_ONE, 3, 2, Fraction(4)),
        (Adjacency.ADD_OR_REMOVE_ONE, 1, 5, Fraction(1)),
        (Adjacency.REPLACE_ONE, 1, 1, Fraction(4)),
        (Adjacency.REPLACE_ONE, 3, 1, Fraction(36)),
    ],
)
def test_study_is_charged_in_the_domains_stronger_unit(
    adjacency: Adjacency, rows_max: int, unit_rows: int, factor: Fraction
) -> None:
    plan = planned("{kind: row, rows_max: 1}", f"{{kind: row, rows_max: {unit_rows}}}")
    counted = domain(adjacency, rows_max)

    assert charge_factor(plan.study, counted) == factor
    assert plan.rho_total * factor <= charge(plan, counted) < plan.rho_total * factor + 1


def test_replace_one_study_is_not_charged_again_for_replacement() -> None:
    plan = planned("adjacency: add_or_remove_one", "adjacency: replace_one")

    assert charge_factor(plan.study, domain(Adjacency.REPLACE_ONE, 1)) == 1
    assert charge_factor(plan.study, domain(Adjacency.ADD_OR_REMOVE_ONE, 1)) == 1


PERSON = (
    "{kind: person, column: card, rows_max: 3, across_parties: true, keep: {first_by: age}}\n"
    "  columns:\n    card: {type: id}"
)
OF_PERSONS = POLICY.replace(
    "      age: [filter]", "      age: [filter, order]\n      card: [identify]"
)


def of_persons() -> Plan:
    return planned("{kind: row, rows_max: 1}\n  columns:", PERSON)


@pytest.mark.parametrize("counted", ["rows_max: 1", "rows_max: 30", "unit: person"])
def test_study_of_persons_is_charged_once_whatever_rows_a_person_has(
    counted: str, tmp_path: Path
) -> None:
    text = OF_PERSONS.replace("members: {", f"members: {{{counted}, ")
    policy = policy_of(tmp_path, text)

    assert evaluate(of_persons(), policy, standing()) == ()
    assert charge_factor(of_persons().study, policy.value.domains["members"]) == 1


def test_study_of_rows_is_refused_where_a_person_has_any_number_of_them(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, POLICY.replace("members: {", "members: {unit: person, "))

    (reason,) = evaluate(planned(), policy, standing())

    assert reason.code == "PLY-R027"
    assert reason.what.startswith("a study that protects 1 of a person's rows promises nothing")
    assert policy.path.read_text().splitlines()[reason.line - 1].startswith("  members:")


def test_an_id_and_the_order_of_rows_are_denied_unless_granted(tmp_path: Path) -> None:
    unnamed, unordered = evaluate(of_persons(), policy_of(tmp_path, POLICY), standing())

    assert (unordered.code, unordered.what) == (
        "PLY-R016", "column card of visits may not be used",
    )  # fmt: skip
    assert (unnamed.code, unnamed.what) == (
        "PLY-R017", "column age of visits may not be used to order",
    )  # fmt: skip


def test_a_domain_of_persons_bounds_no_rows(tmp_path: Path) -> None:
    text = POLICY.replace("members: {", "members: {unit: person, rows_max: 3, ")
    with pytest.raises(ConfigFaults) as refusal:
        policy_of(tmp_path, text)
    (line,) = str(refusal.value).splitlines()
    assert "PLY-C115" in line
    assert "domains.members.rows_max" in line


def test_faults_of_a_policy_stand_at_their_places(tmp_path: Path) -> None:
    text = POLICY.replace("kinds: [count, mean]", "kinds: [count, meen]").replace(
        "mdvis: [aggregate]", "mdvis: [aggregate, aggregate]"
    )
    with pytest.raises(ConfigFaults) as refusal:
        policy_of(tmp_path, text)

    first, second = str(refusal.value).splitlines()
    assert "policy.yaml:9:20 PLY-C111" in first
    assert "did you mean 'mean'" in first
    assert "policy.yaml:13:14 PLY-C112" in second


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("approval: automatic", "approval: always", "'always' is not allowed"),
        ("mdvis: [aggregate]", "mdvis: [agregate]", "did you mean 'aggregate'"),
        ("noises: [own]", "noises: [none]", "'none' is not allowed"),
        ("parties_min: 3", "parties_min: 1", "at least 2"),
        ("coalition_min: 2", "coalition_min: 0", "at least 1"),
        ("study_budget: {epsilon: 1,", "study_budget: {epsilon: 0,", "above 0"),
        ("noises:", "dealers: [Dealing House]\nnoises:", "not a name"),
        ("noises:", "dealers: dealing-house\nnoises:", "a list"),
        ("noises:", "dealer_organization_shared: 1\nnoises:", "true or false"),
        ("coordinators:", "cordinators:", "did you mean 'coordinators'"),
        ("version: 1\n", "", "version required"),
    ],
)
def test_wrong_policies_are_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert old in POLICY
    with pytest.raises(ConfigFaults, match=what):
        policy_of(tmp_path, POLICY.replace(old, new, 1))


def test_tables_without_any_budget_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="no domain has a budget"):
        policy_of(tmp_path, POLICY.split("domains:", maxsplit=1)[0])
