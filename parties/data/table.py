"""A registered version as a bounded table: the study's rules and sums, run by DuckDB in one scan.

All requests of a study are answered by one GROUP BY over the combined labels of every axis they
use: rows stay in DuckDB, and what comes back is a handful of sums for each combination. Where that
would be too many, the bounded columns are kept in memory once and grouped several times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpc.ports import Randomness
from mpc.study.model import FirstBy, PersonUnit, RowUnit, Table
from mpc.study.where import parse_where
from mpc.table.model import CellSums, columns_asked
from parties.data.combinations import Combination, batches, batches_by_groups
from parties.data.commitment import Commitment
from parties.data.encodings import readable
from parties.data.filters import predicate, used_columns
from parties.data.people import People
from parties.data.rules import clip, reading, rule
from parties.data.sandbox import identifier, rows, sandboxed
from parties.data.scan import scan
from parties.data.schema import CsvSource
from parties.data.versions import RegisteredVersion

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class EngineLimits:
    """What the owner's engine may use of its machine."""

    threads: int
    memory_mb: int
    temporary: Path


class DuckTable:
    """:class:`mpc.table.model.BoundedTable` over a registered version's files."""

    def __init__(
        self, version: RegisteredVersion, table: Table, limits: EngineLimits, key: bytes = b""
    ) -> None:
        """``key``: fresh for the run, KEY_SIZE bytes; of use if the study keeps rows by hash."""
        self._version = version
        self._key = key
        self._table = table
        self._limits = limits
        self._where = parse_where(table.where, table.columns)

    def commitment(self, randomness: Randomness) -> Commitment:
        """A fresh commitment to the registered files. Raises StudyAborted if they changed."""
        return self._version.commit(randomness)

    def cell_sums(self, asked: tuple[CellSums, ...]) -> tuple[NDArray[np.object_], ...]:
        """See :class:`mpc.table.model.BoundedTable`. Raises StudyAborted if the files changed.

        Cost: one scan of the columns in use; where the unit is a person, a sort of each person's
        rows besides, which spills to ``temporary``, and another of each group's. No row makes it
        fail: registration had the engine read every line and every cell.
        """
        self._version.check_unchanged()
        version, limits = self._version, self._limits
        with (
            readable(version.paths, version.schema.source, limits.temporary) as files,
            sandboxed(files, limits.temporary, limits.threads, limits.memory_mb) as engine,
        ):
            answers = self._answers(engine, files, asked)
        self._version.check_unchanged()
        return answers

    def _answers(
        self, engine: duckdb.DuckDBPyConnection, files: Sequence[Path], asked: tuple[CellSums, ...]
    ) -> tuple[NDArray[np.object_], ...]:
        columns = self._table.columns
        unit = self._table.unit
        together = unit.group_rows == unit.rows_max  # else each split counts other rows
        dealt = [
            (batch, Combination([asked[i] for i in batch], columns))
            for batch in (batches(asked) if together else batches_by_groups(asked))
        ]
        names = self._names(asked)
        bounded = f"({self._bounded(engine, files, sorted(names))})"
        kept = predicate(self._where, columns)
        people = None
        if isinstance(unit, PersonUnit):
            used = [name for name in columns if name in names and name != unit.column]
            people = People(unit, used, self._key)
            bounded, kept = people.ranked(bounded, kept)
        if len(dealt) > 1:
            rows(engine, f"CREATE TEMP TABLE bounded AS SELECT * FROM {bounded}")
            bounded = "bounded"
        answers: dict[int, NDArray[np.object_]] = {}
        for batch, combination in dealt:
            source, counted = bounded, kept
            if people is not None:
                source, counted = people.ranked_in_groups(bounded, kept, combination.group_labels)
            found = rows(engine, combination.select(source, counted))
            for index in batch:
                answers[index] = combination.answer(asked[index], found)
        return tuple(answers[index] for index in range(len(asked)))

    def _names(self, asked: tuple[CellSums, ...]) -> frozenset[str]:
        """Columns in use: asked, filtered by, and what tells persons and their first rows."""
        unit, names = self._table.unit, used_columns(self._where) | columns_asked(asked)
        if isinstance(unit, RowUnit):
            return names
        first = (unit.keep.first_by,) if isinstance(unit.keep, FirstBy) else ()
        return names | {unit.column, *first}

    def _bounded(
        self, engine: duckdb.DuckDBPyConnection, files: Sequence[Path], names: Sequence[str]
    ) -> str:
        """A SELECT of the columns ``names``, each bounded by the study's rule."""
        schema, columns = self._version.schema, self._table.columns
        source = scan(schema, files, names, self._version.header)
        if not names:
            return source
        types = self._types(engine, source, names)
        read: dict[str, str] = {}
        ruled: dict[str, str] = {}
        for name in names:
            column, cell = columns[name], identifier(name)
            found = reading(schema, name, column, cell, types[name])
            read[name], ruled[name] = found.sql, rule(column, found, cell)
        clipped = {name: clip(columns[name], identifier(name)) for name in names}
        # One SELECT a step: an expression named there is computed once.
        for step in (read, ruled, clipped):
            source = f"SELECT {_named(step)} FROM ({source})"
        return source

    def _types(
        self, engine: duckdb.DuckDBPyConnection, source: str, names: Sequence[str]
    ) -> Mapping[str, str]:
        if isinstance(self._version.schema.source, CsvSource):
            return dict.fromkeys(names, "VARCHAR")
        return {str(row[0]): str(row[1]) for row in rows(engine, f"DESCRIBE {source}")}


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {identifier(name)}" for name, sql in expressions.items())
