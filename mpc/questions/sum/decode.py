"""``sum``: released integers → totals in the column's unit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from mpc.columns.model import Column
from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.declaration import number
from mpc.questions.intervals import positive_zero, root
from mpc.questions.noise_sum import half_width
from mpc.questions.sum.declare import Sum


def decode(
    question: Sum, columns: Mapping[str, Column], cell: ReleasedCell
) -> tuple[Estimate, ...]:
    """The raw integer times the step, unbiased, with its 95 % noise interval."""
    column = number(question.column, columns)
    total = cell.integers[0]
    step = Fraction(column.step)
    width = half_width(cell.noises[0])
    value = total * step
    return (
        Estimate(
            name="sum",
            value=value.numerator if value.denominator == 1 else float(value),
            noise_sd=float(step) * root(cell.variances[0]),
            low=positive_zero(float((total - width) * step)),
            high=positive_zero(float((total + width) * step)),
            exact=exact_text(total, column.step),
        ),
    )


def exact_text(total: int, step: Decimal) -> str:
    """``total`` steps as a decimal number with every digit, and no negative zero."""
    _sign, digits, exponent = step.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("step must be finite")
    scaled = abs(total) * int("".join(map(str, digits)))
    text = str(scaled * 10 ** max(exponent, 0))
    if exponent < 0:
        text = text.rjust(1 - exponent, "0")
        text = f"{text[:exponent]}.{text[exponent:]}".rstrip("0").rstrip(".")
    return f"-{text}" if total < 0 and scaled else text
