"""A participant's own YAML file as a frozen model that remembers where each value stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from mpc.errors import ConfigFaults, FileFaults
from mpc.study.codes import Path as Place
from mpc.study.codes import fault_at
from mpc.study.document import in_order, read_document
from mpc.study.source import BYTES_MAX, Mark, Node
from mpc.study.wording import mark_of
from parties.file_reading import read_start

M = TypeVar("M", bound=BaseModel)

FAMILY = "PLY-C"
START = Mark(1, 1)


@dataclass(frozen=True)
class Misfit:
    """A value that fits its own rule but not the rest of the file."""

    code: str  # behind the family: "101"
    place: Place
    what: str
    allowed: str


@dataclass(frozen=True)
class Written(Generic[M]):
    """What a file says, and where."""

    value: M
    path: Path
    tree: Node

    def line(self, *place: str | int) -> int:
        """The line of ``place``, or of the last part of it that is written."""
        return mark_of(self.tree, place, START).line


def read_yaml(
    path: Path,
    model: type[M],
    hints: Mapping[str, str],
    checks: Callable[[M], Iterable[Misfit]] = lambda _value: (),
    *,
    family: str = FAMILY,
    faults: type[FileFaults] = ConfigFaults,
) -> Written[M]:
    """The file at ``path`` as ``model``. Raises ``faults`` with every fault of it at once.

    ``hints`` say by field name what helps its author; ``checks`` compare values with each other.
    """
    data = read_start(path, BYTES_MAX + 1)  # one byte too many is a fault like any other
    document = read_document(data, model, family, hints)
    if document.instance is None or document.tree is None:
        raise faults(str(path), in_order(document.faults))
    found = tuple(
        fault_at(
            mark_of(document.tree, misfit.place, START),
            family,
            misfit.code,
            misfit.place,
            misfit.what,
            misfit.allowed,
        )
        for misfit in checks(document.instance)
    )
    if found:
        raise faults(str(path), in_order(found))
    return Written(document.instance, path, document.tree)
