"""Reads a filter by recursive descent. Grammar and meaning: :mod:`mpc.study.where`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from mpc.columns.model import CategoryColumn, Column, DateColumn, IdColumn, NumberColumn
from mpc.study.spelling import nearest
from mpc.study.where_tree import (
    Always,
    And,
    Compare,
    IsMissing,
    Node,
    Not,
    OneOf,
    Operator,
    Or,
    Value,
)

DEPTH_MAX = 50
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class WhereFault:
    """One fault of a filter: where it starts (characters from 0), what it is, what is allowed.

    ``syntax`` is False if the filter can be read but does not fit the columns.
    """

    offset: int
    what: str
    allowed: str
    syntax: bool


def read_where(
    text: str, columns: Mapping[str, Column], faulty: frozenset[str] = frozenset()
) -> tuple[Node, tuple[WhereFault, ...]]:
    """The tree of ``text`` and all its faults; the tree means nothing if there are any.

    ``faulty`` are columns whose own declaration is wrong: conditions on them are not judged.
    """
    parser = _Parser(text, columns, faulty)
    node: Node = Always()
    try:
        node = parser.where()
    except _SyntaxStop as stop:
        parser.faults.append(stop.fault)
        parser.behind()
    return node, tuple(sorted(parser.faults, key=lambda fault: fault.offset))


_TOKEN = re.compile(
    r"""(?P<bare>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![A-Za-z0-9_.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?![A-Za-z0-9_.]))
      | (?P<text>'(?:[^']|'')*')
      | (?P<sign><=|>=|!=|<|>|=|\(|\)|,)""",
    re.VERBOSE,
)
_OPERATORS: dict[str, Operator] = {
    "=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_FOREIGN = {
    "==": "write =", "<>": "write !=", "&&": "write and", "||": "write or", "!": "write not",
    '"': "text goes in single quotes, column names are bare", "`": "column names are written bare",
    ";": "a filter is one condition, not a statement", "--": "filters have no comments",
    "’": "text goes in straight single quotes", "‘": "text goes in straight single quotes",
}  # fmt: skip


_MEANT = {"==": "=", "<>": "!=", "&&": "and", "||": "or", "!": "not"}
"""Signs of other languages that are read on as what they mean, once their fault is told."""
_WORDS = frozenset({"and", "or", "not", "in", "between", "is", "missing"})


@dataclass(frozen=True)
class _Token:
    kind: str  # word, number, text, bare (a literal that lacks its quotes), sign, end
    text: str
    offset: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "word" else ""

    def said(self) -> str:
        return "the end of the filter" if self.kind == "end" else repr(self.text[:40])


class _SyntaxStop(Exception):
    def __init__(self, offset: int, what: str, allowed: str) -> None:
        super().__init__(what)
        self.fault = WhereFault(offset, what, allowed, syntax=True)


def _tokens(text: str, faults: list[WhereFault]) -> Iterator[_Token]:
    """The tokens of ``text``; what is no token but can be read on becomes one of ``faults``."""
    offset = 0
    while offset < len(text):
        if text[offset].isspace():
            offset += 1
            continue
        foreign = _foreign(text, offset)
        if foreign is not None:
            fault = _SyntaxStop(offset, f"{foreign} has no meaning here", _FOREIGN[foreign])
            read_on = _read_on(text, offset, foreign)
            if read_on is None:
                raise fault
            faults.append(fault.fault)
            yield read_on
            offset += len(read_on.text if foreign == '"' else foreign)
            continue
        match = _TOKEN.match(text, offset)
        if match is None and text[offset] == "'":
            raise _SyntaxStop(offset, "text without a closing quote", "'text'")
        if match is None:
            found = re.compile(r"\S[\w.]*").match(text, offset)
            shown = repr((found.group() if found else text[offset])[:40])
            raise _SyntaxStop(
                offset, f"{shown} has no meaning here", "numbers as -12.5, 'text', columns"
            )
        yield _Token(str(match.lastgroup), match.group(), offset)
        offset = match.end()
    yield _Token("end", "", len(text))


def _foreign(text: str, offset: int) -> str | None:
    """The sign of another language that stands at ``offset``, if one does."""
    if text.startswith("!=", offset):
        return None
    return next((each for each in _FOREIGN if text.startswith(each, offset)), None)


def _read_on(text: str, offset: int, foreign: str) -> _Token | None:
    """What ``foreign`` stands for, if that is plain: an operator, a word or quoted text."""
    if foreign == '"':
        end = text.find('"', offset + 1)
        return None if end < 0 else _Token("text", text[offset : end + 1], offset)
    meant = _MEANT.get(foreign)
    if meant is None:
        return None
    return _Token("word" if meant.isalpha() else "sign", meant, offset)


class _Parser:
    """Recursive descent over the grammar above; collects what it can read on behind.

    :meth:`where` stops at any other syntax fault, and :meth:`behind` goes on for misfits.
    """

    def __init__(self, text: str, columns: Mapping[str, Column], faulty: frozenset[str]) -> None:
        self.faults: list[WhereFault] = []
        self._stream = _tokens(text, self.faults)
        self._end = self._next = _Token("end", "", len(text))
        self._columns = columns
        self._faulty = faulty
        self._depth = 0

    def where(self) -> Node:
        self._next = next(self._stream)
        if self._next.kind == "end":
            return Always()
        node = self._any()
        if self._next.kind != "end":
            raise self._stop("and, or, or the end of the filter")
        return node

    def behind(self) -> None:
        """Collect the misfits of the conditions that follow a stop; other stops tell no more."""
        while self._next.kind != "end":
            try:
                if self._take().word in ("and", "or"):
                    self._depth = 0
                    self._single()
            except _SyntaxStop:
                continue

    def _take(self) -> _Token:
        taken = self._next
        if taken.kind != "end":
            self._next = self._end  # also if the text behind cannot be read
            self._next = next(self._stream, self._end)
        return taken

    def _stop(self, allowed: str) -> _SyntaxStop:
        return _SyntaxStop(
            self._next.offset, f"{self._next.said()} does not fit here", f"expected {allowed}"
        )

    def _expect(self, sign_or_word: str) -> None:
        if self._next.text.lower() != sign_or_word or self._next.kind == "text":
            raise self._stop(sign_or_word)
        self._take()

    def _any(self) -> Node:
        parts = [self._all()]
        while self._next.word == "or":
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Node:
        parts = [self._single()]
        while self._next.word == "and":
            self._take()
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _single(self) -> Node:
        nested = self._next.word == "not" or self._next.text == "("
        if not nested:
            return self._condition()
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _SyntaxStop(self._next.offset, "too deeply nested", f"at most {DEPTH_MAX} levels")
        if self._take().text == "(":
            node = self._any()
            self._expect(")")
        else:
            node = Not(self._single())
        self._depth -= 1
        return node

    def _condition(self) -> Node:
        if self._next.kind != "word" or self._next.word in ("and", "or"):
            raise self._stop("a column, not, or (")
        name = self._take()
        column = self._column(name)
        negated = self._next.word == "not"
        if negated:
            self._take()
            if self._next.word not in ("in", "between"):
                raise self._stop("in or between")
        node = self._rest(name, column)
        if negated:
            return And((Not(node), Not(IsMissing(name.text))))
        return node

    def _rest(self, name: _Token, column: Column | None) -> Node:
        follows = self._next
        if follows.kind == "sign" and follows.text in _OPERATORS:
            op = _OPERATORS[self._take().text]
            if isinstance(column, CategoryColumn) and op not in ("=", "!="):
                self._misfit(follows, f"categories have no order: {name.text!r}", "=, != or in (…)")
            return Compare(name.text, op, self._literal(name, column))
        if follows.word == "in":
            return self._one_of(name, column)
        if follows.word == "between":
            return self._between(name, column)
        if follows.word == "is":
            self._take()
            negated = self._next.word == "not"
            if negated:
                self._take()
            self._expect("missing")
            return Not(IsMissing(name.text)) if negated else IsMissing(name.text)
        raise self._stop("=, !=, <, <=, >, >=, in, between or is missing")

    def _one_of(self, name: _Token, column: Column | None) -> Node:
        self._take()
        self._expect("(")
        literals = [self._literal(name, column)]
        while self._next.text == ",":
            self._take()
            literals.append(self._literal(name, column))
        self._expect(")")
        return OneOf(name.text, tuple(literals))

    def _between(self, name: _Token, column: Column | None) -> Node:
        start = self._take()
        if isinstance(column, CategoryColumn):
            self._misfit(start, f"categories have no order: {name.text!r}", "=, != or in (…)")
            column = None
        low = self._literal(name, column)
        self._expect("and")
        high = self._literal(name, column)
        if not isinstance(low, str) and not isinstance(high, str) and low > high:
            self._misfit(start, "the range is empty", "between lower and upper")
        return And((Compare(name.text, ">=", low), Compare(name.text, "<=", high)))

    def _column(self, name: _Token) -> Column | None:
        column = self._columns.get(name.text)
        if column is None and name.text not in self._faulty:
            guess = nearest(name.text, self._columns)
            declared = ", ".join(self._columns)
            self._misfit(name, f"no column {name.text!r}{guess}", f"declared columns: {declared}")
        if isinstance(column, IdColumn):
            what = f"{name.text!r} is an id, by which no row is selected"
            self._misfit(name, what, "another column")
            return None
        return column

    def _literal(self, name: _Token, column: Column | None) -> Value:
        token = self._next
        if token.kind in ("word", "bare"):
            fault = _SyntaxStop(
                token.offset,
                f"{token.said()} is no literal",
                f"a number, or text in single quotes: '{token.text[:40]}'",
            )
            if token.word in _WORDS:
                raise fault
            self.faults.append(fault.fault)
        elif token.kind not in ("number", "text"):
            raise self._stop("a number or 'text'")
        self._take()
        if column is None or token.kind in ("word", "bare"):
            return ""
        return self._converted(name, column, token)

    def _converted(self, name: _Token, column: Column, token: _Token) -> Value:
        text = token.text[1:-1].replace("''", "'") if token.kind == "text" else token.text
        if isinstance(column, NumberColumn):
            if token.kind == "number":
                return Fraction(text) / Fraction(column.step)
            self._misfit(token, f"{name.text!r} is a number", "a number without quotes")
            return ""
        if isinstance(column, DateColumn):
            day = iso_day(text) if token.kind == "text" else None
            if day is not None:
                return day
            self._misfit(token, f"{name.text!r} is a date", "a day 'YYYY-MM-DD' in single quotes")
            return ""
        if isinstance(column, IdColumn):
            raise TypeError("an id has no literals")
        if token.kind == "text" and text in column.levels:
            return text
        guess = nearest(text, column.levels)
        levels = ", ".join(f"'{level}'" for level in column.levels[:20])
        more = ", …" if len(column.levels) > 20 else ""
        what = f"{token.said()} is no level of {name.text!r}{guess}"
        self._misfit(token, what, f"one of {levels}{more}")
        return ""

    def _misfit(self, token: _Token, what: str, allowed: str) -> None:
        self.faults.append(WhereFault(token.offset, what, allowed, syntax=False))


def iso_day(text: str) -> int | None:
    """Days since 1970-01-01 of ``YYYY-MM-DD``, or None if ``text`` is no such day."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        return None
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError:
        return None
