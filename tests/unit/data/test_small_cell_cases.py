"""Faulty outputs that other tools give where few rows stand: rows that vanish, text thresholds,
private numbers of rows that are divided by as they are. tests/cases/faults.json tells each story.
"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from owner_tables import answers_without_noise, open_version, plan_text, scenario, values
from rich.console import Console
from test_data_fault_cases import EXPECTED, NUMBER, TEXT, Site, category, number

from mpc.outcome import decode_totals
from mpc.plan.model import Plan
from mpc.questions.answer import Answer
from parties.report.tables import result_table


def planned(asked: bytes, sites: list[Site]) -> tuple[Plan, dict[str, Answer]]:
    plan = plan_text(asked)
    tables = [
        open_version(site.register().version, plan.study.table, site.folder) for site in sites
    ]
    return plan, answers_without_noise(plan, tables)


def shown(plan: Plan, answers: dict[str, Answer]) -> str:
    text = StringIO()
    Console(width=120, file=text).print(result_table(tuple(answers.values()), plan, None))
    return text.getvalue()


def test_d06_a_count_that_noise_makes_low_keeps_its_row(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"D06/{name}.csv", {"x": NUMBER}) for name in ("a", "b")]
    plan, answers = planned(scenario({"x": number(0, 10)}, {"n": {"kind": "count"}}), sites)
    assert values(answers["n"], "count") == {(): EXPECTED["D06"]["count"]}
    for noised in (3, 0, -40):
        (answer,) = decode_totals(plan, [noised])
        assert len(answer.cells) == EXPECTED["D06"]["rows"]
        assert answer.cells[0].estimate("count").value == noised


def test_d07_a_mean_divides_by_a_number_of_rows_that_is_noised_too(tmp_path: Path) -> None:
    """Two rows or three: what is released of them differs by no more than the noise hides."""
    asked = scenario({"x": number(0, 1)}, {"m": {"kind": "mean", "column": "x"}})
    worlds = []
    for name in ("d1", "d2"):
        site = Site(tmp_path, f"D07/{name}.csv", {"x": NUMBER})
        plan, answers = planned(asked, [site])
        worlds.append(answers["m"].cells[0].estimate("count").value)
    assert sorted(worlds) == [2, 3]
    assert {block.name for block in plan.question("m").blocks} == {"n", "s1"}
    assert all(block.party_variance > 0 for block in plan.question("m").blocks)
    assert plan.epsilon_total <= EXPECTED["D07"]["attack_epsilon_max"]


def test_t09_small_groups_are_printed_as_less_than_the_stated_least(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"T09/{name}.csv", {"g": TEXT}) for name in ("a", "b")]
    question = {"people": {"kind": "count", "by": ["g"]}}
    asked = scenario({"g": category("w", "x", "y", "z")}, question)
    plan, answers = planned(json.dumps({**json.loads(asked), "min_cell": 5}).encode(), sites)
    counts = {labels[0]: value for labels, value in values(answers["people"], "count").items()}
    wanted = {g: None if isinstance(n, str) else n for g, n in EXPECTED["T09"].items()}
    assert counts == wanted
    text = shown(plan, answers)
    for group, count in EXPECTED["T09"].items():
        line = next(line for line in text.splitlines() if f" {group} " in line)
        assert str(count) in line
    assert "5" in text
