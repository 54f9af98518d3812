"""Faults of a data set against its owner's schema, gathered with a limit and without values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum

from mpc.errors import DataFaults, Fault

LISTED_MAX = 200
EVERY_MAX = 100_000  # of those who ask for every line
GROUPS_MAX = 20
LINES_MAX = 10  # named in a group

NO_HEADER = "PLY-D201"
MISSING_COLUMN = "PLY-D202"
DUPLICATE_HEADER = "PLY-D203"
RAGGED = "PLY-D204"
ENCODING = "PLY-D205"
STRUCTURE = "PLY-D206"
NOT_PARQUET = "PLY-D207"
WRONG_TYPE = "PLY-D208"
MISSING_CELL = "PLY-D210"
NOT_A_NUMBER = "PLY-D211"
NOT_FINITE = "PLY-D212"
OUTSIDE = "PLY-D213"
UNKNOWN_LEVEL = "PLY-D214"
WRONG_WIDTH = "PLY-D215"
NOT_A_DATE = "PLY-D216"
MORE = "PLY-D299"

OF_CELLS = frozenset(
    (MISSING_CELL, NOT_A_NUMBER, NOT_FINITE, OUTSIDE, UNKNOWN_LEVEL, WRONG_WIDTH, NOT_A_DATE)
)
"""Faults that an owner may accept: a study's rules say what such cells contribute."""

_CELLS_ARE = {
    MISSING_CELL: "missing",
    OUTSIDE: "out of range",
    WRONG_WIDTH: "of another width",
}


class Telling(Enum):
    """How an owner is told: a line for each kind of fault of a column, or one for each fault."""

    GROUPED = "grouped"
    LISTED = "listed"  # the first LISTED_MAX, and counts of the rest
    EVERY = "every"  # the first EVERY_MAX, and counts of the rest


@dataclass
class _Group:
    """What is wrong with one column of one file in one way: how often, and where first."""

    file: str
    first: Fault
    count: int = 0
    lines: list[int] = field(default_factory=list)

    def as_fault(self, places: str) -> Fault:
        """``143 cells are none of w, m (lines 6, 8, …)``, at the place of the first."""
        code, what, allowed = self.first.code, self.first.what, self.first.allowed
        if code in OF_CELLS:
            cells = "1 cell is" if self.count == 1 else f"{self.count} cells are"
            if code == UNKNOWN_LEVEL:
                what, allowed = f"none of {allowed}", ""
            what = f"{cells} {_CELLS_ARE.get(code, what)}"
        elif code == RAGGED and self.count > 1:
            what = f"{self.count} rows are not as wide as the header; the first: {what}"
        elif self.count > 1:
            what = f"{self.count} times: {what}"
        if self.count > 1 and self.lines:
            more = ", …" if self.count > len(self.lines) else ""
            what += f" ({places} {', '.join(map(str, self.lines))}{more})"
        return replace(self.first, what=what, allowed=allowed)


class FaultList:
    """What is wrong with one data set: grouped, and listed up to a limit.

    ``places`` is what the lines of its faults are: lines of text, or rows of Parquet.
    """

    def __init__(self, telling: Telling = Telling.LISTED, places: str = "lines") -> None:
        self._telling = telling
        self._places = places
        self._listed_max = EVERY_MAX if telling is Telling.EVERY else LISTED_MAX
        self._listed: list[tuple[str, Fault]] = []
        self._more: Counter[tuple[str, str]] = Counter()
        self._groups: dict[tuple[str, str, str, str], _Group] = {}

    def __len__(self) -> int:
        return len(self._listed) + self._more.total()

    @property
    def room(self) -> int:
        """How many more are listed."""
        return self._listed_max - len(self._listed)

    @property
    def only_of_cells(self) -> bool:
        """Whether the files can be read in spite of every fault."""
        return {group.first.code for group in self._groups.values()} <= OF_CELLS

    def add(self, file: str, fault: Fault) -> None:
        """One fault of ``file``; line (of Parquet: row) and column count from 1, 0 if unknown."""
        group = self._group(file, fault)
        group.count += 1
        if fault.line and len(group.lines) < LINES_MAX:
            group.lines.append(fault.line)
        if self.room > 0:
            self._listed.append((file, fault))
        else:
            self._more[(file, fault.path)] += 1

    def count(self, file: str, fault: Fault, number: int) -> None:
        """``number`` more faults of the kind of ``fault``, not listed."""
        if number > 0:
            self._group(file, fault).count += number
            self._more[(file, fault.path)] += number

    def _group(self, file: str, fault: Fault) -> _Group:
        what = "" if fault.code == RAGGED else fault.what  # else a kind for each width
        key = (file, fault.code, fault.path, what)
        return self._groups.setdefault(key, _Group(file, fault))

    def error(self) -> DataFaults | None:
        """What was found, as it is to be told to the owner alone; None if nothing is wrong."""
        told = self._grouped() if self._telling is Telling.GROUPED else self._all_listed()
        if not told:
            return None
        first = told[0][0]
        hint = ""
        if self.only_of_cells:
            hint = "parley data register --accept-cells announces the table in spite of such cells"
        return DataFaults(
            first,
            tuple(
                fault if file == first else replace(fault, path=f"{file}: {fault.path}")
                for file, fault in told
            ),
            hint=hint,
        )

    def _all_listed(self) -> list[tuple[str, Fault]]:
        told = [*self._listed]
        for (file, path), number in self._more.items():
            told.append((file, Fault(MORE, path, f"{number} more cells or rows", "")))
        return told

    def _grouped(self) -> list[tuple[str, Fault]]:
        groups = [*self._groups.values()]
        told = [(group.file, group.as_fault(self._places)) for group in groups[:GROUPS_MAX]]
        if len(groups) > GROUPS_MAX:
            what = f"{len(groups) - GROUPS_MAX} more kinds of fault"
            told.append((groups[-1].file, Fault(MORE, "columns", what, "--all tells every line")))
        return told
