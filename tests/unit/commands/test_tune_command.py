"""``parley plan --tune``: weights out of a scenario's targets, without asking anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from visits_study import write_visits

from mpc.study.parse import parse_study
from parties.cli import app
from parties.simulated_files import coordinator_file
from parties.simulation import Federation

SCENARIO = """\
version: 1
id: length-of-stay
title: Length of stay
purpose: quality-of-care
lead: {name: Joan Example, organization: Northern University, email: joan@university.example}
parties:
  insurer-north: {version: 1, rows_max: 20000, rows_expected: 9000}
  insurer-south: {version: 1, rows_max: 20000, rows_expected: 7000}
  insurer-west: {version: 1, rows_max: 20000, rows_expected: 4000}
recipients: [coordinator]
table:
  name: visits
  unit: {kind: row}
  columns:
    mdvis: {type: number, bounds: [0, 77]}
privacy: {epsilon: 1, delta: 0.000001, adjacency: add_or_remove_one}
questions:
  people: {kind: count, target: {half_width: 60}}
  visits: {kind: mean, column: mdvis, target: {half_width: 0.1}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coordinator's file whose parties nobody runs."""
    root = tmp_path_factory.mktemp("office")
    study = parse_study(SCENARIO.encode(), "scenario.yaml")
    federation = Federation(root / "federation", study)
    federation.build(write_visits(root / "data"))
    nowhere = dict.fromkeys(study.parties, "127.0.0.1:1")
    federation.coordinator_config.write_text(coordinator_file(nowhere, {}, federation._pins))
    return federation.coordinator_config


def tuned(config: Path, text: str, *options: str) -> tuple[int, str]:
    scenario = config.parent / "scenario.yaml"
    scenario.write_text(text)
    arguments = ["plan", str(scenario), "--config", str(config), "--tune", *options]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
    return result.exit_code, result.stdout


def test_it_prints_weights_that_then_need_no_other(config: Path) -> None:
    code, text = tuned(config, SCENARIO, "--json")
    assert code == 0
    answer = json.loads(text)
    assert (answer["status"], answer["data"]["met"]) == ("ok", True)
    weights = {each["name"]: each["weight"] for each in answer["data"]["questions"]}
    written = SCENARIO
    for name, weight in weights.items():
        written = written.replace(f"{name}: {{", f"{name}: {{weight: {weight}, ")
    again = json.loads(tuned(config, written, "--json")[1])["data"]
    assert {each["name"]: each["weight"] for each in again["questions"]} == weights
    code, text = tuned(config, SCENARIO)
    assert code == 0
    assert "write these weights into the scenario" in text
    assert all(weight in text for weight in weights.values())


def test_a_budget_too_small_is_exit_4_with_the_epsilon_that_would_do(config: Path) -> None:
    dear = SCENARIO.replace("half_width: 60", "half_width: 4")
    code, text = tuned(config, dear, "--json")
    answer = json.loads(text)
    assert (code, answer["status"], answer["data"]["met"]) == (4, "refused", False)
    assert [each["met_alone"] for each in answer["data"]["questions"]] == [False, True]
    enough = dear.replace("epsilon: 1,", f"epsilon: {answer['data']['epsilon_needed']},")
    assert tuned(config, enough)[0] == 0
    code, text = tuned(config, dear)
    assert code == 4
    assert "people: its target takes more than the whole budget" in text


def test_without_a_target_or_with_a_plan_file_to_write_it_says_what_to_do(config: Path) -> None:
    code, text = tuned(config, SCENARIO.replace(", target: {half_width: 60}", "").replace(
        ", target: {half_width: 0.1}", ""), "--json")  # fmt: skip
    assert (code, json.loads(text)["code"]) == (2, "PLY-P001")
    code, text = tuned(config, SCENARIO, "--json", "--out", str(config.parent / "plan.json"))
    assert (code, json.loads(text)["hint"]) == (2, "leave --out away")
    assert not (config.parent / "plan.json").exists()
