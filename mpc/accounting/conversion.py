"""zCDP to approximate DP and back, tightly: Canonne, Kamath and Steinke 2020, Proposition 12.

rho-zCDP implies (epsilon, delta)-DP whenever, for some a > 1,

    epsilon >= a rho + ln(1 - 1/a) + (ln(1/delta) - ln a) / (a - 1).

Every a gives a true statement, so searching the best one can only err against us, and never in the
promise. Decimal arithmetic with correctly rounded ln and exp gives every machine the same digits.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache

from mpc.units import RHO_UNIT, RhoPico

EPSILON_PLACE = Decimal("0.000001")
EPSILON_MAX = Decimal(1000)
RHO_PICO_MAX = RhoPico(10**6 * RHO_UNIT)

_DIGITS = 50
_GUARD = Decimal("1e-30")  # far above the rounding of 50-digit arithmetic, far below what is kept
_GOLDEN = Decimal("0.6180339887498948482045868343656381177203")
_SEARCH_LOW, _SEARCH_HIGH = Decimal(-40), Decimal(60)  # of ln(a - 1)
_STEPS = 110  # the bracket shrinks to 100 * 0.618^110 < 10^-20; the optimum is flat there


@lru_cache(maxsize=4096)
def rho_from_epsilon(epsilon: Decimal, delta: Decimal) -> RhoPico:
    """Largest rho, in 10^-12 rounded down, whose zCDP implies (``epsilon``, ``delta``)-DP.

    May be 0 for a tiny epsilon. Raises ValueError unless 0 < epsilon <= 1000 and 0 < delta < 1.
    """
    _check_delta(delta)
    if not 0 < epsilon <= EPSILON_MAX:
        raise ValueError(f"epsilon lies above 0, and is at most {EPSILON_MAX}")
    with localcontext(_context()):
        log_inverse_delta = -delta.ln()

        def lost(log_excess: Decimal) -> Decimal:
            order = 1 + log_excess.exp()
            return (_overhead(log_excess, order, log_inverse_delta) - epsilon) / order

        rho = -_least(lost) - _GUARD
        pico = (max(rho, Decimal(0)) * RHO_UNIT).to_integral_value(rounding=ROUND_FLOOR)
        return RhoPico(int(pico))


@lru_cache(maxsize=4096)
def epsilon_from_rho(rho: RhoPico, delta: Decimal) -> Decimal:
    """Least epsilon, rounded up to 6 places, that ``rho``-zCDP implies at ``delta``.

    0 for rho = 0. Raises ValueError unless 0 <= rho <= 10^6 and 0 < delta < 1.
    """
    _check_delta(delta)
    if not 0 <= rho <= RHO_PICO_MAX:
        raise ValueError("rho lies between 0 and 10^6")
    if rho == 0:
        return Decimal(0).quantize(EPSILON_PLACE)
    with localcontext(_context()):
        log_inverse_delta = -delta.ln()
        exact_rho = Decimal(rho) / RHO_UNIT

        def implied(log_excess: Decimal) -> Decimal:
            order = 1 + log_excess.exp()
            return exact_rho * order + _overhead(log_excess, order, log_inverse_delta)

        epsilon = max(_least(implied), Decimal(0)) + _GUARD
        return epsilon.quantize(EPSILON_PLACE, rounding=ROUND_CEILING)


def epsilon_within(rho: RhoPico, delta: Decimal) -> Decimal:
    """Largest epsilon, rounded down to 6 places, whose :func:`rho_from_epsilon` fits in ``rho``.

    For what is left of a budget, as :func:`epsilon_from_rho` is for what something costs. At most
    1000; 0 if none fits. Raises ValueError unless 0 <= rho <= 10^6 and 0 < delta < 1.
    """
    epsilon = min(epsilon_from_rho(rho, delta), EPSILON_MAX.quantize(EPSILON_PLACE))
    if epsilon > 0 and rho_from_epsilon(epsilon, delta) > rho:
        epsilon -= EPSILON_PLACE
    return epsilon


def _overhead(log_excess: Decimal, order: Decimal, log_inverse_delta: Decimal) -> Decimal:
    """ln(1 - 1/a) + (ln(1/delta) - ln a) / (a - 1), for a = ``order`` = 1 + e^``log_excess``."""
    log_order = order.ln()
    return (log_excess - log_order) + (log_inverse_delta - log_order) / (order - 1)


def _least(function: Callable[[Decimal], Decimal]) -> Decimal:
    """Least value met by golden-section search of a function that falls, then rises."""
    low, high = _SEARCH_LOW, _SEARCH_HIGH
    left = high - _GOLDEN * (high - low)
    right = low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    best = min(at_left, at_right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
            best = min(best, at_left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
            best = min(best, at_right)
    return best


def _context() -> Context:
    """A fresh context: nothing set elsewhere in the process changes a digit."""
    return Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN, Emin=-10_000, Emax=10_000)


def _check_delta(delta: Decimal) -> None:
    if not 0 < delta < 1:
        raise ValueError("delta lies between 0 and 1")
