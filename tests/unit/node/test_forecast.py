"""How many more studies fit: every cap counts, and the one that ends first is named."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mpc.ports import Balance
from mpc.units import DeltaAtto, RhoPico
from parties.ledger.records import DomainBounds, DomainUsage
from parties.node.account import caps_of
from parties.node.forecast import Forecast
from parties.policy.model import Domain

TERMS = Domain(epsilon=Decimal(4), delta=Decimal("0.000001"))
NOTHING = DomainUsage(RhoPico(0), {})


def forecast(
    cost: int,
    bounds: DomainBounds | None = None,
    usage: DomainUsage = NOTHING,
    *,
    affordable: bool = True,
    delta_fits: int | None = None,
) -> Forecast:
    """Of a domain with 1000 for ever, of which 100 are spent and 50 reserved."""
    none = DeltaAtto(0)
    amounts = (RhoPico(1000), none, RhoPico(100), none, RhoPico(50), none)
    caps = caps_of(Balance("members", *amounts), bounds or DomainBounds(), usage)
    return Forecast("visits", "members", RhoPico(cost), TERMS, affordable, delta_fits, tuple(caps))


@pytest.mark.parametrize(("cost", "fits"), [(85, 10), (86, 9), (850, 1), (851, 0)])
def test_what_is_spent_or_reserved_for_ever_counts(cost: int, fits: int) -> None:
    found = forecast(cost)
    assert (found.count, found.binding.what) == (fits, "all studies for ever")


def test_the_cap_that_ends_first_is_named() -> None:
    usage = DomainUsage(RhoPico(120), {"University": RhoPico(300)})
    month = DomainBounds(RhoPico(200), {"University": RhoPico(420)})
    found = forecast(40, month, usage)
    assert (found.count, found.binding.what) == (2, "any 30 days")
    assert [found.fits(cap) for cap in found.caps] == [21, 2, 3]
    found = forecast(40, month.without(()), DomainUsage(RhoPico(0), usage.partners))
    assert (found.count, found.binding.what) == (3, "studies of University")
    found = forecast(40, month.without({"University"}), DomainUsage(RhoPico(0), usage.partners))
    assert (found.count, found.binding.what) == (5, "any 30 days")


def test_a_cap_below_what_is_used_has_room_for_none() -> None:
    found = forecast(10, DomainBounds(RhoPico(50)), DomainUsage(RhoPico(60), {}))
    assert (found.count, found.binding.left) == (0, 0)


def test_a_study_that_is_too_dear_by_itself_never_fits() -> None:
    found = forecast(40, affordable=False)
    assert found.count == 0
    assert found.to_plain()["binding"] == "one study"


@pytest.mark.parametrize(("delta_fits", "fits"), [(20, 20), (21, 21), (22, 21), (0, 0)])
def test_delta_that_ends_before_rho_does_is_what_binds(delta_fits: int, fits: int) -> None:
    found = forecast(40, delta_fits=delta_fits)
    assert found.count == fits
    assert (found.ends_first == "all studies for ever") == (delta_fits >= 21)
