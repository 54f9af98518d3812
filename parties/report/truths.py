"""Plain-text answers beside released ones. They exist in simulation only."""

from __future__ import annotations

from collections.abc import Sequence

from mpc.questions.answer import Answer

LABEL = "possible only in simulation"


class Truths:
    """Looks a plain value up by question, cell and estimate; falsy if there are none."""

    def __init__(self, answers: Sequence[Answer] | None) -> None:
        self._values: dict[tuple[str, int, str], int | float | None] = {
            (answer.question, index, estimate.name): estimate.value
            for answer in answers or ()
            for index, cell in enumerate(answer.cells)
            for estimate in cell.estimates
        }

    def __bool__(self) -> bool:
        return bool(self._values)

    def value(self, question: str, cell: int, estimate: str) -> int | float | None:
        """The plain value, None if it is not known."""
        return self._values.get((question, cell, estimate))
