"""Codes of the faults of a scenario file: stable, one a kind of mistake. ``PLY-S`` goes before."""

from __future__ import annotations

from typing import Any

from mpc.errors import Fault
from mpc.study.source import Mark
from mpc.study.spelling import safe

FAMILY = "PLY-S"

# 001 to 004, and 011, are about YAML itself: see mpc.study.source
UNKNOWN_KEY = "010"
REQUIRED = "012"
WRONG_TYPE = "013"
NOT_ALLOWED = "014"
QUOTE = "015"  # text that YAML readers may take for something else
INEXACT = "016"  # not finite, or with more digits than exact arithmetic takes
BOUNDS = "020"
LEVELS = "021"
PARTIES = "030"
RECIPIENTS = "031"
COALITION = "032"
DEALER_MISSING = "033"  # a question needs one
DEALER_IDLE = "034"  # no question needs one
DEALER_ROLE = "035"  # a dealer that is something else too
QUESTION = "040"  # does not fit the columns
BUDGET = "041"
UNIT = "042"  # does not fit the columns
WHERE_SYNTAX = "050"
WHERE_COLUMNS = "051"
CANONICAL = "060"  # a proposal that is not in canonical form

Path = tuple[str | int, ...]

FAULTY: Any = type("Faulty", (), {"__repr__": lambda _self: "FAULTY", "__slots__": ()})()
"""Stands for a value whose fault has been told."""


def dotted(path: Path) -> str:
    """``table.columns.age``; ``file`` for the whole."""
    return ".".join(safe(str(part)) for part in path) or "file"


def fault_at(mark: Mark, family: str, code: str, path: Path, what: str, allowed: str = "") -> Fault:
    """A fault that stands at ``mark``."""
    return Fault(family + code, dotted(path), what, allowed, line=mark.line, column=mark.column)
