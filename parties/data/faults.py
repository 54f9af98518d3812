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
MISSING_CELL = "PLY-D210"
NOT_A_NUMBER = "PLY-D211"
NOT_FINITE = "PLY-D212"
OUTSIDE = "PLY-D213"
UNKNOWN_LEVEL = "PLY-D214"
WRONG_WIDTH = "PLY-D215"
NOT_A_DATE = "PLY-D216"
WRONG_TYPE = "PLY-D217"


class FaultList:
    """What is wrong with one data set. Lists the first LISTED_MAX, counts the rest by column."""

    def __init__(self, schema_file: str) -> None:
        self._schema_file = schema_file
        self._listed: list[tuple[str, Fault]] = []
        self._more: Counter[tuple[str, str]] = Counter()

    def add(self, file: str, fault: Fault) -> None:
        """One fault of ``file``; its line counts from 1, its column in characters or 0."""
        if len(self._listed) < LISTED_MAX:
            self._listed.append((file, fault))
        else:
            self._more[(file, fault.path)] += 1

    def __bool__(self) -> bool:
        return bool(self._listed)

    def raise_if_any(self) -> None:
        """Raise DataFaults with everything found, for the owner alone."""
        if not self._listed:
            return
        file = self._listed[0][0]
        faults = [
            fault if name == file else Fault(fault.code, f"{name}: {fault.path}", fault.what,
                                             fault.allowed, fault.line, fault.column)
            for name, fault in self._listed
        ]  # fmt: skip
        faults += [
            Fault("PLY-D299", f"{name}: {path}", f"and {count} more faults", "")
            for (name, path), count in self._more.items()
        ]
        raise DataFaults(file, tuple(faults))
