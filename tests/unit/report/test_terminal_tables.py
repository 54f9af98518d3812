"""Terminal tables: what they show, and that text from outside is text."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from receipts import Federation, Run, run_of, study
from rich.console import Console, RenderableType

from mpc.columns.model import CategoryColumn
from mpc.outcome import decode_totals
from mpc.plan.build import plan_study
from mpc.questions.count.declare import Count
from mpc.study.model import RowUnit, Study, Table
from mpc.units import PartyId, RhoPico
from parties.report.plan_document import plan_document
from parties.report.standing import Decision, PartyBudget, PartyVerdict, VerdictReason
from parties.report.tables import (
    CELLS_SHOWN_MAX,
    TRUTH_HEAD,
    plan_table,
    result_table,
)
from parties.report.verify import Verification

DELTA = Decimal("0.000001")
BUDGET = PartyBudget(PartyId("north"), RhoPico(10**12), RhoPico(75 * 10**10), DELTA)


def printed(table: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system="standard").print(table)
    return out.getvalue()


def study_with_levels(*levels: str, title: str = "A study") -> Study:
    table = Table(
        name="stays",
        unit=RowUnit(kind="row"),
        columns={"group": CategoryColumn(type="category", levels=levels)},
    )
    asked = {"people": Count(kind="count", by=("group",))}
    return study(title=title, table=table, questions=asked)


def test_results_show_value_interval_epsilon_and_budget(verified: Verification) -> None:
    text = printed(result_table(verified.answers, verified.plan, (BUDGET,)))
    for question in verified.plan.questions:
        assert question.name in text
    cell = verified.answers[0].cells[0].estimates[0]
    assert f"{cell.value:,}" in text
    assert f"{cell.low:,.0f} to {cell.high:,.0f}" in text
    assert "1.000" in text  # epsilon of the study
    assert "75%" in text
    assert TRUTH_HEAD.split(maxsplit=1)[0] not in text


def test_truth_is_shown_only_when_given_and_says_that_it_needs_simulation(run: Run) -> None:
    answers = decode_totals(run.plan, run.totals)
    text = printed(result_table(answers, run.plan, (), truth=answers), width=200)
    for word in TRUTH_HEAD.split():
        assert word in text


@pytest.mark.parametrize("width", [80, 120])
def test_numbers_are_never_cut_short(verified: Verification, width: int) -> None:
    text = printed(result_table(verified.answers, verified.plan, (BUDGET,)), width=width)
    assert "…" not in text


def test_markup_and_control_characters_from_outside_are_plain_text(members: Federation) -> None:
    asked = study_with_levels(
        "[red]x[/red]", "[/]", title="[bold red]T[/bold red] [link=a]b[/link]"
    )
    run = run_of(members, asked)
    text = printed(result_table(decode_totals(run.plan, run.totals), run.plan, ()))
    assert "[red]x[/red]" in text
    assert "[bold red]T[/bold red] [link=a]b[/link]" in text
    reason = VerdictReason("PLY-R014", "\x1b[2J[red]no\x07", "ask\n[/]")
    verdict = PartyVerdict(PartyId("north"), Decision.REFUSE, (reason,))
    shown = printed(plan_table(run.plan, (verdict,)))
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "[red]no" in shown


def test_many_groups_are_cut_and_the_rest_is_counted(members: Federation) -> None:
    asked = study_with_levels(*(f"level-{i}" for i in range(CELLS_SHOWN_MAX + 3)))
    run = run_of(members, asked)
    text = printed(result_table(decode_totals(run.plan, run.totals), run.plan, ()))
    assert f"level-{CELLS_SHOWN_MAX - 1}" in text
    assert f"level-{CELLS_SHOWN_MAX} " not in text
    assert "3 more groups" in text


def test_plan_shows_costs_columns_errors_and_each_verdict(run: Run) -> None:
    reason = VerdictReason("PLY-R014", "column visits may not be used", "drop visits")
    verdicts = (
        PartyVerdict(PartyId("north"), Decision.ALLOW, (), BUDGET),
        PartyVerdict(PartyId("south"), Decision.ASK),
        PartyVerdict(PartyId("west"), Decision.REFUSE, (reason,), contact="DPO <dpo@west.example>"),
    )
    text = printed(plan_table(run.plan, verdicts), width=160)
    assert "a person there decides" in text
    assert "not proposed yet" not in text  # verdicts alone do not tell
    for part in ("visits [0, 77]", "±", "allow", "ask", "refuse", "PLY-R014",
                 "drop visits", "west: ask DPO <dpo@west.example>", "0.75 of 1",
                 "1 party refuses", run.plan.digest):  # fmt: skip
        assert part in text


def test_plan_as_json_holds_the_same_with_every_digit(run: Run) -> None:
    verdicts = (PartyVerdict(PartyId("north"), Decision.ALLOW, (), BUDGET),)
    document = json.loads(json.dumps(plan_document(run.plan, verdicts)))
    assert document["plan_digest"] == run.plan.digest
    assert document["runnable"] is True
    assert [q["name"] for q in document["questions"]] == [q.name for q in run.plan.questions]
    assert document["verdicts"][0]["budget"]["rho_left"] == "0.75"
    assert document["verdicts"][0]["verdict"] == "allow"
    refused = plan_document(run.plan, (PartyVerdict(PartyId("west"), Decision.REFUSE),))
    assert (refused["runnable"], refused["verdicts"][0]["verdict"]) == (False, "refuse")  # type: ignore[index]
    assert plan_document(run.plan, ())["runnable"] is False


def test_plan_of_another_study_is_another_document(members: Federation) -> None:
    plan = plan_study(study_with_levels("a", "b"), members.roster)
    assert plan_document(plan, ())["columns"] == {"group": ["group"]}


def test_owner_without_a_published_budget_is_listed(verified: Verification) -> None:
    text = printed(result_table(verified.answers, verified.plan, (BUDGET,)))
    assert text.count("not published") == len(verified.plan.roster.parties) - 1
    assert "not published" not in printed(result_table(verified.answers, verified.plan, None))


@pytest.mark.parametrize("width", [80, 160])
def test_terminal_says_why_epsilons_do_not_add_up_and_which_rows_are_counted(
    verified: Verification, width: int
) -> None:
    for table in (
        result_table(verified.answers, verified.plan, None),
        plan_table(verified.plan, ()),
    ):
        words = " ".join(printed(table, width).split())
        assert "losses add in ρ (composition)" in words
        assert "Rows with visits" in words
