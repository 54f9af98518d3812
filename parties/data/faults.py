"""Faults of a data set against its owner's schema, gathered with a limit and without values."""

from __future__ import annotations

from collections import Counter

from mpc.errors import DataFaults, Fault

LISTED_MAX = 200

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


class FaultList:
    """What is wrong with one data set. Lists the first LISTED_MAX, counts the rest by column."""

    def __init__(self) -> None:
        self._listed: list[tuple[str, Fault]] = []
        self._more: Counter[tuple[str, str]] = Counter()
        self._codes: set[str] = set()

    def __len__(self) -> int:
        return len(self._listed) + self._more.total()

    @property
    def room(self) -> int:
        """How many more are listed."""
        return LISTED_MAX - len(self._listed)

    @property
    def only_of_cells(self) -> bool:
        """Whether the files can be read in spite of every fault."""
        return self._codes <= OF_CELLS

    def add(self, file: str, fault: Fault) -> None:
        """One fault of ``file``; line (of Parquet: row) and column count from 1, 0 if unknown."""
        self._codes.add(fault.code)
        if self.room > 0:
            self._listed.append((file, fault))
        else:
            self._more[(file, fault.path)] += 1

    def count(self, file: str, code: str, path: str, number: int) -> None:
        """``number`` more faults of a column, not listed."""
        if number > 0:
            self._codes.add(code)
            self._more[(file, path)] += number

    def error(self) -> DataFaults | None:
        """Everything found, for the owner alone; None if nothing is wrong."""
        faults = [*self._listed]
        for (file, path), number in self._more.items():
            faults.append((file, Fault(MORE, path, f"{number} more cells or rows", "")))
        if not faults:
            return None
        first = faults[0][0]
        return DataFaults(
            first,
            tuple(
                fault
                if file == first
                else Fault(fault.code, f"{file}: {fault.path}", fault.what, fault.allowed,
                           fault.line, fault.column)
                for file, fault in faults
            ),
        )  # fmt: skip
