"""Tables on narrow terminals: no word of ours is broken, and wide terminals are used."""

from __future__ import annotations

import io

import pytest
from receipts import Run
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from mpc.outcome import decode_totals
from parties.report.figures import decimals_for, number_text
from parties.report.narrow import Section, Sections
from parties.report.tables import plan_table, result_table
from parties.report.truths import LABEL


def lines(table: RenderableType, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [72, 80, 100, 200])
def test_names_and_numbers_stay_whole_and_no_line_is_too_long(run: Run, width: int) -> None:
    answers = decode_totals(run.plan, run.totals)
    for table in (result_table(answers, run.plan, (), truth=answers), plan_table(run.plan, ())):
        shown = lines(table, width)
        assert max(map(cell_len, shown)) <= width
        for question in run.plan.questions:
            assert any(question.name in line for line in shown)
    text = "\n".join(lines(result_table(answers, run.plan, (), truth=answers), width))
    assert "…" not in text
    for answer in answers:
        for estimate in answer.cells[0].estimates:
            assert number_text(estimate.value, decimals_for(estimate.noise_sd)) in text


def test_questions_are_titles_on_80_columns_and_cells_on_200(run: Run) -> None:
    answers = decode_totals(run.plan, run.totals)
    name = run.plan.questions[0].name
    narrow = lines(result_table(answers, run.plan, (), truth=answers), 80)
    assert any(line.startswith(name) and "ε" in line for line in narrow)
    assert any(LABEL in line for line in narrow)
    wide = lines(result_table(answers, run.plan, (), truth=answers), 200)
    assert any(line.strip().startswith(name) and " to " in line for line in wide)


def test_long_labels_are_folded_and_numbers_never(run: Run) -> None:
    label = "a label of many words " * 6
    row = (Text(label), Text("Standard deviation"), Text("1,234,567"), Text("1 to 2"))
    heads = [Text(each) for each in ("group", "estimate", "released", "interval")]
    shown = lines(Sections(heads, [Section(Text("q" * 90), Text("ε 1"), (row,))]), 60)
    assert max(map(cell_len, shown)) <= 60
    assert any("1,234,567" in line for line in shown)
    assert sum(line.count("words") for line in shown) == 6
    assert sum(line.count("q") for line in shown) == 90
