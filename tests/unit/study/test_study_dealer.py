"""A scenario's dealer: one exactly where a question needs it, and one that is nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from mpc.canonical import canonical_bytes
from mpc.errors import Fault, StudyFaults
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.parse import parse_study

SCENARIO = """\
version: 1
id: trial
title: A trial
purpose: research
lead: {name: J, organization: O, email: j@o.example}
parties:
  a: {version: 1, rows_max: 100, rows_expected: 50}
  b: {version: 1, rows_max: 100, rows_expected: 50}
dealer: dealing-house
recipients: [coordinator]
table:
  name: people
  unit: {kind: row}
  columns:
    age: {type: number, bounds: [0, 120]}
    sex: {type: category, levels: [f, m]}
privacy: {epsilon: 1, delta: 1e-6, adjacency: add_or_remove_one}
questions:
  people: {kind: count, by: [sex]}
  ages: {kind: quantile, column: age, probability: 0.5}
"""
NO_DEALER = SCENARIO.replace("dealer: dealing-house\n", "")
QUANTILE, SUM = "quantile, column: age, probability: 0.5", "sum, column: age"
LINEAR = NO_DEALER.replace(QUANTILE, SUM)


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(StudyFaults) as caught:
        parse_study(text.encode(), "s.yaml")
    return caught.value.faults


def only_fault(text: str, code: str, place: str) -> Fault:
    """The one fault of ``text``: ``code``, at ``place``."""
    (fault,) = faults_of(text)
    at = text.index(place)
    assert fault.code == code
    assert (fault.line, fault.column) == (
        text.count("\n", 0, at) + 1,
        at - text.rfind("\n", 0, at),
    )
    return fault


def test_a_study_names_its_dealer_and_the_questions_that_need_it() -> None:
    study = parse_study(SCENARIO.encode(), "s.yaml")
    assert study.dealer == "dealing-house"
    assert study.dealt_questions == ("ages",)


def test_a_question_that_needs_a_dealer_is_named_where_the_study_has_none() -> None:
    fault = only_fault(NO_DEALER, "PLY-S033", "ages:")
    assert fault.path == "questions.ages"
    assert fault.what == "needs a dealer, and the study names none"
    assert fault.allowed.startswith("dealer: ")


def test_a_missing_dealer_is_told_beside_the_faults_of_the_question_itself() -> None:
    text = NO_DEALER.replace("column: age", "colum: age")
    assert {fault.code for fault in faults_of(text)} == {"PLY-S010", "PLY-S012", "PLY-S033"}


def test_a_dealer_that_no_question_needs_is_a_fault_at_its_line() -> None:
    fault = only_fault(SCENARIO.replace(QUANTILE, SUM), "PLY-S034", "dealing-house")
    assert (fault.path, fault.what) == ("dealer", "a dealer that no question and no noise needs")


def test_nothing_is_said_of_an_idle_dealer_while_a_questions_kind_is_not_known() -> None:
    text = SCENARIO.replace(QUANTILE, SUM).replace("kind: count", "kind: coumt")
    codes = [fault.code for fault in faults_of(text)]
    assert codes == ["PLY-S014"]


@pytest.mark.parametrize(
    ("name", "what"), [("a", "'a' is a party"), ("coordinator", "'coordinator' is the coordinator")]
)
def test_a_dealer_that_takes_part_as_another_is_a_fault(name: str, what: str) -> None:
    text = SCENARIO.replace("dealing-house", name)
    fault = only_fault(text, "PLY-S035", f"{name}\nrecipients")
    assert (fault.path, fault.what) == ("dealer", what)
    assert "reads what is compared" in fault.allowed


@pytest.mark.parametrize("recipients", ["coordinator, dealing-house", "dealing-house, coordinator"])
def test_a_dealer_among_the_recipients_is_a_fault_at_the_recipient(recipients: str) -> None:
    text = SCENARIO.replace("[coordinator]", f"[{recipients}]")
    (fault,) = faults_of(text)
    assert (fault.code, fault.line) == ("PLY-S035", 10)
    assert fault.path == f"recipients.{recipients.split(', ').index('dealing-house')}"
    assert fault.what == "'dealing-house' is the dealer, which receives nothing"


@pytest.mark.parametrize(
    ("written", "code", "what"),
    [
        ("dealer: [dealing-house]", "PLY-S013", "a list does not fit here"),
        ("dealer: {id: dealing-house}", "PLY-S013", "a block of keys does not fit here"),
        ("dealer: 17", "PLY-S015", "YAML reads 17 as a number"),
        ("dealer: null", "PLY-S012", "no value"),
        ("dealer: ''", "PLY-S014", "not a name"),
        ("dealer: Dealing House", "PLY-S014", "not a name"),
        (f"dealer: {'d' * 41}", "PLY-S014", "text too long"),
        ("dealer: one\ndealer: two", "PLY-S011", "key 'dealer' again"),
    ],
)
def test_a_dealer_written_wrongly_is_one_fault_at_its_line(
    written: str, code: str, what: str
) -> None:
    (fault,) = faults_of(SCENARIO.replace("dealer: dealing-house", written))
    assert (fault.code, fault.line) == (code, 9 + written.count("\n"))
    assert what in fault.what
    if code == "PLY-S013":
        assert fault.allowed == "id of a participant without data, as dealing-house"


def test_a_misspelled_dealer_gets_a_suggestion() -> None:
    unknown, missing = faults_of(SCENARIO.replace("dealer:", "deeler:"))
    assert (unknown.code, missing.code) == ("PLY-S010", "PLY-S033")
    assert "did you mean 'dealer'" in unknown.what


def test_the_plain_form_has_a_dealer_only_where_there_is_one_and_comes_back_exactly() -> None:
    study = parse_study(SCENARIO.encode(), "s.yaml")
    plain = study_to_plain(study)
    assert plain["dealer"] == "dealing-house"
    assert study_from_plain(plain) == study
    linear = parse_study(LINEAR.encode(), "s.yaml")
    assert "dealer" not in study_to_plain(linear)
    assert study_from_plain(study_to_plain(linear)) == linear


@pytest.mark.parametrize("dealer", [None, "", "Dealing House", 7, ["dealing-house"], "a"])
def test_no_other_plain_form_is_taken_for_a_study_with_a_dealer(dealer: Any) -> None:
    study = parse_study(SCENARIO.encode(), "s.yaml")
    plain = study_to_plain(study)
    with pytest.raises(StudyFaults) as caught:
        study_from_plain({**plain, "dealer": dealer})
    assert caught.value.file == "<proposal>"
    assert canonical_bytes(study_to_plain(study)) == canonical_bytes(plain)


def test_a_proposal_without_the_dealer_that_it_needs_is_refused_naming_the_question() -> None:
    plain = study_to_plain(parse_study(SCENARIO.encode(), "s.yaml"))
    del plain["dealer"]
    with pytest.raises(StudyFaults, match=r"PLY-S033 questions\.ages"):
        study_from_plain(plain)


def test_a_proposal_that_writes_down_that_it_has_no_dealer_is_another_spelling() -> None:
    plain = study_to_plain(parse_study(LINEAR.encode(), "s.yaml"))
    with pytest.raises(StudyFaults, match="another spelling of the same study"):
        study_from_plain({**plain, "dealer": None})


@pytest.mark.parametrize(
    ("written", "wrong", "path", "what", "allowed"),
    [
        (
            "ve_one}",
            "ve_one, noises: [own, own]}",
            "privacy.noises",
            "a noise twice",
            "own, dealt, joint",
        ),
        ("0.5}", "0.33333}", "questions.ages.probability", "more than 4 decimals", "0.3333"),
        (", probability: 0.5", "", "questions.ages", "probability required", "0.5 for the median"),
    ],
)
def test_what_a_dealt_study_gets_wrong_is_answered_by_what_is_allowed(
    written: str, wrong: str, path: str, what: str, allowed: str
) -> None:
    (fault,) = faults_of(SCENARIO.replace(written, wrong))
    assert (fault.path, fault.what) == (path, what)
    assert allowed in fault.allowed
