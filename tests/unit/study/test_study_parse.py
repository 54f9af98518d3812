"""Scenario files: the study they mean, or every fault at once with its place."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from mpc.errors import Fault, StudyFaults
from mpc.study.model import Study
from mpc.study.parse import parse_study
from mpc.study.source import BYTES_MAX

HEAD = """\
version: 1
id: trial
title: A trial
purpose: research
lead: {name: J, organization: O, email: j@o.example}
"""
PARTIES = """\
parties:
  a: {version: 1, rows_max: 100, rows_expected: 50}
  b: {version: 1, rows_max: 100, rows_expected: 50}
"""
RECIPIENTS = "recipients: [coordinator]\n"
COLUMNS = """\
    age: {type: number, bounds: [0, 120]}
    sex: {type: category, levels: [f, m]}
    day: {type: date, bounds: [2020-01-01, 2020-12-31]}
"""
PRIVACY = "privacy: {epsilon: 1, delta: 1e-6, adjacency: add_or_remove_one}\n"
QUESTIONS = """\
questions:
  q: {kind: mean, column: age, by: [sex]}
"""


def scenario(
    *,
    head: str = HEAD,
    parties: str = PARTIES,
    recipients: str = RECIPIENTS,
    columns: str = COLUMNS,
    where: str = "",
    privacy: str = PRIVACY,
    questions: str = QUESTIONS,
) -> str:
    table = f"table:\n  name: people\n  unit: {{kind: row}}\n  columns:\n{columns}{where}"
    return head + parties + recipients + table + privacy + questions


def faults_of(text: str | bytes) -> tuple[Fault, ...]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(StudyFaults) as caught:
        parse_study(data, "s.yaml")
    assert caught.value.exit_code == 2
    for line, fault in zip(str(caught.value).splitlines(), caught.value.faults, strict=True):
        assert line.startswith(f"s.yaml:{fault.line}:{fault.column} {fault.code} {fault.path}: ")
    return caught.value.faults


def only_fault(text: str | bytes) -> Fault:
    faults = faults_of(text)
    assert len(faults) == 1, [fault.render("s.yaml") for fault in faults]
    return faults[0]


def place_in(text: str, needle: str, *, after: str = "") -> tuple[int, int]:
    at = text.index(needle, text.index(after))
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def with_column(declaration: str) -> str:
    return scenario(columns=COLUMNS + f"    x: {declaration}\n")


def test_a_whole_file_becomes_a_frozen_study_with_exact_decimals() -> None:
    study = parse_study(scenario().encode(), "s.yaml")
    assert isinstance(study, Study)
    assert study.privacy.delta == Decimal("0.000001")
    assert tuple(study.parties) == ("a", "b")
    assert study.table.columns["day"].type == "date"
    assert study.privacy.coalition is None


def test_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = b"\xef\xbb\xbf" + scenario().replace("\n", "\r\n").encode()
    assert parse_study(text, "s.yaml") == parse_study(scenario().encode(), "s.yaml")


def test_decimals_keep_all_their_digits() -> None:
    text = with_column("{type: number, bounds: [-0.3, 1.2], step: 0.1}")
    column = parse_study(text.encode(), "s.yaml").table.columns["x"]
    assert column.type == "number"
    assert (column.bounds, column.low, column.high) == (
        (Decimal("-0.3"), Decimal("1.2")), -3, 12,
    )  # fmt: skip


def test_all_faults_of_a_file_come_at_once_in_the_order_of_the_file() -> None:
    text = scenario(
        head=HEAD.replace("title", "titel"),
        recipients="recipients: [cordinator]\n",
        columns="    age: {type: number}\n    sex: {type: category, levels: [f, f]}\n",
        where="  where: age >\n",
        privacy="privacy: {epsilon: 0, delta: 1e-6, adjacency: add_or_remove_one, coalition: 2}\n",
        questions="questions:\n  q: {kind: median}\n  r: {kind: count, by: [age]}\n",
    )
    faults = faults_of(text)
    assert [(fault.line, fault.column) for fault in faults] == sorted(
        (fault.line, fault.column) for fault in faults
    )
    assert [fault.code for fault in faults] == [
        "PLY-S012", "PLY-S010", "PLY-S031", "PLY-S012", "PLY-S021", "PLY-S050", "PLY-S014",
        "PLY-S032", "PLY-S014",
    ]  # fmt: skip


def test_an_unknown_key_gets_a_suggestion_and_the_keys_allowed() -> None:
    text = with_column("{type: number, bounds: [0, 1], stp: 1}")
    fault = only_fault(text)
    assert fault.code == "PLY-S010"
    assert (fault.line, fault.column) == place_in(text, "stp")
    assert fault.path == "table.columns.x"
    assert "'stp' (did you mean 'step'?)" in fault.what
    assert "bounds, step" in fault.allowed


def test_a_duplicate_key_is_a_fault_that_names_the_first_line() -> None:
    text = scenario(columns=COLUMNS + "    age: {type: number, bounds: [0, 1]}\n")
    fault = only_fault(text)
    assert (fault.code, fault.path) == ("PLY-S011", "table.columns.age")
    first = place_in(text, "age:")
    assert f"line {first[0]}" in fault.allowed


def test_d01_missing_bounds_are_required_at_the_column() -> None:
    text = with_column("{type: number}")
    fault = only_fault(text)
    assert fault.what == "bounds required"
    assert "never from the data" in fault.allowed
    assert (fault.line, fault.column) == place_in(text, "x:", after="day")


@pytest.mark.parametrize("bounds", ["[0, 0]", "[5, 1]"])
def test_d02_bounds_that_do_not_rise_are_refused(bounds: str) -> None:
    text = with_column(f"{{type: number, bounds: {bounds}}}")
    fault = only_fault(text)
    assert (fault.code, fault.path) == ("PLY-S020", "table.columns.x.bounds")
    assert fault.what == "lower bound is not below upper bound"
    assert (fault.line, fault.column) == place_in(text, bounds)


@pytest.mark.parametrize(
    ("declaration", "code", "what"),
    [
        ("{type: number, bounds: [0, 1e15]}", "PLY-S016", "number beyond the exact range"),
        ("{type: number, bounds: [0, 1e309]}", "PLY-S016", "number beyond the exact range"),
        ("{type: number, bounds: [0, 1e99999]}", "PLY-S013", "is not a number"),
        ("{type: number, bounds: [0, 9" + "0" * 70 + "]}", "PLY-S016", "beyond the exact range"),
        ("{type: number, bounds: [.nan, 1]}", "PLY-S016", "no finite number"),
        ("{type: number, bounds: [-.inf, 1]}", "PLY-S016", "no finite number"),
        ("{type: number, bounds: [NaN, 1]}", "PLY-S016", "no finite number"),
        ("{type: number, bounds: [0, 99999999999999], step: 0.01}", "PLY-S020", "exact range"),
        ("{type: number, bounds: [0, 1], step: 0.3}", "PLY-S020", "off the grid"),
        ("{type: number, bounds: [0, 1], step: 0}", "PLY-S020", "step is not above 0"),
        ("{type: number, bounds: [0, 1, 2]}", "PLY-S013", "a list of 3"),
        ("{type: number, bounds: ['0', 1]}", "PLY-S013", "in quotes"),
        ("{type: number, bounds: [0, 1_000]}", "PLY-S013", "is not a number"),
        ("{type: number, bounds: [0, 0x10]}", "PLY-S013", "is not a number"),
        ("{type: number, bounds: 5}", "PLY-S013", "does not fit here"),
        ("{type: number, bounds: }", "PLY-S012", "no value"),
        ("{type: number, bounds: [0, 1], missing: {value: 3}}", "PLY-S014", "out of bounds"),
        ("{type: number, bounds: [0, 1], missing: zero}", "PLY-S014", "not allowed"),
        ("{type: category, levels: []}", "PLY-S021", "too few levels"),
        ("{type: category, levels: [a], missing: {level: b}}", "PLY-S014", "not a declared level"),
        ('{type: category, levels: ["a\\nb"]}', "PLY-S014", "hidden characters"),
        ("{type: category, levels: [a, ' b']}", "PLY-S021", "levels do not fit"),
        ("{type: date, bounds: [2020-01-01, 2020-02-30]}", "PLY-S013", "is no day"),
        ("{type: date, bounds: [2020-01-01, 2020-01-01]}", "PLY-S020", "not before"),
        ("{type: text}", "PLY-S014", "'text' is not allowed"),
        ("[1]", "PLY-S013", "a list does not fit here"),
    ],
)
def test_a_column_outside_the_rules_is_one_fault(declaration: str, code: str, what: str) -> None:
    fault = only_fault(with_column(declaration))
    assert fault.code == code
    assert what in fault.what
    assert fault.allowed
    assert fault.path.startswith("table.columns.x")


def test_n15_one_party_is_told_that_two_are_needed() -> None:
    text = scenario(parties="parties:\n  a: {version: 1, rows_max: 9, rows_expected: 5}\n")
    fault = only_fault(text)
    assert (fault.code, fault.what) == ("PLY-S030", "one party")
    assert fault.allowed == "at least two parties"
    assert (fault.line, fault.column) == place_in(text, "parties")


def test_n15_one_party_is_told_even_if_its_entry_is_faulty_too() -> None:
    text = scenario(parties="parties:\n  a: {version: 0, rows_max: 9, rows_expected: 5}\n")
    assert {fault.code for fault in faults_of(text)} == {"PLY-S014", "PLY-S030"}


def test_no_party_at_all_and_seventeen_parties_are_refused() -> None:
    assert only_fault(scenario(parties="parties: {}\n")).what == "no party"
    many = "".join(f"  p{i}: {{version: 1, rows_max: 9, rows_expected: 5}}\n" for i in range(17))
    assert only_fault(scenario(parties="parties:\n" + many)).allowed == "at most 16 parties"


@pytest.mark.parametrize("word", ["no", "Yes", "on", "OFF", "true", "n", "~", "null", "1", "1.5"])
def test_levels_that_yaml_readers_dispute_must_be_quoted(word: str) -> None:
    text = with_column(f"{{type: category, levels: [{word}, other]}}")
    fault = only_fault(text)
    assert fault.code == "PLY-S015"
    assert fault.path == "table.columns.x.levels.0"
    assert fault.allowed == f"quote it: '{word}'"
    quoted = with_column(f"{{type: category, levels: ['{word}', other]}}")
    column = parse_study(quoted.encode(), "s.yaml").table.columns["x"]
    assert column.type == "category"
    assert column.levels == (word, "other")


def test_levels_that_are_one_after_unicode_normalization_are_named() -> None:
    text = with_column("{type: category, levels: [caf\u00e9, tea, cafe\u0301]}")
    fault = only_fault(text)
    assert (fault.code, fault.path) == ("PLY-S021", "table.columns.x.levels.2")
    assert "'caf\u00e9' again" in fault.what
    assert (fault.line, fault.column) == place_in(text, "cafe\u0301")


def test_decomposed_levels_are_brought_to_one_spelling() -> None:
    text = with_column("{type: category, levels: [cafe\u0301, tea]}")
    column = parse_study(text.encode(), "s.yaml").table.columns["x"]
    assert column.type == "category"
    assert column.levels == ("caf\u00e9", "tea")


def test_the_coordinator_adds_up_and_so_must_be_named_a_recipient() -> None:
    fault = only_fault(scenario(recipients="recipients: [a]\n"))
    assert fault.code == "PLY-S031"
    assert "the coordinator is missing" in fault.what


def test_recipients_must_take_part() -> None:
    text = scenario(recipients="recipients: [a, cordinator, a]\n")
    unknown, again = faults_of(text)
    assert unknown.code == again.code == "PLY-S031"
    assert "did you mean 'coordinator'?" in unknown.what
    assert (unknown.line, unknown.column) == place_in(text, "cordinator")
    assert again.what == "'a' again"


def test_no_party_may_be_called_coordinator() -> None:
    text = scenario(parties=PARTIES.replace("  b:", "  coordinator:"))
    assert only_fault(text).path == "parties.coordinator"


def test_more_rows_expected_than_the_capacity_is_refused() -> None:
    text = scenario(parties=PARTIES.replace("rows_expected: 50", "rows_expected: 101", 1))
    fault = only_fault(text)
    assert fault.path == "parties.a.rows_expected"
    assert fault.allowed == "at most 100"


def test_a_coalition_of_all_parties_is_refused() -> None:
    privacy = PRIVACY.replace("}", ", coalition: 2}")
    fault = only_fault(scenario(privacy=privacy))
    assert (fault.code, fault.path) == ("PLY-S032", "privacy.coalition")
    assert "at most 1" in fault.allowed
    parse_study(scenario(privacy=privacy.replace("2}", "1}")).encode(), "s.yaml")


@pytest.mark.parametrize(
    ("question", "path", "what"),
    [
        ("{kind: count, by: [age]}", "questions.q.by.0", "column 'age' is a number"),
        ("{kind: count, by: [sexx]}", "questions.q.by.0", "(did you mean 'sex'?)"),
        ("{kind: count, by: sex}", "questions.q.by", "'sex' does not fit here"),
        ("{kind: count, by: [sex, sex]}", "questions.q.by", "a column twice"),
        ("{kind: mean, column: sex}", "questions.q.column", "column 'sex' is a category"),
        ("{kind: mean}", "questions.q", "column required"),
        ("{kind: sum, column: agee}", "questions.q.column", "no column 'agee'"),
        ("{kind: median, column: age}", "questions.q.kind", "(did you mean 'quantile'?)"),
        ("{column: age}", "questions.q", "kind required"),
        ("{kind: count, weight: 1, rho: 0.1}", "questions.q.weight", "weight and rho both given"),
        ("{kind: count, weight: 0}", "questions.q.weight", "out of range"),
        ("{kind: count, weight: '1'}", "questions.q.weight", "in quotes"),
        ("{kind: histogram, column: age}", "questions.q.bins", "bins of a number are missing"),
        ("{kind: histogram, column: age, bins: [0, 200]}", "questions.q.bins.1", "outside"),
        ("{kind: histogram, column: age, bins: [0, 0.5]}", "questions.q.bins.1", "off the grid"),
        ("{kind: histogram, column: age, bins: [5, 5]}", "questions.q.bins.1", "do not rise"),
        ("{kind: histogram, column: day, bins: [1, 2020-02-01]}", "questions.q.bins.0", "type"),
    ],
)
def test_a_question_that_does_not_fit_is_one_fault(question: str, path: str, what: str) -> None:
    fault = only_fault(scenario(questions=f"questions:\n  q: {question}\n"))
    assert fault.path == path
    assert what in fault.what
    assert fault.allowed


def test_bins_of_days_are_read() -> None:
    question = "{kind: histogram, column: day, bins: [2020-01-01, '2020-07-01', 2020-12-31]}"
    study = parse_study(scenario(questions=f"questions:\n  q: {question}\n").encode(), "s.yaml")
    assert study.questions["q"].layout(study.table.columns).cells == 2


def test_questions_on_a_faulty_column_are_not_blamed_for_it() -> None:
    text = scenario(columns=COLUMNS.replace("[0, 120]", "[120, 0]"))
    assert only_fault(text).path == "table.columns.age.bounds"


@pytest.mark.parametrize(
    ("where", "needle", "code"),
    [
        ("  where: age > 3 and and sex = 'f'\n", "and sex", "PLY-S050"),
        ("  where: age == 3\n", "== 3", "PLY-S050"),
        ("  where: \"age > 3 and sex = 'x'\"\n", "'x'", "PLY-S051"),
        ("  where: 'age > 3 and sex = ''f'' or aeg = 1'\n", "aeg", "PLY-S051"),
        ("  where: >-\n    age > 3\n    and sex = 'x'\n", "'x'", "PLY-S051"),
        ("  where: |\n    age > 3\n\n      and aeg = 1\n", "aeg", "PLY-S051"),
        ("  where: age > 3\n    and sex < 'f'\n", "< 'f'", "PLY-S051"),
    ],
)
def test_a_fault_in_where_points_into_the_text_however_it_is_quoted(
    where: str, needle: str, code: str
) -> None:
    text = scenario(where=where)
    fault = only_fault(text)
    assert fault.code == code
    assert fault.path == "table.where"
    assert (fault.line, fault.column) == place_in(text, needle, after="where")


def test_where_on_a_column_not_declared_is_told_with_a_guess() -> None:
    fault = only_fault(scenario(where="  where: agee > 3\n"))
    assert "no column 'agee' (did you mean 'age'?)" in fault.what
    assert fault.allowed == "declared columns: age, sex, day"


@pytest.mark.parametrize(
    ("text", "code", "what"),
    [
        (b"", "PLY-S001", "empty"),
        (b"# nothing\n", "PLY-S001", "empty"),
        (b"version: [1", "PLY-S001", "not YAML"),
        (b"version: 1\n\tid: x", "PLY-S001", "not YAML"),
        (b"[1, 2]", "PLY-S013", "a list does not fit here"),
        (b"just text", "PLY-S013", "does not fit here"),
        (b"version: 1\nid: \xff\n", "PLY-S002", "not UTF-8"),
        ("version: 1\nid: x\n".encode("utf-16"), "PLY-S002", "not UTF-8"),
        (b"version: 1\nid: \x07\n", "PLY-S002", "control character"),
        (b"a: &x 1\nb: *x\n", "PLY-S004", "anchor &x"),
        (b"b: *x\n", "PLY-S004", "alias *x"),
        (b"a: !!python/object:os.system x\n", "PLY-S004", "tag"),
        (b"a: 1\n---\nb: 1\n", "PLY-S004", "second document"),
        (b"? [a, b]\n: 1\n", "PLY-S001", "a key that is a list"),
        (b"[" * 10_000, "PLY-S003", "too deeply nested"),
        (b"{a: " * 10_000, "PLY-S003", "too deeply nested"),
        (b"- " * 10_000, "PLY-S003", "too deeply nested"),
        (b"a: [" + b"1," * 60_000 + b"]", "PLY-S003", "too many values"),
        (b"#" * (BYTES_MAX + 1), "PLY-S003", "bytes"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_one_fault(text: bytes, code: str, what: str) -> None:
    fault = only_fault(text)
    assert fault.code == code
    assert what in fault.what
    assert fault.line >= 1
    assert fault.column >= 1


def test_the_place_of_a_wrong_byte_is_told() -> None:
    fault = only_fault("version: 1\ntitle: Süd ".encode() + b"\xff\n")
    assert (fault.line, fault.column) == (2, 12)


def test_a_yaml_bomb_is_refused_at_its_first_anchor_without_growing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    start = time.monotonic()
    fault = only_fault("\n".join(lines))
    assert time.monotonic() - start < 1
    assert (fault.code, fault.line, fault.column) == ("PLY-S004", 1, 5)


def test_faults_print_no_character_that_a_terminal_acts_on() -> None:
    columns = COLUMNS + '    "x\\e[2J\\u202e": {type: number, bounds: [0, 1]}\n'
    head = HEAD.replace("A trial", '"\\e[31m red"')
    text = scenario(head=head, columns=columns, where='  where: "\\u202e = 1"\n')
    with pytest.raises(StudyFaults) as caught:
        parse_study(text.encode(), "s.yaml")
    assert all(line.isprintable() for line in str(caught.value).splitlines())
    assert {"title", "table.where"} <= {fault.path for fault in caught.value.faults}


def test_a_question_of_no_known_kind_is_told_everything_else_that_is_wrong() -> None:
    wrong = "column: agee, by: [sexx], weight: -1, extra: 1"
    for kind in ("kind: median, ", ""):
        text = scenario(questions=f"questions:\n  q: {{{kind}{wrong}}}\n")
        assert {(fault.code, fault.path) for fault in faults_of(text)} == {
            ("PLY-S014", "questions.q.kind") if kind else ("PLY-S012", "questions.q"),
            ("PLY-S040", "questions.q.column"),
            ("PLY-S040", "questions.q.by.0"),
            ("PLY-S041", "questions.q.weight"),
            ("PLY-S010", "questions.q"),
        }


def test_unknown_keys_are_told_beside_a_missing_type() -> None:
    faults = faults_of(with_column("{typ: number, bounds: [0, 1], steps: 2}"))
    assert [(fault.code, fault.what) for fault in faults] == [
        ("PLY-S012", "type required"),
        ("PLY-S010", "unknown key 'typ' (did you mean 'type'?)"),
        ("PLY-S010", "unknown key 'steps' (did you mean 'step'?)"),
    ]


def test_every_rule_of_a_column_is_told_in_one_round() -> None:
    columns = (
        "    age: {type: number, bounds: [100, 18], step: 0, missing: never}\n"
        "    sex: {type: category, levels: [F, F], unknown_level: never}\n"
        "    day: {type: date, bounds: [2021-01-01, 2020-01-01], outside: never}\n"
    )
    assert [fault.path for fault in faults_of(scenario(columns=columns))] == [
        "table.columns.age.bounds", "table.columns.age.step", "table.columns.age.missing",
        "table.columns.sex.levels.1", "table.columns.sex.unknown_level",
        "table.columns.day.bounds", "table.columns.day.outside",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "columns",
    [
        "    Days: {type: number, bounds: [0, 3]}\n",
        "    days: {type: number}\n",
        "    days: {type: numbr, bounds: [0, 3]}\n",
        "    days: {type: number, bounds: [3, 0]}\n",
        "    days: number\n",
        "  days: {type: number, bounds: [0, 3]}\n",
    ],
)
def test_nothing_follows_from_a_column_that_is_broken(columns: str) -> None:
    text = scenario(
        columns=COLUMNS + columns,
        where="  where: days > 1\n",
        questions="questions:\n  q: {kind: mean, column: days, by: [sexx]}\n",
    )
    faults = faults_of(text)
    assert [fault.path for fault in faults[1:]] == ["questions.q.by.0"]
    assert "no column 'sexx' (did you mean 'sex'?)" in faults[1].what
    assert "days" in faults[0].render("").lower()
