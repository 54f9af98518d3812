"""95 % half-widths of sums of discrete Gaussians, against their exact distribution."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mpc.questions import noise_sum
from mpc.questions.noise_sum import half_width

SIGMA = Fraction("4.2308")  # rho of (1, 1e-6) at unit sensitivity
Z = Fraction("1.95996398454005423552459443052055152795555")


def distribution(variances: list[Fraction]) -> NDArray[np.float64]:
    """Probabilities of the sum on -r, …, r by plain floating-point convolution."""
    found = np.ones(1)
    for variance in variances:
        reach = math.ceil(12 * math.sqrt(variance)) + 3
        weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * float(variance)))
        found = np.convolve(found, weights / weights.sum())
    return found


def covered(variances: list[Fraction], width: int) -> float:
    found = distribution(variances)
    middle = len(found) // 2
    return float(found[max(0, middle - width) : middle + width + 1].sum())


@pytest.mark.parametrize(("parties", "width"), [(1, 8), (2, 12), (3, 14), (5, 19)])
def test_half_widths_are_those_of_the_exact_distribution(parties: int, width: int) -> None:
    assert half_width([SIGMA**2] * parties) == width
    assert half_width([Fraction(0)]) == half_width([]) == 0
    with pytest.raises(ValueError, match="negative"):
        half_width([Fraction(1), Fraction(-1)])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fractions(Fraction(1, 20), 300, max_denominator=50), min_size=1, max_size=6))
def test_it_is_the_least_width_that_covers_95_percent(variances: list[Fraction]) -> None:
    width = half_width(variances)
    assert covered(variances, width) >= 0.95 - 1e-12
    assert width == 0 or covered(variances, width - 1) < 0.95 + 1e-12


def test_dealt_and_joint_noise_are_lists_of_their_own() -> None:
    """One sum of n of V/n and one of V t/n is wider than a single V, and less than n V."""
    whole = SIGMA**2
    joint = half_width([whole])
    dealt = half_width([*[whole / 3] * 3, whole * 2 / 3])
    assert (joint, dealt, half_width([whole] * 3)) == (8, 11, 14)


def test_the_expansion_is_the_exact_integer_from_variance_64_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also a hair's breadth from where the width changes, on both sides of it."""
    edges = [Fraction(i, 4) for i in range(256, 1200, 7)]
    for width in range(16, 34):
        root = (width + Fraction(1, 2)) / Z
        turn = root + 1 / (24 * root)  # to first order
        edges += [turn * turn * (1 + Fraction(sign, 10**5)) for sign in (-1, 1)]
    expanded = []
    with monkeypatch.context() as patch:
        noise_sum._half_width.cache_clear()
        patch.setattr(noise_sum, "EXACT_VARIANCE_MAX", 0)
        expanded = [half_width([edge]) for edge in edges]
    noise_sum._half_width.cache_clear()
    monkeypatch.setattr(noise_sum, "EXACT_VARIANCE_MAX", 10**6)
    assert [half_width([edge]) for edge in edges] == expanded
    noise_sum._half_width.cache_clear()


def test_the_continuity_corrected_normal_agrees_except_just_above_its_integers() -> None:
    differing = 0
    for step in range(2000):
        variance = 256 + Fraction(step * step, 7)
        spread = math.sqrt(variance)
        normal = float(Z) * spread - 0.5
        width = half_width([variance / 2, variance / 2])
        beyond = normal - math.floor(normal)
        if math.ceil(normal) == width:
            assert beyond == 0 or beyond > 0.081 / spread
        else:
            differing += 1
            assert math.ceil(normal) == width + 1
            assert beyond < 0.082 / spread
    assert differing < 10


def test_a_width_of_any_scale_keeps_every_digit_and_takes_no_time() -> None:
    start = time.monotonic()
    root = 10**17
    assert half_width([Fraction(root**2)]) == -(-Z.numerator * root // Z.denominator)
    for variance in range(1000, 3000):
        half_width([Fraction(variance)] * 16)
    assert half_width([Fraction(10**40)] * 16) > 7 * 10**20
    assert time.monotonic() - start < 5


def test_a_narrow_noise_beside_a_wide_one_counts_with_its_true_variance() -> None:
    """At sigma = 1/4 a discrete Gaussian has variance 0.00067, not 1/16."""
    narrow, wide = Fraction(1, 16), Fraction(250)
    for width in range(31, 60):
        variance = ((width + Fraction(1, 2)) / Z) ** 2 + Fraction(1, 12) - Fraction(3, 100)
        if variance > wide:
            found = half_width([variance, narrow])
            assert covered([variance, narrow], found) >= 0.95
            assert covered([variance, narrow], found - 1) < 0.95
