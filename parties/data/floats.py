"""Binary floats rounded to a grid as the exact numbers they are, in SQL.

Dividing a double by the step is right except close to a tie, where the quotient's own rounding may
decide. There the double is scaled by a power of two to an integer, and compared in integers with
the middle between two steps; where 127 bits do not hold that, by its decimal digits, all of them.
"""

from __future__ import annotations

import math
from fractions import Fraction

from parties.data.grid import Grid
from parties.data.notation import plain_units

HUGE_MAX = 1 << 126
FLOAT_DIGITS = 53
STEPS_FAST_MAX = 1 << 46  # beyond it, a quotient's error may pass an eighth of a step


def nearest_step(cell: str, grid: Grid) -> str:
    """Steps nearest to the double ``cell``, halves to even, as SQL; NULL for NULL.

    ``cell``: within the bounds.
    """
    reach = max(abs(grid.low), abs(grid.high))
    if reach > STEPS_FAST_MAX:
        return _by_digits(cell, grid)
    quotient = cell if grid.places == 0 else f"({cell} * {_double(10**grid.places)})"
    if grid.numerator != 1:
        quotient = f"({quotient} / {_double(grid.numerator)})"
    nearest = f"CAST({quotient} AS BIGINT)"  # to even, as the processor rounds
    margin = _double(0.5 - (reach + 1) * 2.0**-50)
    exact = _by_integers(cell, f"floor({quotient})", grid)
    return f"(CASE WHEN abs({quotient} - {nearest}) >= {margin} THEN {exact} ELSE {nearest} END)"


def _by_integers(cell: str, below: str, grid: Grid) -> str:
    """Close to a tie between ``below`` and the step above it.

    There ``cell`` is at least a quarter of a step, so 2^shift makes an integer of it.
    """
    shift = FLOAT_DIGITS + max(0, math.ceil(math.log2(4 / grid.step)))
    reach = max(abs(grid.low), abs(grid.high)) + 2
    if 4 * reach * grid.numerator << shift >= HUGE_MAX:
        return _by_digits(cell, grid)
    whole = f"CAST({cell} * {_double(2**shift)} AS HUGEINT)"
    twice = f"({whole} * {2 * 10**grid.places}::HUGEINT)"
    steps = f"CAST({below} AS HUGEINT)"
    middle = f"((2 * {steps} + 1) * {grid.numerator << shift}::HUGEINT)"
    up = f"({twice} > {middle} OR ({twice} = {middle} AND {steps} % 2 <> 0))"
    return f"(CAST({below} AS BIGINT) + CASE WHEN {up} THEN 1 ELSE 0 END)"


def _by_digits(cell: str, grid: Grid) -> str:
    """By the decimal digits of the double, of which it has finitely many."""
    places = FLOAT_DIGITS + max(0, math.ceil(math.log2(4 / grid.step))) + 2
    digits = f"format('{{:.{places}f}}', {cell})"
    units = f"CAST({plain_units(digits, grid)} AS HUGEINT)"
    each = grid.numerator * 10 ** (grid.scale - grid.places)
    above = f"({units} - ({grid.low * each})::HUGEINT)"
    steps, rest = f"({above} // {each}::HUGEINT)", f"({above} % {each}::HUGEINT)"
    odd = f"({steps} + {grid.low % 2}) % 2 = 1"
    up = f"(2 * {rest} > {each} OR (2 * {rest} = {each} AND {odd}))"
    nearest = f"CAST({grid.low} + {steps} + CASE WHEN {up} THEN 1 ELSE 0 END AS BIGINT)"
    return f"(CASE WHEN {cell} IS NOT NULL THEN {nearest} END)"


def _double(value: float | int | Fraction) -> str:
    return f"CAST('{float(value)!r}' AS DOUBLE)"
