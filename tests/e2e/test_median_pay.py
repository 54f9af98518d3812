"""Median pay at four employers: nodes, a dealer and a coordinator as processes, on real pay.

What is found is held to the plain data by its rank. All noises of a walk stay within the stated
reach with 95 % at least, and, being sub-Gaussian, within twice that but for 2 levels /
(40 levels)^4 of all runs: four walks of 11 levels give a false alarm in fewer than one of 10^8.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from running_federation import balances, finish, office_of, running

from mpc.errors import PolicyRefusal
from mpc.plan.model import Plan
from mpc.study.parse import parse_study
from parties.coordinator.office import Finished, Office
from parties.simulation import Federation

FOLDER = Path(__file__).parents[2] / "scenarios" / "median-pay"
STUDY = parse_study((FOLDER / "scenario.yaml").read_bytes(), "scenario.yaml")
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def recipe() -> ModuleType:
    spec = spec_from_file_location("median_pay_recipe", FOLDER / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def employers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    root = tmp_path_factory.mktemp("payroll")
    data = recipe().write(root / "data")
    with running(root / "federation", STUDY, data) as federation:
        yield federation


@pytest.fixture(scope="module")
def office(employers: Federation) -> Office:
    return office_of(employers)


@pytest.fixture(scope="module")
def plan(office: Office) -> Plan:
    return office.plan(STUDY)


@pytest.fixture(scope="module")
def finished(office: Office, plan: Plan) -> Finished:
    return finish(office, plan)


def pay_of(federation: Federation, gender: str | None) -> list[int]:
    pay = []
    for party in federation.nodes:
        path = federation.root.parent / "data" / f"{party}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if gender in (None, row["gender"])]
        pay += [min(200_000, round(float(row["pay"]))) for row in rows]
    return pay


def test_the_stored_answers_are_those_of_the_recipe() -> None:
    assert recipe().expected() == EXPECTED
    assert list(EXPECTED) == list(STUDY.questions)


def test_the_quantiles_found_have_the_rank_that_was_asked_for(
    employers: Federation, plan: Plan, finished: Finished
) -> None:
    searched = 0
    for answer in finished.verified.answers:
        planned = plan.question(answer.question)
        search = planned.layout.search
        assert search is not None
        for cell in answer.cells:
            pay = pay_of(employers, dict(cell.labels).get("gender"))
            found, rank = cell.estimate("quantile"), cell.estimate("rank")
            assert found.value is not None
            assert rank.high is not None
            reach = 2 * (rank.high - search.part / search.whole) * len(pay) * 1.1
            below = sum(each < found.value for each in pay)
            up_to = sum(each <= found.value for each in pay)
            asked = len(pay) * search.part / search.whole
            assert below - reach <= asked <= up_to + reach
            assert found.value % 100 == 0
            searched += 1
    assert searched == 4


def test_rows_are_counted_beside_the_quantiles(finished: Finished) -> None:
    """12 standard deviations: no false alarm in 10^30 runs."""
    for answer in finished.verified.answers:
        for cell, plain in zip(answer.cells, EXPECTED[answer.question], strict=True):
            count = cell.estimate("count")
            assert isinstance(count.value, int)
            assert abs(count.value - plain["n"]) <= 12 * (count.noise_sd or 0)


def test_every_owner_is_charged_the_plans_price_once(
    employers: Federation, office: Office, plan: Plan, finished: Finished
) -> None:
    assert not finished.repeated
    assert finish(office, plan).repeated
    assert {held.rho_spent for held in balances(employers).values()} == {plan.rho_total}


def test_the_dealer_is_a_process_of_its_own_without_data(employers: Federation) -> None:
    dealer = employers.dealer
    assert dealer is not None
    assert dealer.process is not None
    nodes = {node.process.pid for node in employers.nodes.values() if node.process is not None}
    assert len(nodes) == 4
    assert dealer.process.pid not in nodes
    held = [path.read_bytes() for path in dealer.directory.rglob("*") if path.is_file()]
    assert not [data for data in held if b"payroll" in data]


def test_an_owner_that_accepts_no_dealer_refuses_and_nothing_is_spent(
    employers: Federation, plan: Plan
) -> None:
    strict = employers.nodes["employer-south"]
    policy = strict.directory / "policy.yaml"
    written, before = policy.read_text(), balances(employers)
    strict.stop()
    policy.write_text(written.replace("- dealing-house", "- another-house"))
    try:
        strict.start()
        strict.wait_ready()
        asked = STUDY.model_copy(update={"title": "Median pay, asked of a strict owner"})
        office = office_of(employers)
        with pytest.raises(PolicyRefusal, match="dealing-house"):
            finish(office, office.plan(asked))
        assert balances(employers) == before
    finally:
        strict.stop()
        policy.write_text(written)
        strict.start()
        strict.wait_ready()
