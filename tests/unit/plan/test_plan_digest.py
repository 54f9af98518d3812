"""One study and roster, one digest: on every machine, from every spelling of the same study."""

from __future__ import annotations

import decimal
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from mpc.canonical import Plain, canonical_bytes, from_canonical
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.model import Study
from mpc.study.parse import parse_study

MakeStudy = Callable[..., Study]
MakeRoster = Callable[[Study], Roster]

ROOT = Path(__file__).resolve().parents[3]
VECTOR = ROOT / "tests" / "vectors" / "plan.json"

SCENARIO = b"""\
version: 1
id: visits
title: Visits
purpose: planning
lead: {name: A. Person, organization: Institute, email: a@example.org}
parties:
  north: {version: 1, rows_max: 1000, rows_expected: 500}
  south: {version: 2, rows_max: 1000, rows_expected: 500}
recipients: [coordinator]
table:
  name: stays
  unit: {kind: row}
  columns:
    visits: {type: number, bounds: [0, 77], step: 0.5}
    sex: {type: category, levels: [f, m]}
  where: visits < 70
privacy: {epsilon: 1.0, delta: 1e-6, adjacency: add_or_remove_one}
questions:
  people: {kind: count, by: [sex]}
  mean_visits: {kind: mean, column: visits}
"""

TURNED = b"""\
privacy: {adjacency: add_or_remove_one, delta: 0.000001, epsilon: 1}
questions:
  people:
    by: [sex]
    kind: count
  mean_visits: {column: visits, kind: mean}
table:
  where: "visits < 70"
  columns:
    visits: {step: 0.50, bounds: [0.0, 77.00], type: number}
    sex: {levels: [f, m], type: category}
  unit: {rows_max: 1, kind: row}
  name: stays
recipients: [coordinator]
parties:
  north: {rows_expected: 500, rows_max: 1000, version: 1}
  south: {rows_expected: 500, version: 2, rows_max: 1000}
lead: {email: a@example.org, name: A. Person, organization: Institute}
purpose: planning
title: Visits
id: visits
version: 1
"""


def kinds_of(value: Plain) -> set[type]:
    if isinstance(value, dict):
        return {dict}.union(*(kinds_of(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return {list}.union(*(kinds_of(item) for item in value))
    return {type(value)}


@pytest.fixture
def plan(make_study: MakeStudy, make_roster: MakeRoster) -> Plan:
    study = make_study()
    return plan_study(study, make_roster(study))


def test_canonical_bytes_hold_only_text_and_integers(plan: Plan) -> None:
    assert kinds_of(plan.to_plain()) <= {dict, list, str, int, bool, type(None)}
    assert from_canonical(plan.canonical()) == json.loads(plan.canonical())
    assert b"E+" not in plan.canonical()
    assert b"E-" not in plan.canonical()


def test_a_party_that_receives_the_study_gets_the_same_digest(plan: Plan) -> None:
    sent = canonical_bytes(study_to_plain(plan.study))
    received = study_from_plain(from_canonical(sent))
    roster = Roster.from_plain(from_canonical(canonical_bytes(plan.roster.to_plain())))
    again = plan_study(received, roster)
    assert again.digest == plan.digest
    assert again == plan


def test_another_spelling_of_the_same_study_has_the_same_digest(make_roster: MakeRoster) -> None:
    one, two = parse_study(SCENARIO, "a.yaml"), parse_study(TURNED, "b.yaml")
    assert plan_study(one, make_roster(one)).digest == plan_study(two, make_roster(two)).digest


def test_order_that_means_something_changes_the_digest(make_roster: MakeRoster) -> None:
    study = parse_study(SCENARIO, "a.yaml")
    digest = plan_study(study, make_roster(study)).digest
    turned = dict(reversed(study.questions.items()))
    for changed in (
        study.model_copy(update={"questions": turned}),
        study.model_copy(update={"recipients": ("north",)}),
        study.model_copy(update={"title": "Visit"}),
    ):
        assert plan_study(changed, make_roster(changed)).digest != digest


@pytest.mark.parametrize("precision", [6, 28, 90])
def test_the_process_settings_of_decimals_change_nothing(
    make_study: MakeStudy, make_roster: MakeRoster, plan: Plan, precision: int
) -> None:
    with decimal.localcontext() as context:
        context.prec = precision
        context.rounding = decimal.ROUND_DOWN
        study = make_study()
        again = plan_study(study, make_roster(study))
        assert again.digest == plan.digest


def test_golden_plan_has_its_digest() -> None:
    """Fails when the meaning of a plan changes: then raise PLAN_VERSION, and regenerate with
    ``python tests/vectors/make_plan.py``."""
    vector = json.loads(VECTOR.read_text())
    planned = plan_study(study_from_plain(vector["study"]), Roster.from_plain(vector["roster"]))
    assert planned.digest == vector["digest"]
    assert f"{planned.epsilon_total:f}" == vector["epsilon"]
    assert planned.event.to_plain() == vector["event"]


@pytest.mark.parametrize("seed", ["0", "1"])
def test_golden_plan_has_its_digest_under_any_hash_seed(seed: str) -> None:
    vector = json.loads(VECTOR.read_text())
    script = (
        "import json, sys; from mpc.plan.build import plan_study; from mpc.roster import Roster\n"
        "from mpc.study.canonical import study_from_plain\n"
        "v = json.load(open(sys.argv[1]))\n"
        "print(plan_study(study_from_plain(v['study']), Roster.from_plain(v['roster'])).digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(VECTOR)],
        cwd=ROOT, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == vector["digest"]


def test_epsilon_is_never_shown_above_what_the_study_declares(
    make_study: MakeStudy, make_roster: MakeRoster
) -> None:
    for text in ("1", "0.1234567", "3.0000001", "0.0005"):
        study = make_study(epsilon=Decimal(text))
        assert plan_study(study, make_roster(study)).epsilon_total <= Decimal(text)
