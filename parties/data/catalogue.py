"""The tables a node offers: published schema, announced version, fit with a study. Reads no row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mpc.canonical import Plain
from mpc.errors import ConfigFaults, Fault, StudyAborted
from mpc.study.model import Table
from parties.config import NodeConfig
from parties.data.schema import TableSchema, load_schema
from parties.data.versions import RegisteredVersion, VersionStore
from parties.system import SystemClock

DATABASE = "data.db"


class Catalogue:
    """One node's tables. What others may know of them, and what its worker needs.

    What was registered is what is offered: a schema file that was edited since says nothing until
    its table is registered again.
    """

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._written: dict[str, TableSchema] = {}
        for name, table in config.tables.items():
            schema = load_schema(table.schema_file).value
            if schema.table != name:
                what = f"{table.schema_file.name} is the schema of table {schema.table}"
                fault = Fault(
                    "PLY-C107", f"tables.{name}.schema_file", what, f"that of {name}", 1, 1
                )
                raise ConfigFaults(str(config.file), (fault,))
            self._written[name] = schema
        self._versions = VersionStore(config.state / DATABASE, SystemClock())
        for name, table in config.tables.items():
            bound = self._versions.domain_of(name)
            if bound not in (None, table.domain):
                what = f"table {name} was registered for privacy domain {bound}"
                fault = Fault(
                    "PLY-C109", f"tables.{name}.domain", what, "that domain for ever", 1, 1
                )
                raise ConfigFaults(str(config.file), (fault,))

    def published(self) -> dict[str, Plain]:
        """Each table's columns and announced version. No counts, no files."""
        return {
            name: {
                "version": self.announced(name),
                "rows_max": table.rows_max,
                "columns": self._schema(name).published(),
            }
            for name, table in self._config.tables.items()
        }

    def announced(self, table: str) -> int | None:
        """The number of the version a study may name: registered, and unchanged since."""
        version = self._current(table)
        return None if version is None else version.number

    def why_offline(self, table: str) -> str | None:
        """Why no version of ``table`` is announced and what to do, for its owner alone.

        It names files. None if a version is announced. A file that was touched is not hashed
        again for whoever asks: that reads all of it, and registering the same bytes keeps their
        number.
        """
        offered, version = self._config.tables[table], self._versions.latest(table)
        register = f"parley data register {table}"
        if version is None:
            return f"table {table}: no version is registered: {register}"
        begun = f"table {table}: version {version.number} was registered"
        for state in version.files:
            if not state.is_unchanged():
                gone = not Path(state.path).exists()
                fate = "is gone" if gone else "changed since (or was written anew)"
                return f"{begun}; {Path(state.path).name} {fate}: {register}"
        if _is_lower(offered.rows_max, version.rows_max):
            return (
                f"{begun}; rows_max is {offered.rows_max} ({offered.file}:{offered.line}), lower"
                f" than the {version.rows_max} of then: raise it, or {register}"
            )
        return None

    def offline(self) -> dict[str, str]:
        """Every table that studies cannot use, and :meth:`why_offline`."""
        return {name: why for name in self._config.tables if (why := self.why_offline(name))}

    def misfits(self, table: Table) -> Iterator[str]:
        """Why a study's columns cannot be read from the table. By schema alone."""
        if table.name in self._written:
            yield from self._schema(table.name).misfits(table)

    def for_worker(self, table: str) -> Plain:
        """The announced version as a worker opens it. Raises StudyAborted if it is gone."""
        version = self._current(table)
        if version is None:
            raise StudyAborted(f"no version of table {table} is registered and unchanged")
        return version.to_plain()

    def _schema(self, table: str) -> TableSchema:
        version = self._versions.latest(table)
        return self._written[table] if version is None else version.schema

    def _current(self, table: str) -> RegisteredVersion | None:
        version = self._versions.latest(table)
        offered = self._config.tables.get(table)
        if version is None or offered is None or not version.unchanged:
            return None
        if _is_lower(offered.rows_max, version.rows_max):
            return None  # its rows were counted against a larger capacity
        return version


def _is_lower(rows_max: int, registered: int | None) -> bool:
    return registered is not None and registered > rows_max
