"""Dirty rows for tests, and what their cells mean: written down again, apart from the product.

``DIRT`` is a zoo of cells; ``Dialect`` is one owner's spelling of a CSV file, with a reading of its
own in plain Python (`meaning`), whose result mpc.testing.table takes.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from mpc.columns.model import CategoryColumn, Column, DateColumn, NumberColumn, UseLevel, UseValue
from mpc.layout import Axis, Term
from mpc.study.model import RowUnit, Table
from mpc.table.model import CellSums

JUNK = "no value of this column"


def number(low: str, high: str, step: str, **rules: Any) -> NumberColumn:
    return NumberColumn(
        type="number", bounds=(Decimal(low), Decimal(high)), step=Decimal(step), **rules
    )


COLUMNS: dict[str, Column] = {
    "halves": number("-50", "100", "0.5"),
    "cents": number("0", "9.99", "0.01", outside="exclude",
    missing=UseValue(value=Decimal("1.23"))),
    "thirds": number("-3", "9", "0.3"),
    "tens": number("-1000", "1000", "10", missing=UseValue(value=Decimal(-1000))),
    "whole": number("-5", "12", "1"),
    "wide": number("-999999999999999", "999999999999999", "1"),
    "tiny": number("-0.004", "0.004", "0.000000000000000001"),
    "level": CategoryColumn(type="category", levels=("a", "é", "NA", "it's", 'q"o', "1.50", "007")),
    "spare": CategoryColumn(
        type="category", levels=("yes", "no", "?"), missing=UseLevel(level="?"),
        unknown_level="missing",
    ),
    "known": CategoryColumn(
        type="category", levels=("yes", "no", "none"), missing=UseLevel(level="none")
    ),
    "day": DateColumn(type="date", bounds=(date(2020, 2, 27), date(2020, 3, 9))),
    "late": DateColumn(
        type="date", bounds=(date(1960, 1, 1), date(2030, 12, 31)), outside="clip"
    ),
}  # fmt: skip

NUMBERS = ("halves", "cents", "thirds", "tens", "whole", "wide", "tiny")

WHERES = (
    "",
    "halves > 1.3",
    "not (halves <= 1.3 or cents = 1.23)",
    "cents != 0.005 and thirds >= 0.1",
    "thirds between -1 and 3.33",
    "wide in (0, 0.5, 999999999999999, -7)",
    "level in ('a', 'é') or spare = '?'",
    "not level = 'it''s' and known != 'none'",
    "day > '2020-02-28' or late <= '1970-01-01'",
    "halves is missing and not (tens is missing)",
    "not (day is missing) or tiny < 0.0000000000000000015",
)

DIRT = (
    "", " ", "\t", "\n", " \r\n ", "0", "-0", "+0", "-0.0", "00", "1", "-1", "+1", "01", "1.", ".5",
    "-.5", "+.5", ".", "-", "+", "e5", "1e", "1e+", "1e1", "1E1", "1e+2", "1e-2", "1e-18", "1.5e3",
    "1e400", "-1e400", "1e-400", "-1e-400", "0e999", "-0e999", "1e999", "1e9999", "1e5.5", "1e1.",
    "0x10", "1_000", "1 000", "1,5", "1.5", "1.000,5", "1,000.5", "1'000", "1,000", "10,00", ",5",
    "nan", "NaN", "-nan", "inf", "-inf", "+inf", "Infinity", "∞", "1/2", "50%", "$5", "5 ", " 5",
    "\t5\n", "\u00a05\u00a0", "5\u200b", "\ufeff5", "\uff11", "\u0661", "--5", "+-5", "5-", "5+",
    "0.25", "0.75", "1.25", "-0.25", "-0.75", "-1.25", "99.75", "99.7500000000000000000000000001",
    "0.2499999999999999999999999999999", "0.25000000000000000000000000000001", "-50.25", "-50.2",
    "100.0000000000000000000000001", "-50.00000000000000000000000000001", "49.75", "0.005", "0.015",
    "0.0149999999999999999999999", "9.985", "9.994", "9.99", "9.995", "9.990000000000000000000001",
    "-0.001", "-0.0000000000000000000001", "0.15", "0.45", "-0.15", "-0.45", "0.449999999999999999",
    "8.85", "8.849999999999999999999999999", "2.85", "5", "15", "25", "-5", "-15", "-25", "4.9999",
    "12.5", "11.5", "-5.5", "-4.5", "-5.49999999999999999", "999999999999999", "999999999999999.5",
    "-999999999999999.5", "1000000000000000", "999999999999998.5", "999999999999997.5",
    "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999.5",
    "100000000000000000000", "12345678901234567890123456789e-27", "0." + "0" * 60 + "1e61",
    "1" + "0" * 60 + "e-60", "25" + "0" * 60 + "e-62", "0" * 60 + "1.5", "1.5" + "0" * 60,
    "0.0000000000000000005", "0.0000000000000000015", "0.0000000000000000025",
    "-0.0000000000000000005", "-0.0000000000000000015", "0.00000000000000000049999999999",
    "0.00000000000000000050000000001", "0.003999999999999999", "0.0039999999999999995",
    "0.0040000000000000001", "15e-19", "25e-19", "250e-20", "1.2345678901234567e-05", "5E-324",
    "2.2250738585072014e-308", "1.7976931348623157e308", "0.1", "0.30000000000000004",
    "a", "A", "a ", " a", "b", "é", "e\u0301", "\u00c9", " e\u0301 ", "NA", "na", "N/A", "NULL",
    "null",
    "None", "-", "-9", "-9.0", "999", "it's", 'q"o', '"', '""', "'", "''", "a,b", "a;b", "a|b",
    "a\tb", "a\nb", "a\r\nb", "\\", "\\N", "1.50", "1.5", "007", "7", "yes", "no", "?", "Yes",
    "none",
    "日本", "\U0001f600", "\u212b", "\u00c5", "A\u030a", "\ufb01", "fi", "#", "# a", "--", "/*",
    "2020-02-27", "2020-02-29", "2020-03-09", "2020-03-10", "2020-02-26", "2019-02-29",
    "2020-02-30",
    "2020-2-29", " 2020-03-01 ", "2020-03-01T00:00", "20200301", "01/03/2020", "1.3.2020",
    "01.03.2020", "03/13/2020", "0000-01-01", "0001-01-01", "9999-12-31", "1969-12-31",
    "1970-01-01",
    "1959-12-31", "2031-01-01", "-2020-03-01", "+2020-03-01", "2020-13-01", "2020-00-10",
    "infinity",
    "epoch", "2020-03-00", "99999-01-01", "\uff12020-03-01",
)  # fmt: skip

ENCODINGS = ("utf-8", "latin-1", "utf-16")
DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d.%m.%Y")


@dataclass(frozen=True)
class Dialect:
    """One owner's way to write a CSV file."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    null: tuple[str, ...] = ()
    date_format: str = "%Y-%m-%d"
    quoting: int = csv.QUOTE_MINIMAL
    line_end: str = "\n"
    mark: bool = False  # a byte order mark

    def source(self) -> dict[str, Any]:
        return {
            "format": "csv",
            "files": ["data.csv"],
            "delimiter": self.delimiter,
            "decimal": self.decimal,
            "thousands": self.thousands,
            "encoding": self.encoding,
            "null": list(self.null),
        }

    def fields(self) -> dict[str, Any]:
        """The owner's columns."""
        fields: dict[str, Any] = {}
        for name, column in COLUMNS.items():
            if isinstance(column, CategoryColumn):
                fields[name] = {"type": "text"}
            elif isinstance(column, DateColumn):
                fields[name] = {"type": "date", "format": self.date_format}
            else:
                fields[name] = {"type": "number"}
        return fields

    def writable(self, cell: str) -> str:
        """``cell`` as far as the encoding has it."""
        return cell.encode(self.encoding, "replace").decode(self.encoding)

    def quoted(self, cell: str) -> str:
        """``cell`` as RFC 4180 writes it. Python's writer leaves a lone carriage return bare."""
        special = any(letter in cell for letter in (self.delimiter, '"', "\r", "\n"))
        if self.quoting != csv.QUOTE_ALL and not special:
            return cell
        return '"' + cell.replace('"', '""') + '"'

    def write(self, rows: Sequence[Mapping[str, str]]) -> bytes:
        """The file of ``rows``, with a column that no study knows among the others."""
        names = ["row id", *reversed(COLUMNS)]
        lines = [
            names,
            *([str(index), *(row[name] for name in names[1:])] for index, row in enumerate(rows)),
        ]
        written = "".join(
            self.delimiter.join(map(self.quoted, line)) + self.line_end for line in lines
        )
        if self.encoding == "utf-16":
            return written.encode("utf-16")  # with a mark
        return (
            b"\xef\xbb\xbf" if self.mark and self.encoding == "utf-8" else b""
        ) + written.encode(self.encoding)

    def meaning(self, name: str, cell: str) -> str | None:
        """What the owner's file says in ``cell``, as plain text for mpc.testing.table."""
        text = cell.strip()
        if text == "" or unicodedata.normalize("NFC", text) in self.null:
            return None
        column = COLUMNS[name]
        if isinstance(column, CategoryColumn):
            return cell
        return self._number(text) if isinstance(column, NumberColumn) else self._day(text)

    def _number(self, text: str) -> str:
        mantissa, _e, exponent = text.partition("e" if "e" in text else "E")
        whole, sign, part = mantissa.partition(self.decimal)
        if self.thousands and self.thousands in whole:
            head, *groups = whole.lstrip("+-").split(self.thousands)
            if not 1 <= len(head) <= 3 or any(len(group) != 3 for group in groups):
                return JUNK
            whole = whole[: len(whole) - len(whole.lstrip("+-"))] + head + "".join(groups)
        if not all(each in "+-0123456789" for each in whole):
            return JUNK
        if not all(each in "0123456789" for each in part):
            return JUNK
        return whole + ("." + part if sign else "") + (_e + exponent if _e else "")

    def _day(self, text: str) -> str:
        widths = {"%Y": "(?P<Y>[0-9]{4})", "%m": "(?P<m>[0-9]{2})", "%d": "(?P<d>[0-9]{2})"}
        pattern = re.escape(self.date_format)
        for code, group in widths.items():
            pattern = pattern.replace(code, group)
        found = re.fullmatch(pattern, text)
        return f"{found['Y']}-{found['m']}-{found['d']}" if found else JUNK


def table(where: str = "") -> Table:
    """The study's view: all COLUMNS."""
    return Table(name="cases", unit=RowUnit(kind="row"), columns=COLUMNS, where=where)


def requests() -> tuple[CellSums, ...]:
    """Everything a study may ask: counts, powers by groups, bins of numbers and of days."""
    levels = {
        name: Axis(name, column.levels)
        for name, column in COLUMNS.items()
        if isinstance(column, CategoryColumn)
    }
    few = Axis("halves", ("low", "mid", "high"), (-100, 0, 3, 200))
    gaps = Axis("whole", tuple(f"b{i}" for i in range(9)), (-4, -3, -1, 0, 1, 2, 5, 9, 11, 12))
    days = Axis("late", ("before", "after", "late"), (-3653, 0, 18000, 22279))
    asked = [
        CellSums((), None, (0,)),
        CellSums((levels["level"],), None, (0,)),
        CellSums((levels["spare"], levels["known"]), None, (0,)),
        CellSums((levels["known"], gaps), None, (0,)),
        CellSums((few,), None, (0,)),
        CellSums((days, levels["spare"]), None, (0,)),
        CellSums((Axis("day", ("all",), (18319, 18330)),), None, (0,)),
    ]
    for name in NUMBERS:
        column = COLUMNS[name]
        assert isinstance(column, NumberColumn)
        middle = (column.low + column.high) // 2
        asked += [
            CellSums((), Term(name, 0), (1,)),
            CellSums((levels["spare"],), Term(name, middle), (0, 1, 2)),
        ]
    asked.append(CellSums((levels["level"], few), Term("thirds", 7), (0, 1, 2)))
    return tuple(asked)


DIGITS = st.text("0123456789", max_size=24)


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """Numbers as people and programs write them, and nearly so."""
    sign = draw(st.sampled_from(["", "", "-", "+"]))
    whole, part = draw(DIGITS), draw(DIGITS)
    exponent = draw(st.sampled_from(["", "", "e", "E", "e+", "e-"]))
    digits = draw(st.text("0123456789", min_size=1, max_size=3)) if exponent else ""
    return sign + whole + draw(st.sampled_from(["", "."])) + part + exponent + digits


@st.composite
def ties(draw: st.DrawFn) -> str:
    """Halves of steps, exactly and nearly."""
    step = Decimal(draw(st.sampled_from(["0.5", "0.01", "0.3", "10", "1", "1e-18"])))
    text = f"{draw(st.integers(-400, 400)) * step / 2:.24f}"
    return text + draw(st.sampled_from(["", "0", "0" * 30 + "1"]))


CELLS = st.one_of(
    st.sampled_from(DIRT),
    number_texts(),
    ties(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.dates(date(1, 1, 1), date(9999, 12, 31)).map(lambda day: day.isoformat()),
)


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    decimal = draw(st.sampled_from([".", ","]))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]).filter(lambda sign: sign != decimal))
    thousands = draw(
        st.sampled_from(["", "'", " ", ".", ","]).filter(lambda s: s not in (decimal, delimiter))
    )
    null = draw(st.sampled_from([(), ("NA",), ("-9", "null", "é"), ("999", "-", "?")]))
    return Dialect(
        delimiter=delimiter,
        decimal=decimal,
        thousands=thousands,
        encoding=draw(st.sampled_from(ENCODINGS)),
        null=null,
        date_format=draw(st.sampled_from(DATE_FORMATS)),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        line_end=draw(st.sampled_from(["\n", "\r\n"])),
        mark=draw(st.booleans()),
    )
