"""Study → plan: the numbers every party must agree on, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from mpc.accounting.conversion import epsilon_from_rho, rho_from_epsilon
from mpc.accounting.event import Noise, price
from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.errors import PlanRefusal
from mpc.outcome import decode_totals
from mpc.plan.build import VECTOR_MAX, plan_study
from mpc.plan.model import ColumnUse, Plan
from mpc.questions.count.declare import Count
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.roster import Roster
from mpc.study.model import PartyEntry, RowUnit, Study
from mpc.units import RHO_UNIT, Adjacency

MakeStudy = Callable[..., Study]
MakeRoster = Callable[[Study], Roster]
MakePlan = Callable[..., Plan]


@pytest.fixture
def plan(make_study: MakeStudy, make_roster: MakeRoster) -> Callable[..., Plan]:
    def make(count: int = 3, **changes: Any) -> Plan:
        study = make_study(count, **changes)
        return plan_study(study, make_roster(study))

    return make


def test_the_budget_is_kept_and_split_by_weight_in_rho(plan: MakePlan) -> None:
    planned = plan()
    budget = rho_from_epsilon(Decimal(1), Decimal("0.000001"))
    assert budget - 20 < planned.rho_total <= budget
    assert planned.epsilon_total == 1
    assert planned.delta_charged == 0
    assert sum(question.rho for question in planned.questions) == planned.rho_total
    assert price(planned.event) == (planned.rho_total, 0)
    parts = {question.name: question.rho for question in planned.questions}
    assert parts["visits"] == pytest.approx(2 * parts["people"], abs=5)
    assert parts["people"] == pytest.approx(parts["spread"], abs=5)
    for question in planned.questions:
        assert question.epsilon == epsilon_from_rho(question.rho, Decimal("0.000001"))
        assert len({block.rho for block in question.blocks}) == 1


def test_an_explicit_rho_is_taken_first_and_the_rest_is_shared(plan: MakePlan) -> None:
    asked: dict[str, Question] = {
        "fixed": Count(kind="count", rho=Decimal("0.01")),
        "one": Count(kind="count", by=("sex",)),
        "three": Count(kind="count", weight=Decimal(3)),
    }
    planned = plan(questions=asked)
    assert planned.question("fixed").rho == RHO_UNIT // 100
    rest = rho_from_epsilon(Decimal(1), Decimal("0.000001")) - RHO_UNIT // 100
    assert planned.question("one").rho == rest // 4
    assert planned.question("three").rho == rest * 3 // 4
    alone = plan(questions={"fixed": asked["fixed"]})
    assert alone.rho_total == RHO_UNIT // 100
    assert alone.epsilon_total < 1


def test_noise_follows_from_sensitivity_and_price_and_nothing_else(plan: MakePlan) -> None:
    """(1, 1e-6), Delta = 1: V* = 20.528847, from each party alone."""
    planned = plan(questions={"n": Count(kind="count")})
    (block,) = planned.question("n").blocks
    assert float(block.variance) == pytest.approx(20.528847, abs=1e-6)
    assert block.party_variance == block.variance
    assert block.total_variance == 3 * block.variance
    assert float(block.total_variance) == pytest.approx(61.5865, abs=1e-4)
    assert block.variance == Fraction(RHO_UNIT, 2 * block.rho)


@pytest.mark.parametrize(
    ("parties", "coalition", "each", "total"),
    [(2, 1, 20.5288, 41.0577), (3, 2, 20.5288, 61.5865), (3, 1, 10.2644, 30.7933),
     (5, 4, 20.5288, 102.6442), (5, 2, 6.8429, 34.2147)],
)  # fmt: skip
def test_party_noise_is_split_by_those_who_stay_honest(
    plan: MakePlan, parties: int, coalition: int, each: float, total: float
) -> None:
    """Own noise of n parties of which t may collude."""
    planned = plan(parties, coalition=coalition, questions={"n": Count(kind="count")})
    (block,) = planned.question("n").blocks
    assert float(block.party_variance) == pytest.approx(each, abs=1e-4)
    assert float(block.total_variance) == pytest.approx(total, abs=1e-4)
    assert planned.rho_total <= rho_from_epsilon(Decimal(1), Decimal("0.000001"))


@pytest.mark.parametrize("parties", [2, 3, 5, 16])
def test_every_coalition_is_priced_and_the_promise_holds_up_to_t(
    plan: MakePlan, parties: int
) -> None:
    planned = plan(parties)
    assert planned.parties == parties
    assert planned.coalition == parties - 1
    assert [loss.parties for loss in planned.coalitions] == list(range(parties))
    epsilons = [loss.epsilon for loss in planned.coalitions]
    assert epsilons == sorted(epsilons)
    assert all(loss.promised and loss.epsilon <= 1 for loss in planned.coalitions)
    assert epsilons[-1] == planned.epsilon_total
    assert epsilons[0] < epsilons[-1]


def test_a_smaller_coalition_leaves_larger_ones_unpromised(plan: MakePlan) -> None:
    planned = plan(5, coalition=2)
    assert [loss.promised for loss in planned.coalitions] == [True] * 3 + [False] * 2
    assert planned.coalitions[2].epsilon <= 1
    assert planned.coalitions[3].epsilon > 1


def test_sensitivities_are_the_integers_of_the_contract(plan: MakePlan) -> None:
    def squared(**changes: Any) -> dict[str, list[int]]:
        planned = plan(**changes)
        return {
            q.name: [block.sensitivity_squared for block in q.blocks] for q in planned.questions
        }

    h, balance = 39, 200_000
    assert squared() == {
        "people": [1], "visits": [1, h**2], "spread": [1, h**2, h**4], "balance": [balance**2],
        "ages": [1],
    }  # fmt: skip
    assert squared(adjacency=Adjacency.REPLACE_ONE) == {
        "people": [2], "visits": [1, 4 * h**2], "spread": [2, 4 * h**2, 2 * h**4],
        "balance": [4 * balance**2], "ages": [2],
    }  # fmt: skip
    assert squared(unit=RowUnit(kind="row", rows_max=3))["visits"] == [9, 9 * h**2]


def test_questions_lie_one_after_another_in_the_studys_order(plan: MakePlan) -> None:
    planned = plan()
    assert [q.name for q in planned.questions] == list(planned.study.questions)
    assert [q.offset for q in planned.questions] == [0, 2, 4, 10, 11]
    assert planned.size == planned.event.size == 13
    assert planned.cost.share_bytes == 13 * 8
    assert planned.asked == planned.questions
    with pytest.raises(KeyError):
        planned.question("nothing")


def test_columns_are_listed_with_every_use(plan: MakePlan) -> None:
    assert plan().columns_used == {
        "age": {ColumnUse.GROUP, ColumnUse.FILTER},
        "balance": {ColumnUse.AGGREGATE},
        "sex": {ColumnUse.GROUP},
        "visits": {ColumnUse.AGGREGATE},
    }
    assert "sex" not in plan(questions={"n": Count(kind="count")}).columns_used


def test_expected_errors_are_known_before_any_data(plan: MakePlan) -> None:
    planned = plan()
    errors = {
        q.name: {e.estimate: e.half_width for e in q.expected_errors} for q in planned.questions
    }
    assert set(errors["spread"]) == {"variance", "standard_deviation", "mean", "count"}
    visits = planned.question("visits")
    n, s1 = (float(block.total_variance) for block in visits.blocks)
    worst = 1.959963984540054 * (s1 + 39**2 * n) ** 0.5 / 15_000
    mean = errors["visits"]["mean"]
    assert mean is not None
    assert float(mean) == pytest.approx(worst, rel=1e-5)
    assert float(mean) >= worst
    assert errors["people"]["count"] == int(errors["people"]["count"] or 0)
    empty = {
        name: PartyEntry(version=1, rows_max=10, rows_expected=0) for name in planned.study.parties
    }
    blind = plan(parties=empty)
    assert blind.question("visits").expected_errors[0].half_width is None
    assert blind.question("people").expected_errors[0].half_width is not None


@pytest.mark.parametrize("parties", [2, 3, 5, 16])
@pytest.mark.parametrize("noise", Noise)
def test_errors_of_counts_and_sums_are_foretold_to_the_digit(
    plan: MakePlan, parties: int, noise: Noise
) -> None:
    allowed = tuple(dict.fromkeys((noise, Noise.OWN)))
    dealer = None if noise is Noise.OWN else "dealing-house"
    for epsilon in ("0.1", "1", "8"):
        planned = plan(parties, epsilon=Decimal(epsilon), noises=allowed, dealer=dealer)
        answers = decode_totals(planned, [0] * planned.size)
        for question, answer in zip(planned.questions, answers, strict=True):
            foretold = {each.estimate: each.half_width for each in question.expected_errors}
            for name in {"count", "sum"} & set(foretold):
                assert float(foretold[name] or 0) == answer.cells[0].estimate(name).high
    assert noise in planned.noises


# --- refusals ------------------------------------------------------------------------------------


def annual(step: str) -> dict[str, Any]:
    """The pay column of the CPS regions, 61,395 rows."""
    return {
        "columns": {
            "annual": NumberColumn(
                type="number", bounds=(Decimal(0), Decimal(200_000)), step=Decimal(step)
            )
        },
        "where": "",
        "questions": {"pay": Variance(kind="variance", column="annual")},
    }


def test_a_sum_of_squares_that_could_wrap_is_refused_with_a_step_that_fits(plan: MakePlan) -> None:
    with pytest.raises(PlanRefusal) as caught:
        plan(**annual("0.01"))
    assert caught.value.question == "pay"
    text = str(caught.value)
    assert "s2 of 'annual'" in text
    assert "[0, 200000] at step 0.01" in text
    assert "2^62" in text
    hinted = text.split("a step of ")[1].split(" ", maxsplit=1)[0]
    assert plan(**annual(hinted)).largest_value < 2**62
    assert plan(**annual("1")).largest_value < 2**62
    assert plan(**annual("0.01") | {"questions": {"pay": Mean(kind="mean", column="annual")}})


def test_the_range_proof_holds_at_its_edge(plan: MakePlan) -> None:
    """The largest rows_max that plans, and one more, enclose 2^62."""

    def largest(rows_max: int) -> int:
        column = NumberColumn(type="number", bounds=(Decimal(-(2**30)), Decimal(2**30)))
        return plan(
            2,
            columns={"x": column},
            where="",
            parties={
                name: PartyEntry(version=1, rows_max=rows_max, rows_expected=1)
                for name in ("site-a", "site-b")
            },
            questions={"s": Sum(kind="sum", column="x")},
        ).largest_value

    low, high = 1, 10**10
    while high - low > 1:
        middle = (low + high) // 2
        try:
            largest(middle)
            low = middle
        except PlanRefusal:
            high = middle
    assert largest(low) < 2**62 <= largest(low) + 2 * 2**30
    assert low == pytest.approx(2**31, rel=1e-6)


def test_a_range_taken_up_by_noise_alone_is_refused(plan: MakePlan) -> None:
    with pytest.raises(PlanRefusal) as caught:
        plan(epsilon=Decimal("0.000005"), **annual("0.1"))
    assert plan(epsilon=Decimal("0.0001"), **annual("0.1"))
    assert caught.value.question == "pay"


@pytest.mark.parametrize(
    ("changes", "question", "words"),
    [
        ({"epsilon": Decimal("0.0000000001")}, "people", "too small to split"),
        (
            {"questions": {
                "big": Count(kind="count", rho=Decimal(1)), "rest": Count(kind="count")}},
            "big", "exceeds the study's",
        ),
        (
            {"questions": {
                "all": Count(kind="count", rho=Decimal("0.024355970359")),
                "rest": Count(kind="count")}},
            "rest", "too small to split",
        ),
        ({"coalition": 1, "epsilon": Decimal(10)}, "people", "standard deviation below 2"),
        ({"coalition": 3}, "", "at most 2"),
        ({"where": "", "questions": {"n": Count(kind="count", by=("age",))}}, "n", "by.0"),
        ({"where": "", "questions": {"n": Sum(kind="sum", column="nix")}}, "n", "no column"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_named(
    plan: MakePlan, changes: dict[str, Any], question: str, words: str
) -> None:
    with pytest.raises(PlanRefusal, match=words) as caught:
        plan(**changes)
    assert caught.value.question == question
    assert caught.value.exit_code == 2


def test_too_many_integers_are_refused(plan: MakePlan) -> None:
    levels = CategoryColumn(type="category", levels=tuple(f"l{i}" for i in range(100)))
    columns = {"a": levels, "b": levels}
    fits = VECTOR_MAX // 10_000
    asked = {f"q{i}": Count(kind="count", by=("a", "b")) for i in range(fits + 1)}
    with pytest.raises(PlanRefusal, match=f"at most {VECTOR_MAX}"):
        plan(columns=columns, where="", questions=asked)
    asked.popitem()
    assert plan(columns=columns, where="", questions=asked).size == VECTOR_MAX


def test_a_roster_of_other_parties_or_another_order_is_refused(
    make_study: MakeStudy, make_roster: MakeRoster
) -> None:
    study = make_study(3)
    with pytest.raises(PlanRefusal, match="roster"):
        plan_study(study, make_roster(make_study(4)))
    turned = make_study(3, parties=dict(reversed(study.parties.items())))
    with pytest.raises(PlanRefusal, match="roster"):
        plan_study(study, make_roster(turned))


DEALT: dict[str, Question] = {
    "people": Count(kind="count"),
    "median": Quantile(kind="quantile", column="age", probability=Decimal("0.5")),
}


def test_a_plan_has_its_studys_dealer_in_its_roster_and_another_digest_with_another(
    plan: MakePlan,
) -> None:
    planned = plan(dealer="dealing-house", questions=DEALT)
    assert planned.roster.dealer is not None
    assert planned.roster.dealer.id == planned.study.dealer == "dealing-house"
    assert planned.digest != plan(dealer="house-of-deals", questions=DEALT).digest


def test_a_question_that_needs_a_dealer_is_not_planned_without_one(plan: MakePlan) -> None:
    with pytest.raises(PlanRefusal, match="needs a dealer, and the study names none") as caught:
        plan(questions=DEALT)
    assert caught.value.question == "median"


def test_a_dealer_for_nothing_is_not_planned(plan: MakePlan) -> None:
    with pytest.raises(
        PlanRefusal, match="dealer dealing-house: no question and no noise needs one"
    ):
        plan(dealer="dealing-house")


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_what_a_dealer_reads_with_parties_is_priced_above_what_they_read_without_it(
    plan: MakePlan, parties: int
) -> None:
    planned = plan(parties, dealer="dealing-house", questions=DEALT)
    without = [loss for loss in planned.coalitions if not loss.dealer]
    dealt = [loss for loss in planned.coalitions if loss.dealer]

    assert [loss.parties for loss in dealt] == list(range(1, parties))
    assert not any(loss.promised for loss in dealt)
    for loss, same in zip(dealt, without[1:], strict=True):
        assert loss.rho > same.rho
        assert loss.epsilon > same.epsilon
    assert dealt[-1].epsilon > planned.epsilon_total
    assert all(not loss.dealer for loss in plan(parties).coalitions)


@pytest.mark.parametrize(
    ("named", "listed"),
    [("dealing-house", None), ("dealing-house", "house-of-deals")],
)
def test_a_roster_with_another_dealer_than_the_studys_is_refused(
    make_study: MakeStudy, make_roster: MakeRoster, named: str, listed: str | None
) -> None:
    roster = make_roster(make_study(3, dealer=listed))
    with pytest.raises(PlanRefusal) as caught:
        plan_study(make_study(3, dealer=named, questions=DEALT), roster)
    assert f"the roster has dealer {listed or 'none'}, the study {named}" in str(caught.value)


def test_a_roster_with_a_dealer_for_a_study_that_has_none_is_refused(
    make_study: MakeStudy, make_roster: MakeRoster
) -> None:
    with pytest.raises(PlanRefusal, match="the roster has dealer dealing-house, the study none"):
        plan_study(make_study(3), make_roster(make_study(3, dealer="dealing-house")))
