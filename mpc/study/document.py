"""A YAML file as an instance of a frozen model, or all its faults at once with their places.

Of any model built from frozen models, mappings by name, tuples, text, numbers, days and literal
words; the scenario is one user of it, a node's own files may be others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from mpc.errors import Fault
from mpc.study.codes import FAULTY
from mpc.study.shape import Shaper
from mpc.study.source import Mark, Node, Unreadable, read_tree
from mpc.study.wording import constraint_faults

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Document(Generic[M]):
    """What could be read: the instance if there is no fault, and in any case the values."""

    instance: M | None
    values: Any  # as given to the model; FAULTY where a fault was told
    tree: Node | None
    faults: tuple[Fault, ...]


def read_document(
    data: bytes, model: type[M], family: str, hints: Mapping[str, str] | None = None
) -> Document[M]:
    """``data`` read as ``model``. Never raises: the faults are in the document.

    ``family`` opens their codes (``PLY-S``); ``hints`` say, by field name, what helps the author.
    """
    try:
        tree, told = read_tree(data, family)
    except Unreadable as stop:
        return Document(None, FAULTY, None, (stop.fault,))
    start = Mark(1, 1)
    shaper = Shaper(family, hints or {})
    values = shaper.model(model, tree, (), start)
    instance, broken = constraint_faults(model, values, tree, (), start, family)
    faults = (*told, *shaper.faults, *broken)
    return Document(None if faults else instance, values, tree, faults)


def in_order(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Faults in the order of the file."""
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
