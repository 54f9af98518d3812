"""A registered version as a bounded table: the study's rules and sums, run by DuckDB in one scan.

All requests of a study are answered by one GROUP BY over the combined cells of every axis they use;
rows stay in DuckDB, and what comes back is a handful of sums for each combination. Where that would
be too many combinations, requests are dealt into as few scans as hold them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from mpc.columns.model import CategoryColumn, Column
from mpc.errors import StudyAborted
from mpc.layout import Axis
from mpc.study.model import Table
from mpc.study.where import parse_where
from mpc.table.model import CellSums
from parties.data.filters import predicate, used_columns
from parties.data.rules import rule
from parties.data.sandbox import identifier, rows, sandboxed
from parties.data.scan import scan
from parties.data.versions import RegisteredVersion

COMBINATIONS_MAX = 100_000  # of one scan's GROUP BY
SQUARE_MAX = 1 << 62  # beyond it, squares are taken in 128 bits


@dataclass(frozen=True)
class EngineLimits:
    """What the owner's engine may use of its machine."""

    threads: int
    memory_mb: int
    temporary: Path


class DuckTable:
    """:class:`mpc.table.model.BoundedTable` over a registered version's files."""

    def __init__(self, version: RegisteredVersion, table: Table, limits: EngineLimits) -> None:
        self._version = version
        self._table = table
        self._limits = limits
        self._where = parse_where(table.where, table.columns)

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
        """See :class:`mpc.table.model.BoundedTable`. Raises StudyAborted if the files changed."""
        self._version.check_unchanged()
        answers: dict[int, NDArray[np.object_]] = {}
        files = self._version.paths
        limits = self._limits
        with sandboxed(files, limits.temporary, limits.threads, limits.memory_mb) as engine:
            types = self._types(engine)
            for batch in batches(asked):
                group = _Scan(tuple(asked[index] for index in batch))
                found = rows(engine, self._select(group, types))
                for index in batch:
                    answers[index] = group.sums(asked[index], found)
        self._version.check_unchanged()
        return tuple(answers[index] for index in range(len(asked)))

    def _types(self, engine: duckdb.DuckDBPyConnection) -> Mapping[str, str]:
        names = list(self._table.columns)
        version = self._version
        source = scan(version.schema, version.paths, names, version.header)
        described = rows(engine, f"DESCRIBE {source}")
        return {str(row[0]): str(row[1]) for row in described}

    def _select(self, group: _Scan, types: Mapping[str, str]) -> str:
        columns = self._table.columns
        names = sorted(group.columns | used_columns(self._where))
        version = self._version
        bounded = ", ".join(
            f"{rule(version.schema, name, columns[name], types[name])} AS {identifier(name)}"
            for name in names
        )
        source = scan(version.schema, version.paths, names, version.header)
        inner = f"SELECT {bounded} FROM ({source})" if names else self._every_row()
        kept = f"SELECT * FROM ({inner}) WHERE {predicate(self._where, columns)}"
        sums = ", ".join(["count(*)", *group.aggregates(columns)])
        return f"SELECT {group.key(columns)} AS combination, {sums} FROM ({kept}) GROUP BY 1"

    def _every_row(self) -> str:
        """A relation of every row when no column matters (a plain count)."""
        version = self._version
        one = [next(iter(self._table.columns))]
        return f"SELECT 1 AS one FROM ({scan(version.schema, version.paths, one, version.header)})"


class _Scan:
    """Several requests answered by one GROUP BY."""

    def __init__(self, asked: Sequence[CellSums]) -> None:
        self.axes = list(dict.fromkeys(axis for request in asked for axis in request.axes))
        self.terms = list(dict.fromkeys(request.term for request in asked if request.term))
        self.columns = {axis.column for axis in self.axes} | {term.column for term in self.terms}

    def key(self, columns: Mapping[str, Column]) -> str:
        """One integer for each combination of labels, 0 on an axis for no label."""
        parts, stride = ["0"], 1
        for axis in self.axes:
            parts.append(f"coalesce({_label(axis, columns)} + 1, 0) * {stride}")
            stride *= len(axis.labels) + 1
        return "(" + " + ".join(parts) + ")"

    def aggregates(self, columns: Mapping[str, Column]) -> list[str]:
        """count, sum and sum of squares of each centred term; NULLs do not count."""
        found = []
        for term in self.terms:
            column = columns[term.column]
            if isinstance(column, CategoryColumn):
                raise StudyAborted(f"column {term.column} cannot be summed")
            reach = max(abs(column.low - term.centre), abs(column.high - term.centre))
            kind = "BIGINT" if reach * reach < SQUARE_MAX else "HUGEINT"
            value = f"(CAST({identifier(term.column)} AS {kind}) - {term.centre})"
            found += [f"count({value})", f"sum({value})", f"sum({value} * {value})"]
        return found

    def sums(self, request: CellSums, found: Sequence[tuple[object, ...]]) -> NDArray[np.object_]:
        """The request's cells out of the combinations."""
        shape = tuple(len(axis.labels) for axis in request.axes)
        answer = np.zeros((len(request.powers), prod(shape)), dtype=object)
        answer[:] = 0
        places = [self.axes.index(axis) for axis in request.axes]
        first = 1 if request.term is None else 2 + 3 * self.terms.index(request.term)
        for row in found:
            labels = self._labels(_integer(row[0]))
            chosen = [labels[place] for place in places]
            if 0 in chosen:
                continue
            cell = 0
            for label, size in zip(chosen, shape, strict=True):
                cell = cell * size + label - 1
            for index, power in enumerate(request.powers):
                value = row[1] if request.term is None else row[first + power]
                answer[index, cell] += _integer(value)
        return answer

    def _labels(self, combination: int) -> list[int]:
        labels = []
        for axis in self.axes:
            combination, label = divmod(combination, len(axis.labels) + 1)
            labels.append(label)
        return labels


def batches(asked: Sequence[CellSums]) -> list[list[int]]:
    """Requests dealt into scans whose combinations of labels stay within COMBINATIONS_MAX."""
    dealt: list[tuple[list[int], set[Axis]]] = []
    for index, request in enumerate(asked):
        for members, axes in dealt:
            together = axes | set(request.axes)
            if prod(len(axis.labels) + 1 for axis in together) <= COMBINATIONS_MAX:
                members.append(index)
                axes.update(request.axes)
                break
        else:
            dealt.append(([index], set(request.axes)))
    return [members for members, _ in dealt]


def _label(axis: Axis, columns: Mapping[str, Column]) -> str:
    """The index of the label a row has on ``axis``, or NULL."""
    cell = identifier(axis.column)
    if not axis.edges:
        if not isinstance(columns[axis.column], CategoryColumn):
            raise StudyAborted(f"axis {axis.column} has no edges")
        return cell
    last = len(axis.labels) - 1
    cases = [
        f"WHEN {cell} >= {axis.edges[index]} AND {cell} {'<=' if index == last else '<'}"
        f" {axis.edges[index + 1]} THEN {index}"
        for index in range(last + 1)
    ]
    return f"(CASE {' '.join(cases)} END)"


def _integer(value: object) -> int:
    return 0 if value is None else int(str(value))
