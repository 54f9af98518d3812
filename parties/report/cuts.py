"""Estimates that noise carried beyond what they can be: what was cut, and what was adjusted."""

from __future__ import annotations

from collections.abc import Iterable

from mpc.questions.answer import Answer, Estimate
from parties.report.figures import decimals_for, number_text
from parties.report.wording import estimate_text, short_cell_text

MARK = "†"
ADJUSTED = "adjusted"  # the head of values that agree with the study's other answers


def value_text(estimate: Estimate, decimals: int) -> str:
    """The value as tables show it, marked if something is noted of it; ``<5`` if it is left out."""
    if estimate.below is not None:
        return f"<{estimate.below}"
    text = number_text(estimate.value, decimals)
    return f"{text} {MARK}" if estimate.note else text


def adjusts(answers: Iterable[Answer]) -> bool:
    """Whether any of their estimates has an adjusted value, and so a column for these is due."""
    return any(
        estimate.adjusted is not None
        for answer in answers
        for cell in answer.cells
        for estimate in cell.estimates
    )


def adjusted_text(estimate: Estimate, decimals: int) -> str:
    """The value as the study's other answers and reason correct it; blank if they do not."""
    return "" if estimate.adjusted is None else number_text(estimate.adjusted, decimals)


def cut_notes(answer: Answer, counted: str, cells_max: int | None = None) -> list[str]:
    """A sentence for each kind of note, naming the groups and estimates that have it.

    ``cells_max``: how many cells, from the first, a table shows; None if all.
    """
    noted: dict[str, list[str]] = {}
    for cell in answer.cells[:cells_max]:
        for estimate in cell.estimates:
            if estimate.note:
                name = estimate_text(estimate.name, counted)
                if answer.cells[0].labels:
                    name = f"{name} of {short_cell_text(cell)}"
                raw = number_text(estimate.raw, decimals_for(estimate.noise_sd))
                before = "" if estimate.raw is None else f" (before: {raw})"
                noted.setdefault(estimate.note, []).append(name + before)
    return [f"{MARK} {note}: {', '.join(names)}" for note, names in noted.items()]
