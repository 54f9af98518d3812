"""Estimates that noise carried beyond what they can be: a mark in tables, and what was cut."""

from __future__ import annotations

from mpc.questions.answer import Answer, Estimate
from parties.report.figures import decimals_for, number_text
from parties.report.wording import estimate_text, short_cell_text

MARK = "†"


def value_text(estimate: Estimate, decimals: int) -> str:
    """The value as tables show it, marked if something is noted of it."""
    text = number_text(estimate.value, decimals)
    return f"{text} {MARK}" if estimate.note else text


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
