"""Shares of all parties → answers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.errors import IntegrityError
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.questions.answer import Answer, Estimate
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.local import local_sums
from mpc.questions.mean.declare import Mean
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.ring.words import encode
from mpc.roster import Member, Roster
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.testing.table import MemoryTable, Raw
from mpc.units import Adjacency, PartyId, Role

Vector = NDArray[np.int64]


def planned(parties: int) -> Plan:
    names = [f"site-{letter}" for letter in "abcdefghijklmnop"[:parties]]
    study = Study(
        version=1,
        id="stays",
        title="Stays",
        purpose="planning",
        lead=Lead(name="A. Person", organization="Institute", email="a@example.org"),
        parties={n: PartyEntry(version=1, rows_max=5000, rows_expected=1000) for n in names},
        recipients=("coordinator",),
        table=Table(
            name="stays",
            unit=RowUnit(kind="row"),
            columns={
                "cost": NumberColumn(
                    type="number", bounds=(Decimal(-100), Decimal(10_000)), step=Decimal("0.01")
                ),
                "sex": CategoryColumn(type="category", levels=("f", "m", "x")),
            },
        ),
        privacy=Privacy(
            epsilon=Decimal(2),
            delta=Decimal("0.000001"),
            adjacency=Adjacency.ADD_OR_REMOVE_ONE,
        ),
        questions={
            "people": Count(kind="count", by=("sex",)),
            "total": Sum(kind="sum", column="cost"),
            "average": Mean(kind="mean", column="cost", by=("sex",)),
            "spread": Variance(kind="variance", column="cost"),
            "bands": Histogram(
                kind="histogram",
                column="cost",
                bins=(Decimal(-100), Decimal(0), Decimal(10_000)),
                by=("sex",),
            ),
        },
    )
    roles = [*((name, Role.PARTY) for name in names), ("hub", Role.COORDINATOR)]
    members = tuple(
        Member(PartyId(name), role, f"{name} org", b"t" + name.encode(), b"s" + name.encode())
        for name, role in roles
    )
    return plan_study(study, Roster(members))


def rows_of(seed: int, count: int) -> list[dict[str, Raw]]:
    rng = np.random.default_rng(seed)
    costs = np.round(rng.gamma(1.2, 900, count) - 60, 2)
    sexes = rng.choice(["f", "m", ""], size=count, p=[0.5, 0.4, 0.1])
    return [{"cost": float(c), "sex": str(s)} for c, s in zip(costs, sexes, strict=True)]


def masked(vectors: Sequence[list[int]], seed: int = 7) -> list[Vector]:
    """Shares under a zero-sharing, as they arrive: each alone is uniform."""
    rng = np.random.default_rng(seed)
    shares = [encode(vector) for vector in vectors]
    for index in range(len(shares) - 1):
        mask = rng.integers(-(2**63), 2**63, size=shares[0].size, dtype=np.int64)
        shares[index] = shares[index] + mask
        shares[index + 1] = shares[index + 1] - mask
    return shares


def local(plan: Plan, rows: list[dict[str, Raw]]) -> list[int]:
    return local_sums(plan.asked, MemoryTable(rows, plan.study.table))


def get(answers: tuple[Answer, ...], question: str, cell: int, name: str) -> Estimate:
    (answer,) = (answer for answer in answers if answer.question == question)
    return answer.cells[cell].estimate(name)


@pytest.mark.parametrize("parties", [2, 3, 5, 16])
def test_without_noise_answers_equal_the_plain_ones_over_all_rows(parties: int) -> None:
    plan = planned(parties)
    tables = [rows_of(seed, 40 + 11 * seed) for seed in range(parties)]
    shares = masked([local(plan, rows) for rows in tables])
    answers = decode_totals(plan, combine_shares(plan, shares))
    rows = [row for table in tables for row in table]
    costs = np.array([max(-100.0, min(1e4, float(str(row["cost"])))) for row in rows])
    sexes = np.array([row["sex"] for row in rows])
    assert [answer.question for answer in answers] == list(plan.study.questions)
    for index, level in enumerate(("f", "m", "x")):
        chosen = costs[sexes == level]
        assert get(answers, "people", index, "count").value == len(chosen)
        mean = get(answers, "average", index, "mean")
        if level == "x":
            assert mean.value is None
        else:
            assert mean.value == pytest.approx(chosen.mean(), rel=1e-9)
        assert get(answers, "bands", 2 * index, "count").value == (chosen < 0).sum()
        assert get(answers, "bands", 2 * index + 1, "count").value == (chosen >= 0).sum()
    cents = sum(round(cost * 100) for cost in costs)
    assert Decimal(str(get(answers, "total", 0, "sum").exact)) == Decimal(cents) / 100
    variance = get(answers, "spread", 0, "variance").value
    assert variance == pytest.approx(costs.var(ddof=1), rel=1e-9)
    deviation = get(answers, "spread", 0, "standard_deviation").value
    assert deviation == pytest.approx(costs.std(ddof=1), rel=1e-9)
    assert get(answers, "spread", 0, "mean").value == pytest.approx(costs.mean(), rel=1e-9)


def test_labels_name_each_cell_by_column_in_declared_order() -> None:
    plan = planned(2)
    answers = decode_totals(plan, [0] * plan.size)
    bands = answers[-1]
    assert [cell.labels for cell in bands.cells][:3] == [
        (("sex", "f"), ("cost", "[-100, 0)")),
        (("sex", "f"), ("cost", "[0, 10000]")),
        (("sex", "m"), ("cost", "[-100, 0)")),
    ]
    assert answers[1].cells[0].labels == ()


def test_noise_of_every_estimate_is_told_in_its_unit() -> None:
    plan = planned(3)
    answers = decode_totals(plan, [0] * plan.size)
    (block,) = plan.question("total").blocks
    total = get(answers, "total", 0, "sum")
    assert total.noise_sd == pytest.approx(math.sqrt(block.total_variance) / 100)
    assert total.high is not None
    assert float(plan.question("total").expected_errors[0].half_width or 0) == pytest.approx(
        total.high, rel=1e-5
    )


def test_odd_cells_are_warned_of_and_the_answer_is_json() -> None:
    plan = planned(2)
    totals = [0] * plan.size
    totals[1] = -9
    people, _, average, *_ = decode_totals(plan, totals)
    assert any("1 of 3 counts are below 0" in warning for warning in people.warnings)
    assert any("3 of 3 cells have null" in warning for warning in average.warnings)
    json.dumps([people.to_plain(), average.to_plain()], allow_nan=False)


def test_a_missing_share_gives_no_result() -> None:
    plan = planned(3)
    shares = masked([[0] * plan.size] * 3)
    for wrong in (shares[:2], [*shares, shares[0]], []):
        with pytest.raises(IntegrityError, match="no result without all"):
            combine_shares(plan, wrong)


def test_a_share_of_another_shape_or_type_is_refused() -> None:
    plan = planned(2)
    good = encode([0] * plan.size)
    for wrong in (good[:-1], good.reshape(1, -1), good.astype(np.int32), good.astype(float)):
        with pytest.raises(IntegrityError, match="ring words"):
            combine_shares(plan, [good, wrong])


def test_a_total_that_the_range_proof_rules_out_is_refused_and_named() -> None:
    plan = planned(2)
    people = plan.question("people").blocks[0]
    for bad in (people.sum_max + people.noise_max + 1, -people.noise_max - 1, 2**62):
        vectors = [[0] * plan.size for _ in range(2)]
        vectors[0][1] = bad
        with pytest.raises(IntegrityError, match="people"):
            combine_shares(plan, masked(vectors))
    vectors = [[0] * plan.size for _ in range(2)]
    vectors[0][1] = people.sum_max + people.noise_max
    assert combine_shares(plan, masked(vectors))[1] == people.sum_max + people.noise_max


def test_totals_of_another_size_are_refused() -> None:
    plan = planned(2)
    with pytest.raises(IntegrityError):
        decode_totals(plan, [0] * (plan.size - 1))


@pytest.mark.parametrize("parties", [2, 3])
def test_released_totals_are_around_the_truth_by_the_planned_noise(parties: int) -> None:
    """Standardized errors of 300 releases of normal noise at the planned variance.

    Mean within 5 standard errors and variance within 5 of theirs: false alarms below 2e-6 a
    coordinate, about 1e-4 in all; the seed is fixed.
    """
    plan = planned(parties)
    truth = np.array(local(plan, rows_of(1, 200)), dtype=float)
    variances = np.array(
        [float(b.total_variance) for q in plan.questions for b in q.blocks for _ in range(b.cells)]
    )
    rng = np.random.default_rng(11)
    repeats = 300
    errors = []
    for _ in range(repeats):
        noise = np.rint(
            rng.normal(0, np.sqrt(variances / parties), (parties, plan.size)).astype(float)
        )
        vectors = [[int(x) for x in row] for row in noise]
        vectors[0] = [int(t) + n for t, n in zip(truth, vectors[0], strict=True)]
        totals = combine_shares(plan, masked(vectors))
        errors.append((np.array(totals, dtype=float) - truth) / np.sqrt(variances))
    standardized = np.array(errors)
    assert np.abs(standardized.mean(axis=0)).max() < 5 / math.sqrt(repeats)
    assert np.abs(standardized.var(axis=0) - 1).max() < 5 * math.sqrt(2 / repeats) + 0.02
