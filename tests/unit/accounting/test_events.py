"""What a release costs: exact prices rounded up, coalitions, the sum-of-Gaussians excess."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.accounting.coalitions import rho_of_coalition
from mpc.accounting.convolution import tau
from mpc.accounting.event import NoiseBlock, NoiseEvent, price
from mpc.errors import BudgetRefusal, IntegrityError, PlanRefusal
from mpc.units import RHO_UNIT, UNIT_ROWS_MAX, Adjacency, ProtectedUnit

COUNT = NoiseBlock(1, 1, Fraction(RHO_UNIT, 2 * 24_355_970_359))

blocks = st.builds(
    NoiseBlock,
    size=st.integers(1, 50),
    sensitivity_squared=st.integers(1, 2**130),
    variance=st.builds(Fraction, st.integers(1, 2**180), st.integers(1, 2**40)),
)


@st.composite
def events(draw: st.DrawFn) -> NoiseEvent:
    parties = draw(st.integers(2, 16))
    return NoiseEvent(tuple(draw(st.lists(blocks, min_size=1, max_size=4))), parties, parties - 1)


def test_one_honest_party_makes_the_price_exact() -> None:
    """(1, 1e-6) is rho 0.0243559704, a variance of 20.528847."""
    assert float(COUNT.variance) == pytest.approx(20.528847, abs=1e-6)
    assert price(NoiseEvent((COUNT,), 3, 2)) == (24_355_970_359, 0)


@pytest.mark.parametrize(
    ("parties", "coalition", "own", "total"),
    [
        (2, 1, 20.5288, 41.0577),
        (3, 2, 20.5288, 61.5865),
        (3, 1, 10.2644, 30.7933),
        (5, 4, 20.5288, 102.6442),
        (5, 2, 6.8429, 34.2147),
    ],
)
def test_noise_of_each_party_and_of_all(
    parties: int, coalition: int, own: float, total: float
) -> None:
    """Source: V* / (n - t) a party, by hand."""
    event = NoiseEvent((COUNT,), parties, coalition)
    assert float(event.party_variance(COUNT)) == pytest.approx(own, abs=1e-4)
    assert float(event.total_variance(COUNT)) == pytest.approx(total, abs=1e-4)


@given(events())
def test_price_is_rounded_up_by_less_than_one(event: NoiseEvent) -> None:
    exact = sum(Fraction(b.sensitivity_squared) / (2 * b.variance) for b in event.blocks)
    rho, delta = price(event)
    assert 0 <= rho - exact * RHO_UNIT < 1
    assert delta == 0


@given(events(), st.integers(2, 50))
def test_more_noise_never_costs_more(event: NoiseEvent, factor: int) -> None:
    quieter = NoiseEvent(
        tuple(NoiseBlock(b.size, b.sensitivity_squared, b.variance / factor) for b in event.blocks),
        event.parties,
        event.coalition,
    )
    assert price(event)[0] <= price(quieter)[0]


@given(events())
def test_canonical_form_round_trips(event: NoiseEvent) -> None:
    assert NoiseEvent.from_plain(json.loads(event.canonical())) == event


@pytest.mark.parametrize(
    "edit",
    [
        {"parties": 17},
        {"coalition": 3},
        {"coalition": "2"},
        {"coalition": True},
        {"blocks": []},
        {"blocks": "none"},
        {"blocks": [{"size": 1, "sensitivity_squared": "1", "variance": "2/2"}]},
        {"blocks": [{"size": 1, "sensitivity_squared": "1", "variance": "1/0"}]},
        {"blocks": [{"size": 1, "sensitivity_squared": "1", "variance": "-1/1"}]},
        {"blocks": [{"size": 1, "sensitivity_squared": "0", "variance": "1/1"}]},
        {"blocks": [{"size": 0, "sensitivity_squared": "1", "variance": "1/1"}]},
        {"blocks": [{"size": 1, "sensitivity_squared": "1", "variance": "1e9999999/1"}]},
        {"blocks": [{"size": 1, "sensitivity_squared": "9" * 1000, "variance": "1/1"}]},
        {"blocks": [{"size": 1, "sensitivity_squared": "1"}]},
        {"extra": 1},
    ],
)
def test_any_other_form_is_refused(edit: dict[str, object]) -> None:
    plain = json.loads(NoiseEvent((COUNT,), 3, 2).canonical())
    with pytest.raises(IntegrityError):
        NoiseEvent.from_plain({**plain, **edit})


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [
        ("0.5", 0.848),
        ("1", 5.172e-4),
        ("1.5", 2.27e-9),
        ("2", 7.16e-17),
        ("3", 2.65e-38),
        ("5", 7e-107),
    ],
)
def test_excess_of_two_noises_agrees_with_the_table(sigma: str, expected: float) -> None:
    """Source: Kairouz, Liu and Steinke 2021, Proposition 14, tau for two honest parties."""
    assert float(tau([Fraction(sigma) ** 2] * 2)) == pytest.approx(expected, rel=1e-2)


def test_excess_reproduces_the_bounds_of_the_paper() -> None:
    """With Proposition 14's other two forms, rho <= 0.2503659 and 1.0024368."""
    two = float(tau([Fraction(1)] * 2))
    assert (sqrt(0.5) + two) ** 2 / 2 == pytest.approx(0.2503659, abs=5e-8)
    five = float(tau([Fraction(1)] * 5))
    assert (2 + 2 * 10 / sqrt(5) * five + five**2 * 100) / 2 == pytest.approx(1.0024368, abs=5e-8)
    assert tau([Fraction(1)]) == 0


def test_several_honest_parties_cost_their_excess_too() -> None:
    assert price(NoiseEvent((COUNT,), 3, 1))[0] == 24_355_970_360
    wide = NoiseBlock(1000, 1, Fraction(RHO_UNIT))
    assert price(NoiseEvent((wide,), 5, 2))[0] == 1  # 0.5 rounded up


@pytest.mark.parametrize(
    "block",
    [
        NoiseBlock(1, 1, Fraction(7)),  # sigma of each 1.87
        NoiseBlock(1, 1, Fraction(799, 100)),
        NoiseBlock(20_000, 1, Fraction(8)),  # tau d = 1.4e-12
    ],
)
def test_noise_too_narrow_to_add_up_is_refused(block: NoiseBlock) -> None:
    with pytest.raises(PlanRefusal, match="too narrow"):
        price(NoiseEvent((block,), 3, 1))
    assert price(NoiseEvent((block,), 3, 2))[0] > 0


def test_coalitions_up_to_the_promised_cost_no_more_than_the_price() -> None:
    event = NoiseEvent((COUNT, NoiseBlock(4, 100, Fraction(1000))), 5, 3)
    losses = [rho_of_coalition(event, pooled) for pooled in range(6)]
    known = [loss for loss in losses[:5] if loss is not None]
    assert losses[3] == price(event)[0]
    assert known == sorted(known)
    assert known[4] == pytest.approx(2 * known[3], rel=1e-9)
    assert known[0] == pytest.approx(known[3] * 2 / 5, rel=1e-9)
    assert losses[5] is None


def test_a_smaller_coalition_never_costs_more_even_where_the_excess_is_large() -> None:
    event = NoiseEvent((NoiseBlock(100, 1, Fraction(1, 4)),), 3, 2)
    assert float(tau([Fraction(1, 4)] * 2)) > 0.8
    assert rho_of_coalition(event, 1) == rho_of_coalition(event, 2) == price(event)[0]


@pytest.mark.parametrize(
    ("size", "sensitivity", "variance"),
    [(0, 1, 1), (-1, 1, 1), (1, 0, 1), (1, -1, 1), (1, 1, 0), (1, 1, -1), (1, 2**513, 1)],
)
def test_absurd_blocks_are_refused(size: int, sensitivity: int, variance: int) -> None:
    with pytest.raises(ValueError, match="noise block"):
        NoiseBlock(size, sensitivity, Fraction(variance))


@pytest.mark.parametrize(("parties", "coalition"), [(1, 0), (17, 1), (3, 0), (3, 3), (3, -1)])
def test_absurd_events_are_refused(parties: int, coalition: int) -> None:
    with pytest.raises(ValueError, match=r"parties|coalition"):
        NoiseEvent((COUNT,), parties, coalition)


def test_a_charge_is_read_for_the_domains_stronger_unit() -> None:
    """m^2 for m rows of one person, 4 for replaced from added or removed."""
    row = ProtectedUnit(1, Adjacency.ADD_OR_REMOVE_ONE)
    person = ProtectedUnit(4, Adjacency.ADD_OR_REMOVE_ONE)
    replaced = ProtectedUnit(1, Adjacency.REPLACE_ONE)
    assert row.rho_factor(row) == 1
    assert row.rho_factor(person) == 16
    assert row.rho_factor(replaced) == 4
    assert row.rho_factor(ProtectedUnit(4, Adjacency.REPLACE_ONE)) == 64
    assert replaced.rho_factor(row) == 1
    assert ProtectedUnit(3, Adjacency.ADD_OR_REMOVE_ONE).rho_factor(person) == 4
    assert person.rho_factor(row) == 1


def test_what_protects_whole_persons_is_charged_as_it_is_and_rows_cannot_pay_for_persons() -> None:
    person = ProtectedUnit.person(Adjacency.ADD_OR_REMOVE_ONE)
    replaced = ProtectedUnit.person(Adjacency.REPLACE_ONE)
    assert person.rho_factor(ProtectedUnit(7, Adjacency.ADD_OR_REMOVE_ONE)) == 1
    assert person.rho_factor(ProtectedUnit(7, Adjacency.REPLACE_ONE)) == 4
    assert person.rho_factor(replaced) == 4
    assert replaced.rho_factor(person) == replaced.rho_factor(replaced) == 1
    for rows in (1, 1000, UNIT_ROWS_MAX - 1):
        with pytest.raises(BudgetRefusal, match=f"protects {rows} of a person's rows"):
            ProtectedUnit(rows, Adjacency.REPLACE_ONE).rho_factor(person)


def test_twenty_questions_of_one_study_need_the_stated_noise() -> None:
    """20 queries at total (1, 1e-6) need sigma 20.2627 each by tight zCDP."""
    share = Fraction(24_355_970_359, 20 * RHO_UNIT)
    assert sqrt(1 / (2 * share)) == pytest.approx(20.2627, abs=1e-4)
    event = NoiseEvent((NoiseBlock(1, 1, 1 / (2 * share)),) * 20, 2, 1)
    assert price(event)[0] == 24_355_970_359
    assert Decimal(price(event)[0]) / RHO_UNIT < 1
