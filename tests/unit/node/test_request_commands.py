"""``parley requests``: what a person may say, and what becomes of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mpc.accounting.conversion import epsilon_from_rho, rho_from_epsilon
from mpc.accounting.event import Noise, NoiseBlock, NoiseEvent
from mpc.errors import UsageError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.ports import ChainHead, ChargeRequest, ChargeTerms, Witness
from mpc.roster import Member, Roster
from mpc.study.parse import parse_study
from mpc.units import (
    Adjacency,
    DeltaAtto,
    PartyId,
    PlanDigest,
    ProtectedUnit,
    RhoPico,
    Role,
    RunId,
)
from parties.cli import app
from parties.ledger.records import DomainBounds, PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.new_files import node_text
from parties.node.events import event_text
from parties.node.parts import LEDGER, REQUESTS
from parties.node.requests import BegunRun, RequestState, RequestStore
from parties.node.summary import (
    cells_text,
    promise_text,
    protected_text,
    question_text,
    request_summary,
)
from parties.policy.model import Domain
from parties.report.figures import epsilon_text
from parties.system import SystemClock

PLAN = PlanDigest("ab" * 32)
OFFICE = PartyId("office")
FAR = 1 << 40


@pytest.fixture
def config(tmp_path: Path) -> Path:
    text = node_text(
        party="clinic-a", coordinator="office", host="127.0.0.1", port=7100, table="stays",
        rows_max=10_000,
    )  # fmt: skip
    file = tmp_path / "node.yaml"
    file.write_text(text.replace("peers: {}", f"peers: {{office: 'sha256:{'0' * 64}'}}"))
    return file


@pytest.fixture
def store(config: Path) -> RequestStore:
    made = RequestStore(config.parent / "state" / REQUESTS, SystemClock())
    made.ask(PLAN, "stays-1", "office", "{}", 100)
    return made


def requests(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["requests", *arguments, "--config", str(config)])


def answered(config: Path, *arguments: str) -> dict[str, Any]:
    done = requests(config, *arguments, "--json")
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)["data"]
    return said


@pytest.mark.parametrize("by", ["", "  ", "x" * 201, "M.\nOkafor", "a\u202eb", "policy"])
def test_name_that_an_approval_cannot_carry_is_refused_before_anything_is_decided(
    config: Path, store: RequestStore, by: str
) -> None:
    for action in (["approve"], ["refuse", "--reason", "no vote"]):
        refused = requests(config, action[0], PLAN[:12], "--by", by, *action[1:])
        assert refused.exit_code == 2
        assert "--by" in refused.output
    assert store.list()[0].state is RequestState.PENDING
    assert store.decisions(PLAN) == ()


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "no\x07"])
def test_refusal_needs_a_reason_that_can_be_sent(
    config: Path, store: RequestStore, reason: str
) -> None:
    refused = requests(config, "refuse", PLAN[:12], "--by", "M. Okafor", "--reason", reason)
    assert refused.exit_code == 2
    assert "--reason" in refused.output
    assert store.list()[0].state is RequestState.PENDING


@pytest.mark.parametrize(("prefix", "told"), [("ababa", "at least its first 6"), ("cdcdcd", "no")])
def test_prefix_that_is_short_or_of_no_request_decides_nothing(
    config: Path, store: RequestStore, prefix: str, told: str
) -> None:
    refused = requests(config, "approve", prefix, "--by", "M. Okafor")
    assert refused.exit_code == 2
    assert told in refused.output
    assert store.list()[0].state is RequestState.PENDING


def test_refusal_that_was_reconsidered_waits_again_and_its_history_is_kept(
    config: Path, store: RequestStore
) -> None:
    by = ("--by", "M. Okafor")
    answered(config, "refuse", PLAN[:6], *by, "--reason", "no vote")
    second = requests(config, "approve", PLAN[:6], *by)
    assert "refused already" in second.output
    assert "reconsider" in second.output
    said = answered(config, "reconsider", PLAN[:6], *by, "--reason", "vote received")
    assert (said["state"], said["decided_by"], said["reason"]) == ("pending", "", "")
    answered(config, "approve", PLAN[:6], *by)
    assert [(each.state.value, each.reason) for each in store.decisions(PLAN)] == [
        ("refused", "no vote"),
        ("pending", "vote received"),
        ("approved", ""),
    ]


def test_approval_that_was_reconsidered_starts_nothing_and_a_used_one_stays(
    store: RequestStore,
) -> None:
    def begun(run: str) -> BegunRun:
        return BegunRun(RunId(run * 64), PLAN, OFFICE, "population")

    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    store.promise("n1", PLAN, OFFICE, "M. Okafor", FAR)
    store.reconsider(PLAN, "M. Okafor", "wrong study")
    with pytest.raises(Exception, match="unknown, expired, or was used"):
        store.use_up("n1", begun("1"), manual=True)
    with pytest.raises(UsageError, match="pending; nothing can be taken back"):
        store.reconsider(PLAN, "M. Okafor", "again")
    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    store.promise("n2", PLAN, OFFICE, "M. Okafor", FAR)
    store.use_up("n2", begun("2"), manual=True)
    with pytest.raises(UsageError, match="used; nothing can be taken back"):
        store.reconsider(PLAN, "M. Okafor", "too late")


def test_used_approval_names_its_run_also_when_the_plan_is_asked_for_again(
    config: Path, store: RequestStore
) -> None:
    first, second = RunId("1" * 64), RunId("2" * 64)
    for run in (first, second):
        answered(config, "approve", PLAN[:6], "--by", "M. Okafor")
        store.promise(run[:4], PLAN, OFFICE, "M. Okafor", FAR)
        store.use_up(run[:4], BegunRun(run, PLAN, OFFICE, "population"), manual=True)
        assert f"used by run {run[:12]}" in requests(config, "list", "--all").stdout
        store.ask(PLAN, "stays-1", "office", "{}", 100)
    store.promise("n3", PLAN, OFFICE, "policy", FAR)
    store.use_up("n3", BegunRun(RunId("3" * 64), PLAN, OFFICE, "population"), manual=False)
    answered(config, "refuse", PLAN[:6], "--by", "M. Okafor", "--reason", "enough")
    (asked,) = answered(config, "list", "--all")["requests"]
    assert [(each["state"], each["run"]) for each in asked["decisions"]] == [
        ("approved", first), ("approved", second), ("refused", None),
    ]  # fmt: skip
    text = requests(config, "list", "--all").stdout
    assert text.index("run 1111") < text.index("run 2222") < text.index("refused by M. Okafor")


STUDY = b"""\
version: 1
id: stays-1
title: Stays
purpose: quality-of-care
lead: {name: Joan Example, organization: University, email: joan@university.example}
parties:
  clinic-a: {version: 1, rows_max: 10000, rows_expected: 3000}
  clinic-b: {version: 1, rows_max: 10000, rows_expected: 2000}
  clinic-c: {version: 1, rows_max: 10000, rows_expected: 1000}
recipients: [coordinator]
table:
  name: stays
  unit: {kind: row}
  columns:
    age: {type: number, bounds: [0, 110], step: 1, missing: exclude, outside: exclude}
    sex: {type: category, levels: [F, M], missing: exclude, unknown_level: exclude}
    days: {type: number, bounds: [0, 30], step: 0.5, missing: exclude, outside: clip}
  where: age >= 18
privacy: {epsilon: 1, delta: 0.000001, adjacency: add_or_remove_one}
questions:
  rows: {kind: count, by: [sex]}
  stay: {kind: mean, column: days, by: [sex]}
  spread: {kind: histogram, column: days, bins: [0, 7, 30]}
"""
QUANTILE = b"  long: {kind: quantile, column: days, probability: 0.9, step: 1, by: [sex]}\n"
DOMAIN = Domain(epsilon=Decimal(4), delta=Decimal("0.000001"))
ROW = ProtectedUnit(1, Adjacency.ADD_OR_REMOVE_ONE)


def member(name: str, role: Role) -> Member:
    return Member(PartyId(name), role, name, f"tls {name}".encode(), f"sign {name}".encode())


def dealt(organization: str) -> Plan:
    """The plan with a quantile more, which needs a dealer: one of ``organization``."""
    text = STUDY.replace(b"recipients", b"dealer: house\nrecipients") + QUANTILE
    study = parse_study(text, "study")
    parties = [member(name, Role.PARTY) for name in study.parties]
    dealer = replace(member("house", Role.DEALER), organization=organization)
    return plan_study(study, Roster((*parties, dealer, member("office", Role.COORDINATOR))))


@pytest.fixture(scope="module")
def plan() -> Plan:
    study = parse_study(STUDY, "study")
    parties = tuple(member(name, Role.PARTY) for name in study.parties)
    return plan_study(study, Roster((*parties, member("office", Role.COORDINATOR))))


@pytest.fixture
def ledger(config: Path) -> SqliteLedger:
    made = SqliteLedger(config.parent / "state" / LEDGER, SystemClock(), PartnerLimits())
    made.create_domain("population", ROW, DOMAIN.rho, DeltaAtto(0), "owner")
    (config.parent / "policy.yaml").write_text(
        "version: 1\ndomains:\n  population: {epsilon: 4, delta: 0.000001}\n"
    )
    return made


def charged(ledger: SqliteLedger, run: str, by: str, rho: int) -> RunId:
    terms = ChargeTerms(
        run=RunId(run * 64),
        domain="population",
        plan_digest=PLAN,
        study="stays-1",
        partner="University",
        coordinator=OFFICE,
        lead="Joan Example",
        lead_organization="Institute",
        purpose="quality-of-care",
        approved_by=by,
        unit=ROW,
        expires_unix_s=SystemClock().unix_s() + 600,
    )
    ledger.reserve(ChargeRequest(terms, b"{}", RhoPico(rho), DeltaAtto(0)))
    return terms.run


def test_person_is_shown_every_question_and_its_bounds(plan: Plan) -> None:
    texts = {each.name: question_text(plan, each) for each in plan.questions}
    assert texts == {
        "rows": "count of rows by sex (F, M)",
        "stay": "mean of days [0, 30] step 0.5 by sex (F, M)",
        "spread": "histogram of days [0, 30] step 0.5 in bins 0, 7, 30",
    }
    assert promise_text(plan).startswith("holds while fewer than 3 of 3 parties pool what they")
    assert protected_text(ROW) == "one row added or removed"
    wide = ProtectedUnit(4, Adjacency.REPLACE_ONE)
    assert protected_text(wide) == "up to 4 rows of one unit replaced by any others"


def test_person_is_shown_that_a_study_protects_persons_and_which_rows_count() -> None:
    row, unit = b"{kind: row}\n  columns:\n", (
        b"{kind: person, column: card, rows_max: 2, across_parties: true, keep: hashed}\n"
        b"  columns:\n    card: {type: id}\n"
    )  # fmt: skip
    assert row in STUDY
    study = parse_study(STUDY.replace(row, unit), "study")
    parties = tuple(member(name, Role.PARTY) for name in study.parties)
    plan = plan_study(study, Roster((*parties, member("office", Role.COORDINATOR))))
    said = json.loads(request_summary(plan, "population", DOMAIN))
    assert said["protects"] == (
        "one person with all of its rows, added or removed; at most 2 of its rows count at each"
        " owner, by lot"
    )
    assert said["columns"]["card"] == ["identify"]
    assert said["cost"]["protects"] == "one row added or removed"
    everyone = Domain(epsilon=Decimal(4), delta=Decimal("0.000001"), unit="person")
    said = json.loads(request_summary(plan, "population", everyone))
    assert said["cost"]["protects"] == "one person with all of its rows, added or removed"


@pytest.mark.parametrize(
    ("organization", "shared"), [("Dealing House", []), ("CLINIC-b", ["clinic-b"])]
)
def test_person_is_shown_who_deals_and_what_that_one_reads_with_any_party(
    config: Path,
    store: RequestStore,
    organization: str,
    shared: list[str],
) -> None:
    plan = dealt(organization)
    store.ask(plan.digest, "stays-1", "office", request_summary(plan, "population", DOMAIN), 100)
    listed = answered(config, "list")["requests"]
    (said,) = [each["summary"]["dealer"] for each in listed if each["plan_digest"] == plan.digest]
    text = requests(config, "list").stdout

    assert plan.roster.dealer is not None
    assert (said["id"], said["organization"], said["questions"]) == (
        "house", organization, ["long"],
    )  # fmt: skip
    assert said["fingerprint"] == plan.roster.dealer.fingerprint
    assert said["shares_organization_with"] == shared
    assert f"dealer: house ({organization}), for long" in text
    assert f"dealer's keys: {plan.roster.dealer.fingerprint}" in text
    assert "sees no row and nothing that the parties open among themselves" in text
    assert "together with any one party reads everything that is compared" in text
    (with_one,) = [each for each in plan.coalitions if each.dealer and each.parties == 1]
    assert f"to the dealer ε is {epsilon_text(with_one.epsilon)} with 1 party and" in text
    asked = "long: 90 % quantile of days [0, 30] step 0.5 in steps of 1 by sex (F, M); costs"
    assert asked in text
    assert ("beware: The dealer house is of the same organization as" in text) is bool(shared)
    assert promise_text(plan).endswith("the dealer with none of them, and all follow the protocol")


def test_person_is_told_of_no_dealer_where_there_is_none(
    config: Path, store: RequestStore, plan: Plan
) -> None:
    store.ask(plan.digest, "stays-1", "office", request_summary(plan, "population", DOMAIN), 100)

    assert "dealer" not in requests(config, "list").stdout


def test_list_shows_what_a_plan_costs_here_and_what_it_would_leave(
    config: Path, store: RequestStore, ledger: SqliteLedger, plan: Plan
) -> None:
    store.ask(plan.digest, "stays-1", "office", request_summary(plan, "population", DOMAIN), 100)
    listed = answered(config, "list")["requests"]
    (asked,) = [each for each in listed if each["plan_digest"] == plan.digest]
    assert asked["summary"]["where"] == "age >= 18"
    assert asked["summary"]["cells"] == "all are shown, however few rows they have"
    small = plan.study.model_copy(update={"min_cell": 5})
    assert cells_text(small) == "left out where the noisy count is below 5"
    assert asked["asked_at"].endswith("Z")
    assert asked["decided_at"] is None
    cost, left = Decimal(asked["summary"]["cost"]["rho"]), Decimal(asked["left_after"]["rho"])
    assert cost + left == Decimal(asked["left_after"]["rho_cap"])
    text = requests(config, "list").stdout
    assert "stay: mean of days [0, 30] step 0.5 by sex (F, M); costs here ε" in text
    assert "left here: ε 4.000 (ρ" in text
    charged(ledger, "1", "policy", DOMAIN.rho)
    assert "is lacking" in requests(config, "list").stdout


def test_costs_that_are_shown_are_no_smaller_and_amounts_left_no_larger_than_they_are(
    config: Path, store: RequestStore, ledger: SqliteLedger, plan: Plan
) -> None:
    strong = DOMAIN.model_copy(update={"adjacency": Adjacency.REPLACE_ONE})
    store.ask(plan.digest, "stays-1", "office", request_summary(plan, "population", strong), 100)
    charged(ledger, "1", "policy", 123_456_789)
    text = requests(config, "list").stdout
    for question in plan.questions:
        epsilon, rho = figures(text, rf"{question.name}: .*; costs here")
        assert epsilon >= epsilon_from_rho(RhoPico(4 * question.rho), DOMAIN.delta)
        assert 0 <= rho - Decimal(4 * question.rho) / 10**12 < Decimal("0.0001")
    epsilon, cost = figures(text, "all of it costs here")
    assert epsilon >= epsilon_from_rho(RhoPico(4 * plan.rho_total), DOMAIN.delta)
    assert 0 <= cost - Decimal(4 * plan.rho_total) / 10**12 < Decimal("0.001")
    now_epsilon, now = figures(text, "left here:")
    after_epsilon, after = figures(text, "left here: .*;")
    left = DOMAIN.rho - 123_456_789
    for epsilon, rho, exact in (
        (now_epsilon, now, left),
        (after_epsilon, after, left - 4 * plan.rho_total),
    ):
        assert 0 <= Decimal(exact) / 10**12 - rho < Decimal("0.001")
        assert rho_from_epsilon(epsilon, DOMAIN.delta) <= exact


def figures(text: str, head: str) -> tuple[Decimal, Decimal]:
    """The epsilon and the rho that stand behind ``head``."""
    found = re.search(rf"{head} ε ([\d.]+) \(ρ ([\d.]+)\)", text)
    assert found is not None, text
    return Decimal(found[1]), Decimal(found[2])


def test_list_of_all_shows_what_the_policy_allowed_by_itself(
    config: Path, store: RequestStore, ledger: SqliteLedger
) -> None:
    store.promise("n1", PLAN, OFFICE, "policy", FAR)
    run = charged(ledger, "1", "policy", 1000)
    store.use_up("n1", BegunRun(run, PLAN, OFFICE, "population"), manual=False)
    charged(ledger, "2", "M. Okafor", 1000)
    (automatic,) = answered(config, "list", "--all")["automatic"]
    assert (automatic["run"], automatic["coordinator"]) == (run, "office")
    assert automatic["time"].endswith("Z")
    assert "automatic" not in answered(config, "list")
    assert "approved by policy; reserved" in requests(config, "list", "--all").stdout


def budget(config: Path, *options: str, command: str = "show") -> Result:
    return CliRunner().invoke(app, ["budget", command, "--config", str(config), *options])


def test_owner_reads_its_budget_and_every_charge_without_a_node(
    config: Path, ledger: SqliteLedger
) -> None:
    ledger.commit(charged(ledger, "1", "M. Okafor", 2000), b"share")
    ledger.release(charged(ledger, "2", "policy", 1000))
    ledger.fail(charged(ledger, "3", "policy", 500))
    charged(ledger, "4", "policy", 250)
    shown = json.loads(budget(config, "--json").stdout)["data"]
    (domain,) = shown["domains"]
    cap = Decimal(DOMAIN.rho)
    assert [Decimal(domain["rho"][each]) * 10**12 for each in domain["rho"]] == [
        cap, 2500, 250, cap - 2750,
    ]  # fmt: skip
    assert Decimal(domain["epsilon"]["cap"]) <= 4
    assert domain["caps"] == [
        {
            "what": "all studies for ever",
            "rho_cap": domain["rho"]["cap"],
            "rho_used": "0.00000000275",
            "rho_left": domain["rho"]["left"],
        }
    ]
    told = json.loads(budget(config, "--json", command="history").stdout)["data"]
    (kept,) = told["domains"]
    assert [(each["approved_by"], each["state"]) for each in kept["charges"]] == [
        ("M. Okafor", "committed"),
        ("policy", "released"),
        ("policy", "forfeited"),
        ("policy", "reserved"),
    ]
    assert shown["partners"] == [{"partner": "University", "reserved": 1, "aborts": 1}]
    text = budget(config).stdout
    assert re.search(r"left +0\.\d+ +3\.999", text), text
    assert re.search(r"cap +0\.\d+ +4\.000", text), text
    for said in ("one row added or removed", "1 of 20 aborts"):
        assert said in text


def test_history_says_who_asked_who_approved_for_what_and_which_noise_paid(
    config: Path, ledger: SqliteLedger
) -> None:
    ledger.commit(charged(ledger, "1", "M. Okafor", 2000), b"share")
    ledger.fail(charged(ledger, "2", "policy", 500))
    (domain,) = json.loads(budget(config, "--json", command="history").stdout)["data"]["domains"]
    first = domain["charges"][0]
    assert (first["coordinator"], first["partner"]) == ("office", "University")
    assert (first["lead"], first["lead_organization"]) == ("Joan Example", "Institute")
    assert (first["purpose"], first["plan_digest"]) == ("quality-of-care", PLAN)
    assert first["mechanism"] == "none: nothing was released for it"
    assert first["settled"].endswith("Z")
    assert [cap["reason"] for cap in domain["caps"]] == ["created"]
    text = budget(config, command="history").stdout
    for said in (
        "asked by office of University, led by Joan Example, Institute",
        "for quality-of-care, approved by M. Okafor",
        "forfeited",
        "2" * 12,
        f"plan {PLAN}",
        "set by ",
    ):
        assert said in text


def test_caps_beside_the_one_for_ever_are_shown_with_what_is_left_of_each(
    config: Path, ledger: SqliteLedger
) -> None:
    partners = {"University": RhoPico(5000)}
    ledger.set_bounds("population", DomainBounds(RhoPico(4000), partners), "owner")
    charged(ledger, "1", "policy", 1000)
    (domain,) = json.loads(budget(config, "--json").stdout)["data"]["domains"]
    assert [(each["what"], each["rho_left"]) for each in domain["caps"][1:]] == [
        ("any 30 days", "0.000000003"),
        ("studies of University", "0.000000004"),
    ]
    assert "any 30 days" in budget(config).stdout


def test_ledger_that_a_peer_saw_further_is_told_to_its_owner(
    config: Path, ledger: SqliteLedger
) -> None:
    ledger.condemn(Witness(PartyId("north"), ChainHead(7, bytes(32)), b"mark", b"ready"))
    assert json.loads(budget(config, "--json").stdout)["data"]["outdated"] == [
        {"seen_by": "north", "step": 7}
    ]
    for command in ("show", "history"):
        told = " ".join(budget(config, command=command).stdout.split())
        assert "this ledger is an older copy: north has seen step 7 of it" in told


def test_event_of_a_charge_is_told_in_words() -> None:
    blocks = (NoiseBlock(2, 1, Fraction(25)), NoiseBlock(1, 4, Fraction(100), Noise.JOINT))
    assert event_text(NoiseEvent(blocks, 3, 2).canonical()) == (
        "discrete Gaussian noise, own of sd 5 on 2 integers, joint of sd 10 on 1 integer;"
        " 3 parties, 2 of which may pool what they know"
    )
    assert event_text(b'{"parties":3}') == "of another version of Parley"


def test_budget_of_a_node_that_never_ran_makes_no_ledger(config: Path) -> None:
    refused = budget(config)
    assert refused.exit_code == 2
    assert "no ledger yet" in refused.output
    assert not (config.parent / "state" / LEDGER).exists()
