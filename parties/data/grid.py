"""A declared grid in integers: where its bounds lie in units finer than half a step.

A number is compared with bounds and halves of steps only, all of them multiples of a unit two
decimal places below the step. So a text of any length is decided exactly by its digits down to
that unit and one bit: whether anything but zeros follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from mpc.columns.model import NumberColumn

DIGITS_MAX = 38  # of DuckDB's widest decimal
PLACES_BELOW_STEP = 2


@dataclass(frozen=True)
class Grid:
    """Multiples of ``numerator`` / 10^``places`` from ``low`` to ``high`` steps."""

    low: int
    high: int
    numerator: int
    places: int

    @classmethod
    def of(cls, column: NumberColumn) -> Grid:
        """The study's grid."""
        numerator, places = _plain(column.step)
        return cls(column.low, column.high, numerator, places)

    @classmethod
    def within(cls, bounds: tuple[Decimal, Decimal]) -> Grid:
        """The coarsest power of ten on which both ``bounds`` lie, to compare with them."""
        places = max(_plain(bound)[1] for bound in bounds)
        low, high = (int(bound.scaleb(places)) for bound in bounds)
        return cls(low, high, 1, places)

    @property
    def step(self) -> Fraction:
        return Fraction(self.numerator, 10**self.places)

    @property
    def scale(self) -> int:
        """Text is read in units of 10^-scale."""
        return self.places + PLACES_BELOW_STEP

    @property
    def whole_digits(self) -> int:
        """Digits before the point that a number within the bounds can have; one to spare."""
        reach = max(abs(self.low), abs(self.high)) * self.step
        return len(str(int(reach))) + 1

    @property
    def is_readable(self) -> bool:
        """Whether every number within reach of the bounds has exact units in DuckDB."""
        return self.whole_digits + self.scale < DIGITS_MAX


def _plain(value: Decimal) -> tuple[int, int]:
    """``value`` as numerator and least number of decimal places: numerator / 10^places."""
    exact = Fraction(value)
    places = 0
    while (exact * 10**places).denominator != 1:
        places += 1
    return int(exact * 10**places), places
