"""The plain form: one for each study, and nothing else is taken for one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc.canonical import canonical_bytes, from_canonical
from mpc.columns.model import (
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
    UseLevel,
    UseValue,
)
from mpc.errors import StudyFaults
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.mean.declare import Mean
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.study.canonical import decimal_text, study_from_plain, study_to_plain
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.units import Adjacency

STEPS = [Decimal("1"), Decimal("0.01"), Decimal("0.5"), Decimal("1000"), Decimal("1E+1")]
_texts = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)
_names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
_ids = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,3})?", fullmatch=True).filter(
    lambda name: name != "coordinator"
)
_levels = st.lists(
    st.text("abcdeéß% -", min_size=1, max_size=5).filter(lambda t: t.strip() == t),
    min_size=1, max_size=5, unique=True,
).map(tuple)  # fmt: skip


@st.composite
def _number(draw: st.DrawFn) -> NumberColumn:
    step = draw(st.sampled_from(STEPS))
    low = draw(st.integers(-(10**6), 10**6))
    high = low + draw(st.integers(1, 10**6))
    value = UseValue(value=draw(st.integers(low, high)) * step)
    return NumberColumn(
        type="number",
        bounds=(low * step, high * step),
        step=step,
        missing=draw(st.sampled_from(["exclude", value])),
        outside=draw(st.sampled_from(["clip", "exclude"])),
    )


@st.composite
def _category(draw: st.DrawFn) -> CategoryColumn:
    levels = draw(_levels)
    return CategoryColumn(
        type="category",
        levels=levels,
        missing=draw(st.sampled_from(["exclude", UseLevel(level=levels[-1])])),
        unknown_level=draw(st.sampled_from(["missing", "exclude"])),
    )


@st.composite
def _day(draw: st.DrawFn) -> DateColumn:
    first = draw(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
    last = first + timedelta(days=draw(st.integers(1, 5000)))
    outside = draw(st.sampled_from(["clip", "exclude"]))
    return DateColumn(type="date", bounds=(first, last), outside=outside)


def _question(draw: st.DrawFn, name: str, column: Column) -> Question:
    budget = draw(
        st.sampled_from([{}, {"weight": Decimal("2.50")}, {"rho": Decimal("0.000000000001")}])
    )
    if isinstance(column, CategoryColumn):
        if draw(st.booleans()):
            return Count(kind="count", by=(name,), **budget)
        return Histogram(kind="histogram", column=name, **budget)
    if isinstance(column, DateColumn) or draw(st.booleans()):
        return Histogram(kind="histogram", column=name, bins=column.bounds, **budget)
    model = draw(st.sampled_from([Sum, Mean, Variance]))
    return model(kind=model.__name__.lower(), column=name, **budget)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    names = draw(st.lists(_names, min_size=1, max_size=4, unique=True))
    columns = {name: draw(st.one_of(_number(), _category(), _day())) for name in names}
    parties = draw(st.lists(_ids, min_size=2, max_size=4, unique=True))
    asked = draw(st.lists(_names, min_size=1, max_size=4, unique=True))
    questions = {
        ask: _question(draw, name, columns[name])
        for ask, name in ((ask, draw(st.sampled_from(names))) for ask in asked)
    }
    filters = ["", *(f"{name} is\n missing" for name in names)]
    return Study(
        version=1,
        id="a-study",
        title=draw(_texts),
        purpose="research",
        lead=Lead(name=draw(_texts), organization=draw(_texts), email="j@o.example"),
        parties={
            party: PartyEntry(version=1, rows_max=10, rows_expected=draw(st.integers(0, 10)))
            for party in parties
        },
        recipients=tuple(draw(st.permutations([*parties, "coordinator"]))),
        table=Table(
            name="people",
            unit=RowUnit(kind="row", rows_max=draw(st.integers(1, 1000))),
            columns=columns,
            where=draw(st.sampled_from(filters)),
        ),
        privacy=Privacy(
            epsilon=draw(st.decimals("0.001", "20", places=3)),
            delta=Decimal("1E-9"),
            adjacency=draw(st.sampled_from(Adjacency)),
            coalition=draw(st.sampled_from([None, 1, len(parties) - 1])),
        ),
        questions=questions,
    )


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(studies())
def test_every_study_comes_back_exactly_with_its_order(study: Study) -> None:
    data = canonical_bytes(study_to_plain(study))
    back = study_from_plain(from_canonical(data))
    assert back == study
    assert list(back.parties) == list(study.parties)
    assert list(back.table.columns) == list(study.table.columns)
    assert list(back.questions) == list(study.questions)
    assert canonical_bytes(study_to_plain(back)) == data


@given(st.integers(-(10**14), 10**14), st.integers(0, 12))
def test_a_decimal_has_one_text_however_it_is_written(digits: int, places: int) -> None:
    value = Decimal(digits).scaleb(-places)
    text = decimal_text(value)
    assert Decimal(text) == value
    assert decimal_text(value.normalize()) == text
    assert "E" not in text
    assert text != "-0"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1E+15", "1E-19", "1E+999999"])
def test_decimals_beyond_the_exact_range_have_no_text(value: str) -> None:
    with pytest.raises(ValueError, match="exact range"):
        decimal_text(Decimal(value))


@pytest.fixture
def plain() -> dict[str, Any]:
    study = Study(
        version=1,
        id="a-study",
        title="T",
        purpose="research",
        lead=Lead(name="J", organization="O", email="j@o.example"),
        parties={
            "a": PartyEntry(version=1, rows_max=10, rows_expected=5),
            "b": PartyEntry(version=1, rows_max=10, rows_expected=5),
        },
        recipients=("coordinator",),
        table=Table(
            name="people",
            unit=RowUnit(kind="row"),
            columns={
                "age": NumberColumn(
                    type="number",
                    bounds=(Decimal(0), Decimal(9)),
                    missing=UseValue(value=Decimal(0)),
                ),
                "sex": CategoryColumn(type="category", levels=("f", "m")),
            },
        ),
        privacy=Privacy(
            epsilon=Decimal(1), delta=Decimal("1e-6"), adjacency=Adjacency.ADD_OR_REMOVE_ONE
        ),
        questions={"q": Mean(kind="mean", column="age", by=("sex",))},
    )
    plain = study_to_plain(study)
    assert study_from_plain(plain) == study
    return copy.deepcopy(plain)


Change = Callable[[dict[str, Any]], Any]


def _set(*path: str | int, to: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        place: Any = plain
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("extra", to=1),
        lambda plain: plain.pop("title"),
        lambda plain: plain["table"].pop("where"),
        _set("version", to=True),
        _set("version", to=2),
        _set("version", to="1"),
        _set("title", to=""),
        _set("title", to=5),
        _set("title", to="a\ud800"),
        _set("title", to="red \x1b[31m"),
        _set("privacy", "epsilon", to="1.0"),
        _set("privacy", "epsilon", to="01"),
        _set("privacy", "epsilon", to="+1"),
        _set("privacy", "epsilon", to="1e0"),
        _set("privacy", "epsilon", to="-0"),
        _set("privacy", "epsilon", to="NaN"),
        _set("privacy", "epsilon", to="\u0661"),
        _set("privacy", "epsilon", to=1),
        _set("privacy", "epsilon", to=1.0),
        _set("privacy", "epsilon", to="9" * 5000),
        _set("privacy", "epsilon", to="21"),
        _set("privacy", "adjacency", to="none"),
        _set("privacy", "adjacency", to=[]),
        _set("privacy", "coalition", to=2),
        _set("privacy", "coalition", to=True),
        _set("parties", to={}),
        _set("parties", to=[]),
        _set("parties", 1, 0, to="a"),
        _set("parties", 1, 0, to="coordinator"),
        _set("parties", 1, 0, to=None),
        _set("parties", 1, to=["b"]),
        _set("parties", 0, 1, "rows_max", to=10.5),
        _set("parties", 0, 1, "rows_max", to=10**11),
        _set("recipients", to=["nobody"]),
        _set("recipients", to="coordinator"),
        _set("table", "where", to="age > "),
        _set("table", "where", to="income > 3"),
        _set("table", "columns", 0, 1, "bounds", to=["0"]),
        _set("table", "columns", 0, 1, "bounds", to=["5", "1"]),
        _set("table", "columns", 0, 1, "missing", to={"value": "99"}),
        _set("table", "columns", 0, 1, "missing", to={"level": "99"}),
        _set("table", "columns", 0, 1, "missing", to="zero"),
        _set("table", "columns", 0, 1, "type", to="category"),
        _set("table", "columns", 0, 1, "type", to=["number"]),
        _set("table", "columns", 1, 1, "levels", to=["f", "f"]),
        _set("table", "columns", 1, 1, "levels", to=["cafe\u0301"]),
        _set("table", "columns", 1, 1, "missing", to={"level": ""}),
        _set("questions", 0, 1, "kind", to="sum_of_all"),
        _set("questions", 0, 1, "column", to="sex"),
        _set("questions", 0, 1, "by", to=["age"]),
        _set("questions", 0, 1, "by", to="sex"),
        _set("questions", 0, 1, "weight", to="0"),
    ],
)
def test_no_other_object_is_taken_for_a_study(plain: dict[str, Any], change: Change) -> None:
    change(plain)
    with pytest.raises(StudyFaults) as caught:
        study_from_plain(plain)
    assert caught.value.file == "<proposal>"
    assert all(line.isprintable() for line in str(caught.value).splitlines())


@pytest.mark.parametrize("thing", [None, 1, "study", [], {}, {"version": 1}])
def test_things_that_are_no_study_are_refused(thing: Any) -> None:
    with pytest.raises(StudyFaults):
        study_from_plain(thing)
