"""Weights that reach the errors asked for, held to the plan that a study with them gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from mpc.errors import PlanRefusal, StudyFaults
from mpc.plan.build import plan_study
from mpc.plan.tuning import Tuning, foretold, least_rho, tuned
from mpc.questions.count.declare import Count
from mpc.questions.declaration import Target
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.roster import Roster
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.model import PartyEntry, Study
from mpc.units import RHO_UNIT, RhoPico
from parties.report.tuning import tuning_document, tuning_table

MakeStudy = Callable[..., Study]
MakeRoster = Callable[[Study], Roster]


def target(half_width: str) -> Target:
    return Target(half_width=Decimal(half_width))


def asked() -> dict[str, Question]:
    """Every kind of estimate; the sum keeps a rho of its own, and the ages their part."""
    return {
        "people": Count(kind="count", by=("sex",), target=target("40")),
        "visits": Mean(kind="mean", column="visits", target=target("0.4")),
        "spread": Variance(kind="variance", column="visits", target=target("30")),
        "balance": Sum(kind="sum", column="balance", rho=Decimal("0.0005")),
        "ages": Histogram(
            kind="histogram", column="age", bins=(Decimal(0), Decimal(40), Decimal(120))
        ),
        "median": Quantile(
            kind="quantile", column="age", probability=Decimal("0.5"), target=target("0.02")
        ),
    }


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study(questions=asked(), dealer="dealing-house")


def errors(study: Study, roster: Roster) -> dict[str, Decimal]:
    planned = plan_study(study, roster)
    return {q.name: q.expected_errors[0].half_width or Decimal(0) for q in planned.questions}


def found(tuning: Tuning, name: str) -> Decimal | None:
    return next(each.reached for each in tuning.questions if each.name == name)


def test_a_study_with_the_weights_is_foretold_every_target(
    study: Study, make_roster: MakeRoster
) -> None:
    tuning = tuned(study)
    assert tuning.met
    assert tuning.needed <= tuning.budget
    with_weights = tuning.study(study)
    reached = errors(with_weights, make_roster(study))
    for name, question in study.questions.items():
        assert found(tuning, name) == reached[name]
        if question.target is not None:
            assert reached[name] <= question.target.half_width
    assert with_weights.questions["balance"] == study.questions["balance"]
    assert reached["ages"] <= errors(study, make_roster(study))["ages"]


def test_the_least_epsilon_does_and_a_little_less_does_not(
    study: Study, make_roster: MakeRoster
) -> None:
    tuning = tuned(study)
    assert tuning.epsilon is not None

    small = study.model_copy(
        update={"privacy": study.privacy.model_copy(update={"epsilon": tuning.epsilon / 2})}
    )
    again = tuned(small)
    assert not again.met
    assert again.epsilon is not None
    privacy = study.privacy.model_copy(update={"epsilon": again.epsilon})
    enough = again.study(small).model_copy(update={"privacy": privacy})
    reached = errors(enough, make_roster(study))
    for name, question in study.questions.items():
        if question.target is not None:
            assert reached[name] <= question.target.half_width
    total = sum(each.rho for each in again.questions)
    assert total == again.needed
    less = study.privacy.model_copy(update={"epsilon": again.epsilon * Decimal("0.998")})
    assert (
        plan_study(enough.model_copy(update={"privacy": less}), make_roster(study)).rho_total
        < again.needed
    )


@pytest.mark.parametrize("parties", [2, 3, 16])
@pytest.mark.parametrize("name", ["people", "visits", "spread", "balance", "median"])
def test_the_least_rho_reaches_its_target_and_a_pico_less_does_not(
    make_study: MakeStudy, parties: int, name: str
) -> None:
    study = make_study(parties, questions=asked(), dealer="dealing-house")
    goal = Decimal(90_000) if name == "balance" else study.questions[name].target.half_width  # type: ignore[union-attr]
    least = least_rho(study, name, goal)
    width, wider = (foretold(study, name, RhoPico(rho)).half_width for rho in (least, least - 1))
    assert width is not None and width <= goal  # noqa: PT018
    assert wider is None or wider > goal


def test_what_the_budget_cannot_reach_is_named_with_the_epsilon_that_would_do(
    make_study: MakeStudy,
) -> None:
    questions = {
        "people": Count(kind="count", target=target("3")),
        "ages": Count(kind="count", by=("sex",), target=target("20")),
    }
    tuning = tuned(make_study(questions=questions))
    assert not tuning.met
    assert tuning.alone == ("people",)
    assert tuning.epsilon is not None
    assert tuning.epsilon > 1
    enough = tuned(make_study(questions=questions, epsilon=tuning.epsilon))
    assert enough.met
    assert [each.weight for each in enough.questions] == [each.weight for each in tuning.questions]
    beyond = {name: Count(kind="count", target=target("0.6")) for name in ("a", "b")}
    assert tuned(make_study(questions=beyond)).epsilon is None


def test_targets_that_no_budget_reaches_or_none_at_all_are_refused(make_study: MakeStudy) -> None:
    with pytest.raises(PlanRefusal, match="no question states the error"):
        tuned(make_study())
    empty = {
        name: PartyEntry(version=1, rows_max=10, rows_expected=0) for name in make_study().parties
    }
    blind = make_study(parties=empty, questions=asked(), dealer="dealing-house")
    with pytest.raises(PlanRefusal, match="visits: no budget foretells"):
        tuned(blind)


def test_equal_targets_of_equal_questions_get_equal_weights(make_study: MakeStudy) -> None:
    twice = {name: Count(kind="count", target=target("60")) for name in ("a", "b")}
    assert [each.weight for each in tuned(make_study(questions=twice)).questions] == [1, 1]


def test_a_target_stands_in_the_plain_form_only_where_it_is_given(make_study: MakeStudy) -> None:
    study = make_study(questions=asked(), dealer="dealing-house")
    plain = study_to_plain(study)
    assert study_from_plain(plain) == study
    questions = dict(plain["questions"])  # type: ignore[arg-type,call-overload]
    assert questions["people"]["target"] == {"half_width": "40"}
    assert "target" not in questions["ages"]
    questions["people"]["target"] = {"half_width": "0"}
    with pytest.raises(StudyFaults):
        study_from_plain(plain)
    questions["people"]["target"] = None
    with pytest.raises(StudyFaults):
        study_from_plain(plain)


def test_table_and_document_say_what_to_write_and_what_would_do(study: Study) -> None:
    tuning = tuned(study)
    console = Console(width=100, record=True)
    console.print(tuning_table(study, tuning))
    text = console.export_text()
    document = tuning_document(study, tuning)
    assert f"ε {document['epsilon_needed']} would do" in text
    assert "rho: 0.0005" in text
    lines = document["questions"]
    assert isinstance(lines, list)
    for line in lines:
        assert line["weight"] is None or line["weight"] in text
        assert line["met"] is line["met_alone"] is True
    too_dear = replace(tuning, epsilon=None)
    console.print(tuning_table(study, too_dear))
    assert "No ε up to 20" in console.export_text()
    assert tuning_document(study, too_dear)["epsilon_needed"] is None
    assert Decimal(str(document["rho_needed"])) * RHO_UNIT == tuning.needed
