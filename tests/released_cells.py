"""A cell's released integers with one noise each."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from mpc.questions.answer import ReleasedCell


def released_cell(integers: Iterable[int], variances: Iterable[Fraction]) -> ReleasedCell:
    """``integers``, each with one discrete Gaussian of its variance; without noise where 0."""
    return ReleasedCell(tuple(integers), tuple((variance,) for variance in variances))
