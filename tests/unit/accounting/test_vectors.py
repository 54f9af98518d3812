"""Published and independently computed numbers: conversion, noise, composition, sums of noises.

The oracle is the exact delta of discrete Gaussian noise on an integer (hockey stick), summed over
its whole law; what the product promises must lie above it, and close.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import exp, log, sqrt

import pytest
from exact_laws import delta_of, epsilon_of, gaussian, gaussian_sum
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mpc.accounting.conversion import epsilon_from_rho, rho_from_epsilon
from mpc.accounting.event import NoiseBlock, NoiseEvent, price
from mpc.units import RHO_UNIT, RhoPico

DELTA = Decimal("1e-6")


def epsilon_of_variance(variance: Fraction, times: int = 1) -> float:
    """What the product states for ``times`` counts of one honest party's noise."""
    rho = times * price(NoiseEvent((NoiseBlock(1, 1, variance),), 2, 1))[0]
    return float(epsilon_from_rho(RhoPico(rho), DELTA))


@pytest.mark.parametrize(
    ("epsilon", "delta", "sigma", "exact"),
    [
        ("0.1", "1e-6", 39.463920, 36.305289),
        ("0.5", "1e-6", 8.676631, 8.052477),
        ("1", "1e-6", 4.5308771, 4.230779),
        ("2", "1e-6", 2.381591, 2.246633),
        ("3", "1e-6", 1.643680, 1.561995),
        ("1", "1e-9", 5.778695, 5.499837),
    ],
)
def test_noise_agrees_with_published_deviations_and_lies_above_the_exact_ones(
    epsilon: str, delta: str, sigma: float, exact: float
) -> None:
    """``sigma`` is OpenDP's for zCDP, ``exact`` the least that the hockey stick allows."""
    rho = rho_from_epsilon(Decimal(epsilon), Decimal(delta))
    assert sqrt(RHO_UNIT / (2 * rho)) == pytest.approx(sigma, abs=2e-5)
    assert delta_of(gaussian(exact**2), 1, float(epsilon)) == pytest.approx(float(delta), rel=1e-4)
    assert delta_of(gaussian(sigma**2), 1, float(epsilon)) < float(delta)
    assert exact < sigma < 1.1 * exact


def test_the_classical_formula_asks_for_more() -> None:
    """sqrt(2 ln(1.25 / delta)) = 5.2988 at (1, 1e-6)."""
    assert sqrt(2 * log(1.25e6)) == pytest.approx(5.2988, abs=5e-5)
    assert epsilon_of_variance(Fraction(2 * log(1.25e6))) < 1


@pytest.mark.parametrize(
    ("times", "expected", "exact"),
    [(1, 1.076191, 1.0), (20, 5.560405, 5.205402), (100, 14.308814, 13.483277)],
)
def test_composition_agrees_with_published_values_above_the_exact_ones(
    times: int, expected: float, exact: float
) -> None:
    """sigma = 4.230779; ``expected`` is autodp's for zCDP, ``exact`` dp-accounting's by PLD."""
    stated = epsilon_of_variance(Fraction("4.230779") ** 2, times)
    assert stated == pytest.approx(expected, abs=2e-6)
    assert exact < stated < 1.1 * exact


def test_the_exact_epsilon_of_the_exact_deviation_is_one() -> None:
    assert epsilon_of(gaussian(4.230779**2), 1, 1e-6) == pytest.approx(1, abs=1e-5)


def test_twenty_charges_of_one_cost_what_the_odometer_says() -> None:
    """rho 0.487119 in all, epsilon 5.145050: OpenDP's odometer."""
    rho = 20 * rho_from_epsilon(Decimal(1), DELTA)
    assert rho / RHO_UNIT == pytest.approx(0.487119, abs=5e-7)
    assert float(epsilon_from_rho(RhoPico(rho), DELTA)) == pytest.approx(5.145050, abs=2e-6)


@pytest.mark.parametrize(("runs", "epsilon"), [(10, 3.77), (100, 14.3)])
def test_fresh_retries_of_one_question_cost_what_they_tell(runs: int, epsilon: float) -> None:
    """Averaging n retries; by PLD 3.77 and 14.3 of noise for exactly (1, 1e-6), a little more."""
    assert epsilon_of_variance(Fraction("4.230779") ** 2, runs) == pytest.approx(epsilon, rel=0.05)


def test_noise_of_a_scaled_sum_is_the_published_one() -> None:
    """Sensitivity 2^16 at (1, 1e-6): sigma 296,935.563."""
    rho = rho_from_epsilon(Decimal(1), DELTA)
    variance = Fraction(4**16 * RHO_UNIT, 2 * rho)
    assert sqrt(variance) == pytest.approx(296_935.563, abs=0.002)
    assert price(NoiseEvent((NoiseBlock(1, 4**16, variance),), 3, 2))[0] == rho


def test_two_noises_agree_with_the_exact_epsilon_of_their_sum() -> None:
    """Two of variance 1 against one of 2, delta 1e-6: 3.237536 and 3.237339, by hockey stick."""
    both = epsilon_of(gaussian_sum((Fraction(1), Fraction(1))), 1, 1e-6)
    one = epsilon_of(gaussian(2), 1, 1e-6)
    assert both == pytest.approx(3.237536, abs=2e-6)
    assert one == pytest.approx(3.237339, abs=2e-6)


@pytest.mark.parametrize("parties", [3, 5])
def test_the_price_of_a_sum_of_noises_covers_their_exact_law(parties: int) -> None:
    """The narrowest that is sold: sigma 2 each, two or four honest parties."""
    honest = parties - 1
    event = NoiseEvent((NoiseBlock(1, 1, Fraction(4 * honest)),), parties, 1)
    law = gaussian_sum((Fraction(4),) * honest)
    for delta in (1e-3, 1e-6, 1e-9):
        stated = float(epsilon_from_rho(price(event)[0], Decimal(str(delta))))
        assert epsilon_of(law, 1, delta) < stated


@pytest.mark.parametrize("parties", [2, 3])
def test_half_widths_of_total_noise_agree_with_published_values(parties: int) -> None:
    """95 % of n noises of sigma 4.2308 lie within 12 (two parties) and 14 (three)."""
    law = gaussian_sum((Fraction("4.2308") ** 2,) * parties)
    centre = len(law) // 2
    width = next(k for k in range(centre) if law[centre - k : centre + k + 1].sum() >= 0.95)
    assert width == {2: 12, 3: 14}[parties]


@settings(max_examples=25, deadline=None)
@given(sigma=st.floats(1.5, 60), moved=st.integers(1, 5), exponent=st.integers(3, 9))
def test_no_epsilon_that_is_stated_lies_below_the_exact_one(
    sigma: float, moved: int, exponent: int
) -> None:
    variance = Fraction(sigma).limit_denominator(1000) ** 2
    delta = 10.0**-exponent
    rho, _ = price(NoiseEvent((NoiseBlock(1, moved**2, variance),), 2, 1))
    stated = float(epsilon_from_rho(rho, Decimal(1).scaleb(-exponent)))
    assert delta_of(gaussian(variance), moved, stated) <= delta


def test_a_vector_is_not_priced_as_a_scalar_of_its_norm() -> None:
    """(1, 1, 1, 1) at sigma 4.2308: 2.11824 exactly, above 2.11475 of one integer moving by 2."""
    law = gaussian(4.230779**2)
    ratio = 1 / (2 * 4.230779**2)
    scalar = epsilon_of(law, 2, 1e-6)
    stated = float(epsilon_from_rho(RhoPico(int(4 * ratio * RHO_UNIT) + 1), DELTA))
    assert scalar == pytest.approx(2.11475, abs=2e-5)
    assert stated > 2.11824


def test_mu_of_a_count_agrees_with_its_gaussian_advantage() -> None:
    """0.0942 at sigma 4.230779 (Dong, Roth and Su 2019)."""
    assert 2 * stats.norm.cdf(1 / (2 * 4.230779)) - 1 == pytest.approx(0.0942, abs=2e-4)
    assert (exp(1) - 1) / (exp(1) + 1) > 0.0942
