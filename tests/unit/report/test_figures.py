"""Numbers for people."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mpc.units import RhoPico
from parties.report.figures import (
    bytes_text,
    decimals_for,
    epsilon_left_text,
    epsilon_text,
    interval_text,
    number_text,
    rho_figure,
    rho_left_figure,
    share_left_text,
    significant_text,
    small_text,
    time_text,
)


@pytest.mark.parametrize(
    ("noise_sd", "decimals"), [(27.2, 0), (9.9, 1), (0.25, 2), (0.0921, 3), (None, 6), (1e-9, 6)]
)
def test_two_significant_digits_of_the_noise_are_shown(
    noise_sd: float | None, decimals: int
) -> None:
    assert decimals_for(noise_sd) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234567, 0, "1,234,567"),
        (-21.4, 0, "−21"),
        (-0.2, 0, "0"),
        (3.04159, 3, "3.042"),
        (None, 2, "–"),
        (float("nan"), 2, "–"),
        (20190, 6, "20,190"),
    ],
)
def test_numbers_are_grouped_rounded_and_never_minus_zero(
    value: float | None, decimals: int, text: str
) -> None:
    assert number_text(value, decimals) == text


def test_interval_with_an_unknown_end_is_a_dash() -> None:
    assert interval_text(-42, 64, 0) == "−42 to 64"
    assert interval_text(None, 64, 0) == "–"


def test_what_something_costs_is_rounded_up_and_never_down() -> None:
    assert epsilon_text(Decimal("0.999001")) == "1.000"
    assert epsilon_text(Decimal("0.266000")) == "0.266"
    assert rho_figure(RhoPico(24_360_000_001)) == "0.02437"
    assert rho_figure(RhoPico(12_345_000_000_001)) == "12.35"


def test_what_is_left_is_rounded_down_and_never_up() -> None:
    assert epsilon_left_text(Decimal("0.999999")) == "0.999"
    assert epsilon_left_text(Decimal("0.266000")) == "0.266"
    assert rho_left_figure(RhoPico(24_369_999_999)) == "0.02436"
    assert rho_left_figure(RhoPico(1)) == "0.000000000001"
    assert rho_left_figure(RhoPico(0)) == rho_figure(RhoPico(0)) == "0"
    assert share_left_text(999, 1000) == "99%"
    assert [share_left_text(-1, 9), share_left_text(9, 8), share_left_text(0, 0)] == [
        "0%", "100%", "0%",
    ]  # fmt: skip


def test_small_and_large_quantities_are_spelled_out() -> None:
    assert small_text(Decimal("0.000001")) == "1e-6"
    assert small_text(Decimal("0.0000025")) == "2.5e-6"
    assert small_text(Decimal("0.010")) == "0.01"
    assert rho_figure(RhoPico(24_360_000_000)) == "0.02436"
    assert significant_text(4237763.2, 4) == "4,237,763"
    assert significant_text(Decimal("0.0912"), 2) == "0.091"
    assert [bytes_text(n) for n in (312, 10_600, 2_000_000)] == ["312 B", "10.6 kB", "2.0 MB"]
    assert time_text(0) == "1970-01-01 00:00 UTC"
