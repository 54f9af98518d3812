"""zCDP and approximate DP: published vectors, rounding, monotony, an independent formula."""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import exp, log1p

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.accounting.conversion import (
    EPSILON_PLACE,
    epsilon_from_rho,
    epsilon_within,
    rho_from_epsilon,
)
from mpc.units import RHO_UNIT, RhoPico

DELTA = Decimal("1e-6")


def delta_of(rho: float, epsilon: float) -> float:
    """Canonne, Kamath and Steinke 2020, Corollary 13, in floats: bisection of the derivative."""
    low, high = 1.0 + 1e-12, 1e9
    for _ in range(400):
        order = (low + high) / 2
        if (2 * order - 1) * rho - epsilon + log1p(-1 / order) < 0:
            low = order
        else:
            high = order
    order = (low + high) / 2
    exponent = (order - 1) * (order * rho - epsilon) + order * log1p(-1 / order)
    return exp(exponent) / (order - 1)


@pytest.mark.parametrize(
    ("epsilon", "delta", "rho"),
    [
        ("0.1", "1e-6", "0.00032105"),
        ("0.5", "1e-6", "0.00664152"),
        ("1", "1e-6", "0.0243559704"),
        ("2", "1e-6", "0.08815269"),
        ("3", "1e-6", "0.18506984"),
        ("1", "1e-9", "0.01497306"),
    ],
)
def test_rho_agrees_with_published_vectors(epsilon: str, delta: str, rho: str) -> None:
    """Source: computed by bisection in floats and checked with OpenDP."""
    found = rho_from_epsilon(Decimal(epsilon), Decimal(delta))
    assert Decimal(found) / RHO_UNIT == pytest.approx(Decimal(rho), abs=Decimal("5.1e-9"))


@pytest.mark.parametrize(
    ("rho", "epsilon"),
    [("0.01", "0.621693"), ("0.1", "2.141939"), ("0.5", "5.221534"), ("1", "7.766217")],
)
def test_epsilon_agrees_with_published_vectors_and_is_rounded_up(rho: str, epsilon: str) -> None:
    found = epsilon_from_rho(RhoPico(int(Decimal(rho) * RHO_UNIT)), DELTA)
    assert found - Decimal(epsilon) in (Decimal(0), Decimal("0.000001"))


@given(
    epsilon=st.decimals(min_value="0.001", max_value=20, places=4),
    delta_exponent=st.integers(2, 18),
)
@settings(max_examples=40, deadline=None)
def test_budget_is_the_largest_that_keeps_epsilon(epsilon: Decimal, delta_exponent: int) -> None:
    delta = Decimal(1).scaleb(-delta_exponent)
    rho = rho_from_epsilon(epsilon, delta)
    kept = delta_of(rho / RHO_UNIT, float(epsilon))
    above = delta_of(rho / RHO_UNIT * (1 + 1e-7) + 1e-11, float(epsilon))
    assert kept <= float(delta) * (1 + 1e-6)
    assert above >= float(delta) * (1 - 1e-6)


@given(rho=st.integers(1, 10**14), delta_exponent=st.integers(2, 18))
@settings(max_examples=40, deadline=None)
def test_round_trip_never_gains_budget(rho: int, delta_exponent: int) -> None:
    delta = Decimal(1).scaleb(-delta_exponent)
    epsilon = epsilon_from_rho(RhoPico(rho), delta)
    assert rho_from_epsilon(epsilon, delta) >= rho
    assert delta_of(rho / RHO_UNIT, float(epsilon)) <= float(delta) * (1 + 1e-6)


@given(first=st.integers(1, 10**13), second=st.integers(1, 10**13))
@settings(max_examples=30, deadline=None)
def test_more_rho_is_never_less_epsilon(first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert epsilon_from_rho(RhoPico(low), DELTA) <= epsilon_from_rho(RhoPico(high), DELTA)


def test_smaller_delta_needs_smaller_rho() -> None:
    deltas = [Decimal(1).scaleb(-k) for k in range(2, 19)]
    budgets = [rho_from_epsilon(Decimal(1), delta) for delta in deltas]
    assert budgets == sorted(budgets, reverse=True)
    assert len(set(budgets)) == len(budgets)


def test_a_foreign_decimal_context_changes_no_digit() -> None:
    plain = rho_from_epsilon(Decimal("1.7"), DELTA), epsilon_from_rho(RhoPico(77), DELTA)
    rho_from_epsilon.cache_clear()
    epsilon_from_rho.cache_clear()
    with localcontext() as context:
        context.prec = 5
        narrow = rho_from_epsilon(Decimal("1.7"), DELTA), epsilon_from_rho(RhoPico(77), DELTA)
    assert narrow == plain


def test_no_rho_is_no_epsilon() -> None:
    assert epsilon_from_rho(RhoPico(0), DELTA) == 0


@pytest.mark.parametrize("delta", ["0", "1", "-0.1", "2"])
def test_impossible_delta_is_refused(delta: str) -> None:
    with pytest.raises(ValueError, match="delta"):
        rho_from_epsilon(Decimal(1), Decimal(delta))
    with pytest.raises(ValueError, match="delta"):
        epsilon_from_rho(RhoPico(1), Decimal(delta))


@pytest.mark.parametrize("epsilon", ["0", "-1", "1001"])
def test_impossible_epsilon_is_refused(epsilon: str) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        rho_from_epsilon(Decimal(epsilon), DELTA)


@pytest.mark.parametrize("rho", [1, 999, 24_360_000_000, 378_123_456_789, 10**15, 10**18])
def test_epsilon_within_a_budget_is_the_largest_that_fits(rho: int) -> None:
    epsilon = epsilon_within(RhoPico(rho), DELTA)
    assert epsilon <= epsilon_from_rho(RhoPico(rho), DELTA)
    assert epsilon == 0 or rho_from_epsilon(epsilon, DELTA) <= rho
    above = epsilon + EPSILON_PLACE
    assert above > 1000 or rho_from_epsilon(above, DELTA) > rho


def test_epsilon_within_an_untouched_budget_is_the_one_it_was_made_from() -> None:
    for epsilon in map(Decimal, ("0.5", "1", "4", "7.25", "1000")):
        assert epsilon_within(rho_from_epsilon(epsilon, DELTA), DELTA) == epsilon
