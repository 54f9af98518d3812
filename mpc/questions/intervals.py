"""95 % noise intervals of integers, ratios and variances, from released integers alone.

Counts and sums take the exact distribution of the noise (:mod:`mpc.questions.noise_sum`). To
ratios and variances it is normal, widened by half a lattice step. Ratios use Fieller's set
(1954): all values of the ratio that the released pair does not contradict. The true ratio lies
within the declared bounds, so cutting there keeps the coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from mpc.questions.answer import Estimate, ReleasedCell
from mpc.questions.noise_sum import half_width

Z95 = 1.959963984540054  # Phi^-1(0.975)
_Z = Fraction(Z95)
_LATTICE = Fraction(1, 2) / _Z


@dataclass(frozen=True)
class Span:
    """An interval of exact ends."""

    low: Fraction
    high: Fraction


def positive_zero(value: float) -> float:
    """``value``, and 0.0 for -0.0."""
    return value + 0.0


def root(value: Fraction) -> float:
    """Square root of a fraction that is not negative."""
    return math.sqrt(value)


def count_estimate(cell: ReleasedCell) -> Estimate:
    """The number of rows of a cell: the raw unbiased integer, below 0 where noise makes it so."""
    count, width = cell.integers[0], half_width(cell.noises[0])
    return Estimate(
        name="count",
        value=count,
        noise_sd=root(cell.variances[0]),
        low=count - width,
        high=count + width,
        exact=str(count),
    )


def ratio_span(cell: ReleasedCell, bounds: Span) -> Span:
    """Fieller's 95 % set of s1 / n, cut to ``bounds``; all of them if n could be zero.

    Solves (s1 - r n)^2 <= z^2 (V1 + r^2 Vn) for r.
    """
    count, total = cell.integers[0], cell.integers[1]
    z_squared = _Z * _Z
    count_variance = _on_lattice(cell.variances[0])
    total_variance = _on_lattice(cell.variances[1])
    leading = count * count - z_squared * count_variance
    if leading <= 0:
        return bounds
    inner = (
        count * count * total_variance
        + total * total * count_variance
        - z_squared * total_variance * count_variance
    )
    reach = _Z * Fraction(root(max(inner, Fraction(0))))
    middle = Fraction(count * total)
    return Span(
        clamp((middle - reach) / leading, bounds), clamp((middle + reach) / leading, bounds)
    )


def variance_span(cell: ReleasedCell, bounds: Span) -> Span:
    """The 95 % set of the sample variance, by Fieller's argument, cut to ``bounds``.

    For a variance g let T(g) = n s2 - s1^2 - g n (n - 1), zero at the true g without noise. With
    noise its mean is A - g B, its variance (second-order terms included)
    n^2 V2 + 4 s1^2 V1 + (s2 - g (2n - 1))^2 Vn + V2 Vn + 2 V1^2 + 2 g^2 Vn^2; the set is
    (A - g B)^2 <= z^2 times that, a quadratic in g.
    """
    count, total, squares = cell.integers
    v_count, v_total, v_squares = (_on_lattice(variance) for variance in cell.variances)
    mean_0 = count * squares - total * total + cell.variances[1]
    mean_1 = count * (count - 1) - cell.variances[0]
    slope = 2 * count - 1
    z_squared = _Z * _Z
    spread_0 = (
        count * count * v_squares
        + 4 * total * total * v_total
        + squares * squares * v_count
        + v_squares * v_count
        + 2 * v_total * v_total
    )
    spread_1 = -2 * squares * slope * v_count
    spread_2 = slope * slope * v_count + 2 * v_count * v_count
    leading = mean_1 * mean_1 - z_squared * spread_2
    half_linear = mean_0 * mean_1 + z_squared * spread_1 / 2
    constant = mean_0 * mean_0 - z_squared * spread_0
    discriminant = half_linear * half_linear - leading * constant
    if leading <= 0 or discriminant < 0 or mean_1 <= 0:
        return bounds
    reach = Fraction(root(discriminant))
    return Span(
        clamp((half_linear - reach) / leading, bounds),
        clamp((half_linear + reach) / leading, bounds),
    )


def clamp(value: Fraction, bounds: Span) -> Fraction:
    """``value``, cut to ``bounds``."""
    return max(bounds.low, min(bounds.high, value))


@dataclass(frozen=True)
class Cut:
    """``raw``, and what of it the bounds allow."""

    raw: Fraction
    bounds: Span

    @property
    def value(self) -> Fraction:
        return clamp(self.raw, self.bounds)

    @property
    def moved(self) -> bool:
        """Whether the bounds changed it."""
        return self.value != self.raw


def _on_lattice(variance: Fraction) -> Fraction:
    """``variance`` with its 95 % half-width half a lattice step wider; 0 stays 0.

    Integer noise of a small standard deviation has lumps of probability that a normal interval
    would cut off.
    """
    if variance == 0:
        return variance
    spread = Fraction(root(variance)) + _LATTICE
    return spread * spread
