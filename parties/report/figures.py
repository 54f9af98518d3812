"""How numbers are written for people: no more digits than their noise allows.

Files for machines (``results.json``, ``results.csv``, the receipt) carry every digit; only the
terminal and the HTML report round, to two significant digits of the noise.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from mpc.units import DELTA_UNIT, RHO_UNIT, DeltaAtto, RhoPico

NOT_AVAILABLE = "–"
DECIMALS_MAX = 6
MINUS = "−"
_EPSILON_SHOWN = Decimal("0.001")
_RHO_DIGITS = 4


def decimals_for(noise_sd: float | None) -> int:
    """Decimal places that show two significant digits of ``noise_sd``; 0 for whole numbers."""
    if noise_sd is None or not math.isfinite(noise_sd) or noise_sd <= 0:
        return DECIMALS_MAX
    return min(DECIMALS_MAX, max(0, 1 - math.floor(math.log10(noise_sd))))


def number_text(value: float | None, decimals: int) -> str:
    """``value`` with thousands separated by commas and a true minus sign; a dash for None."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    if float(value).is_integer() and decimals == DECIMALS_MAX:
        decimals = 0
    text = f"{value:,.{decimals}f}"
    if text.lstrip("-").strip("0.,") == "":
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def interval_text(low: float | None, high: float | None, decimals: int) -> str:
    """``low to high``, a dash if either end is unknown."""
    if low is None or high is None:
        return NOT_AVAILABLE
    return f"{number_text(low, decimals)} to {number_text(high, decimals)}"


def significant_text(value: Decimal | float | None, digits: int = 3) -> str:
    """``value`` to ``digits`` significant digits, whole digits all kept."""
    if value is None:
        return NOT_AVAILABLE
    number = float(value)
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else NOT_AVAILABLE
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def epsilon_text(epsilon: Decimal) -> str:
    """An epsilon that something costs, up to three decimal places: never smaller than it is."""
    return f"{epsilon.quantize(_EPSILON_SHOWN, rounding=ROUND_CEILING):f}"


def epsilon_left_text(epsilon: Decimal) -> str:
    """An epsilon that is left, down to three decimal places: never larger than it is."""
    return f"{epsilon.quantize(_EPSILON_SHOWN, rounding=ROUND_FLOOR):f}"


def rho_figure(rho: RhoPico) -> str:
    """A zCDP rho that something costs, up to four significant digits: never smaller than it is."""
    return _rho_digits(rho, ROUND_CEILING)


def rho_left_figure(rho: RhoPico) -> str:
    """A zCDP rho that is left, or a cap, down to four significant digits: never larger."""
    return _rho_digits(rho, ROUND_FLOOR)


def _rho_digits(rho: RhoPico, rounding: str) -> str:
    number = Decimal(rho) / RHO_UNIT
    if not number:
        return "0"
    decimals = max(0, _RHO_DIGITS - 1 - number.adjusted())
    text = f"{number.quantize(Decimal(1).scaleb(-decimals), rounding=rounding):,f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def share_left_text(left: int, cap: int) -> str:
    """``left`` of ``cap`` in whole percent, rounded down, from 0 to 100."""
    return f"{max(0, min(100, left * 100 // cap)) if cap > 0 else 0}%"


def small_text(value: Decimal) -> str:
    """A delta: plain down to 0.001, else as a power of ten (``1e-6``)."""
    if value == 0:
        return "0"
    if value >= Decimal("0.001"):
        return f"{value.normalize():f}"
    mantissa, _, exponent = f"{value.normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def delta_figure(delta: DeltaAtto) -> str:
    """A delta kept in integers."""
    return small_text(Decimal(delta) / DELTA_UNIT)


def count_text(count: int) -> str:
    """A whole number with thousands separated."""
    return f"{count:,}".replace("-", MINUS)


def bytes_text(size: int) -> str:
    """A size in B, kB or MB (powers of 1000)."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB"


def time_text(unix_s: int) -> str:
    """``2026-11-25 06:40 UTC``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def iso_time(unix_s: int) -> str:
    """The same for machines: ``2026-11-25T06:40:11Z``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
