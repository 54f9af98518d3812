"""Small cells left out of answers, by what was released alone.

This is presentation, as owners' rules for tables ask for it: the promise is kept by the noise. A
receipt keeps all released integers, so whoever has one can read what is left out here.
"""

from __future__ import annotations

from dataclasses import replace

from mpc.questions.answer import Answer, Cell, Estimate


def suppressed(answer: Answer, min_cell: int) -> Answer:
    """``answer`` without the values of cells whose released, noisy count is below ``min_cell``.

    Their count says that it is ``below`` that; every estimate of such a cell is null with a reason.
    The noise decides as much as the rows do: a cell near the limit may fall on either side. Raises
    KeyError if the question releases no count.
    """
    return replace(answer, cells=tuple(_cell(cell, min_cell) for cell in answer.cells))


def _cell(cell: Cell, min_cell: int) -> Cell:
    count = cell.estimate("count").value
    if count is not None and count >= min_cell:
        return cell
    reason = f"its noisy count is below {min_cell}, the study's least"
    return replace(
        cell,
        estimates=tuple(
            Estimate(
                name=estimate.name,
                value=None,
                noise_sd=None,
                low=None,
                high=None,
                reason=reason,
                below=min_cell if estimate.name == "count" else None,
            )
            for estimate in cell.estimates
        ),
    )
