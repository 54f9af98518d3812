"""How far a search's end tells neighbouring tables apart, worked out exactly against its price.

The end of a walk is known from the law of every turn: a node's sum plus discrete Gaussian noise is
negative or not. Nothing is sampled, so there is no false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import product
from math import exp, log

import numpy as np
import pytest

from mpc.columns.model import CategoryColumn, Column, NumberColumn
from mpc.layout import Layout
from mpc.plan.budget import sensitivity_squared
from mpc.questions.quantile.declare import Quantile
from mpc.questions.quantile.local import integers
from mpc.study.model import RowUnit
from mpc.units import Adjacency

ORDERS = (1.1, 2.0, 8.0, 32.0)
ROUNDING = 1e-9
COLUMNS: dict[str, Column] = {
    "pay": NumberColumn(type="number", bounds=(Decimal(0), Decimal(4))),
    "sex": CategoryColumn(type="category", levels=("f", "m")),
}
Rows = tuple[int, ...]  # at each point of each cell
Law = list[dict[int, float]]  # P(end) of each cell's walk


@cache
def turns(total: int, variance: int) -> tuple[float, float]:
    """P(total + noise >= 0) and P(total + noise < 0), each to its own precision."""
    reach = 20 * variance
    weights = {value: exp(-(value**2) / (2 * variance)) for value in range(-reach, reach + 1)}
    up = sum(w for value, w in weights.items() if value + total < 0)
    down = sum(w for value, w in weights.items() if value + total >= 0)
    return down / (up + down), up / (up + down)


def law_of_ends(layout: Layout, rows: Rows, variance: int) -> Law:
    assert layout.search is not None
    sums = integers(layout, np.array(rows, dtype=object))
    found: Law = []
    for cell in range(layout.cells):
        law, start = {0: 1.0}, layout.cells
        for level in range(layout.search.levels):
            law = {
                2 * node + turn: chance * turned
                for node, chance in law.items()
                for turn, turned in enumerate(turns(sums[start + (cell << level) + node], variance))
            }
            start += layout.cells << level
        found.append(law)
    return found


def divergence(law: Law, other: Law, order: float) -> float:
    """Rényi divergence of all ends together."""
    total = 0.0
    for here, there in zip(law, other, strict=True):
        terms = [log(p) + (order - 1) * log(p / there[end]) for end, p in here.items()]
        most = max(terms)
        total += (most + log(sum(exp(term - most) for term in terms))) / (order - 1)
    return total


def neighbours(rows: Rows, rows_max: int, adjacency: Adjacency) -> Iterator[Rows]:
    """``rows`` with one unit more, whose rows lie anywhere; or with one row replaced."""
    places = range(len(rows))
    if adjacency is Adjacency.REPLACE_ONE:
        for gone, come in product(places, places):
            if rows[gone] and gone != come:
                step = [(at == come) - (at == gone) for at in places]
                yield tuple(a + b for a, b in zip(rows, step, strict=True))
        return
    for chosen in product(places, repeat=rows_max):
        yield tuple(count + chosen.count(at) for at, count in enumerate(rows))


def worst(question: Quantile, rows_max: int, adjacency: Adjacency, variance: int) -> float:
    """The largest divergence of any two neighbours, by order, as a share of one level's price."""
    layout = question.layout(COLUMNS)
    assert layout.search is not None
    points, found = layout.search.points, 0.0
    unit = RowUnit(kind="row", rows_max=rows_max)
    squared = sensitivity_squared(layout.blocks[1], layout.cells, unit, 1, adjacency)
    for some in product((0, 2), repeat=points):
        rows = some + (0, 1, 0, 1, 0) * (layout.cells - 1)
        here = law_of_ends(layout, rows, variance)
        for near in neighbours(rows, rows_max, adjacency):
            there = law_of_ends(layout, near, variance)
            for order in ORDERS:
                told = max(divergence(here, there, order), divergence(there, here, order))
                found = max(found, told / (order * squared / (2 * variance)))
    return found


@pytest.mark.parametrize(
    ("probability", "by", "rows_max", "adjacency"),
    [
        ("0.5", (), 1, Adjacency.ADD_OR_REMOVE_ONE),
        ("0.25", (), 1, Adjacency.ADD_OR_REMOVE_ONE),
        ("0.5", (), 2, Adjacency.ADD_OR_REMOVE_ONE),
        ("0.5", ("sex",), 1, Adjacency.ADD_OR_REMOVE_ONE),
        ("0.5", ("sex",), 2, Adjacency.ADD_OR_REMOVE_ONE),
        ("0.75", (), 1, Adjacency.REPLACE_ONE),
        ("0.5", ("sex",), 1, Adjacency.REPLACE_ONE),
    ],
)
@pytest.mark.parametrize("variance", [4, 25])
def test_the_end_of_a_search_tells_neighbours_apart_by_no_more_than_its_price(
    probability: str, by: tuple[str, ...], rows_max: int, adjacency: Adjacency, variance: int
) -> None:
    """The price is a level's, rho = sensitivity^2 / (2 V), times the levels."""
    question = Quantile(kind="quantile", column="pay", probability=Decimal(probability), by=by)
    search = question.layout(COLUMNS).search
    assert search is not None
    assert worst(question, rows_max, adjacency, variance) <= search.levels + ROUNDING


def test_the_price_of_one_level_would_not_do() -> None:
    question = Quantile(kind="quantile", column="pay", probability=Decimal("0.5"))
    assert worst(question, 1, Adjacency.ADD_OR_REMOVE_ONE, 25) > 1.5
