"""Proof that no released integer leaves (-2^62, 2^62), from declared bounds and row caps alone.

Sums wrap silently in the ring, so a plan whose sums could is refused. Privacy never depends on
this, only the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import isqrt

from mpc.columns.model import Column, NumberColumn
from mpc.errors import PlanRefusal
from mpc.layout import Layout
from mpc.plan.model import PlannedBlock
from mpc.ring.words import RANGE_MAX

NOISE_DEVIATIONS = 12
"""Noise beyond 12 standard deviations has probability below 10^-31."""

MAGNITUDE_MAX = Decimal(10) ** 18
EXPONENT_MIN = -18


def root_up(value: Fraction) -> int:
    """Least integer whose square is at least ``value``."""
    whole = -(-value.numerator // value.denominator)
    return 0 if whole <= 0 else isqrt(whole - 1) + 1


def noise_bound(total_variance: Fraction) -> int:
    """12 standard deviations, rounded up."""
    return root_up(total_variance * NOISE_DEVIATIONS**2)


def check_number(question: str, name: str, column: Column) -> None:
    """Numbers that floats of any machine show well: at most 10^18, steps of 18 decimals."""
    if not isinstance(column, NumberColumn):
        return
    magnitude = max(abs(bound) for bound in column.bounds)
    exponent = column.step.as_tuple().exponent
    if magnitude > MAGNITUDE_MAX or not isinstance(exponent, int) or exponent < EXPONENT_MIN:
        raise PlanRefusal(
            question,
            f"bounds or step of column {name!r} exceed what is offered",
            hint="at most 10^18 from zero, and a step of at most 18 decimals",
        )


def check_range(
    question: str, layout: Layout, block: PlannedBlock, columns: Mapping[str, Column]
) -> None:
    """Raises PlanRefusal, naming the column, its bounds and a step that fits, if it could wrap."""
    if block.sum_max + block.noise_max < RANGE_MAX:
        return
    reach = (block.sum_max + block.noise_max).bit_length()
    column = None if layout.term is None else columns[layout.term.column]
    if layout.term is None or not isinstance(column, NumberColumn):
        raise PlanRefusal(
            question,
            f"{block.name} could reach 2^{reach}; the ring holds results below 2^62",
            hint="lower rows_max, or give the question more budget",
        )
    low, high = column.bounds
    raise PlanRefusal(
        question,
        f"{block.name} of {layout.term.column!r} could reach 2^{reach} with bounds "
        f"[{low:f}, {high:f}] at step {column.step:f}; the ring holds results below 2^62",
        hint=_coarser(block, column),
    )


def _coarser(block: PlannedBlock, column: NumberColumn) -> str:
    """The finest step of ten, hundred, … times this one whose sums fit, if the bounds allow it."""
    reach, power = block.sum_max + block.noise_max, block.block.power
    value_max = block.block.value_max
    half_range = value_max if power == 1 else isqrt(value_max)
    for factor in (10**digits for digits in range(1, 18)):
        step = column.step * factor
        if step >= column.bounds[1] - column.bounds[0]:
            break
        # Sums and noise are both in proportion to value_max.
        coarse = reach * (half_range // factor + 1) ** power // value_max + 1
        if coarse < RANGE_MAX and not column.bounds[0] % step and not column.bounds[1] % step:
            return f"a step of {step:f} fits; or narrow the bounds, or lower rows_max"
    return "use a coarser step, narrow the bounds, or lower rows_max"
