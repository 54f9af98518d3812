"""The tables a node offers: published schema, announced version, fit with a study. Reads no row."""

from __future__ import annotations

from collections.abc import Iterator

from mpc.canonical import Plain
from mpc.errors import ConfigFaults, Fault, StudyAborted
from mpc.study.model import Table
from parties.config import NodeConfig
from parties.data.schema import TableSchema, load_schema
from parties.data.versions import RegisteredVersion, VersionStore
from parties.system import SystemClock

DATABASE = "data.db"


class Catalogue:
    """One node's tables. What others may know of them, and what its worker needs."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._schemas: dict[str, TableSchema] = {}
        for name, table in config.tables.items():
            schema = load_schema(table.schema_file).value
            if schema.table != name:
                what = f"{table.schema_file.name} is the schema of table {schema.table}"
                fault = Fault(
                    "PLY-C107", f"tables.{name}.schema_file", what, f"that of {name}", 1, 1
                )
                raise ConfigFaults(str(config.file), (fault,))
            self._schemas[name] = schema
        self._versions = VersionStore(config.state / DATABASE, SystemClock())

    def published(self) -> dict[str, Plain]:
        """Each table's columns and announced version. No counts, no files."""
        return {
            name: {
                "version": self.announced(name),
                "rows_max": self._config.tables[name].rows_max,
                "columns": schema.published(),
            }
            for name, schema in self._schemas.items()
        }

    def announced(self, table: str) -> int | None:
        """The number of the version a study may name: registered, and unchanged since."""
        version = self._current(table)
        return None if version is None else version.number

    def misfits(self, table: Table) -> Iterator[str]:
        """Why a study's columns cannot be read from the table. By schema alone."""
        schema = self._schemas.get(table.name)
        if schema is not None:
            yield from schema.misfits(table)

    def for_worker(self, table: str) -> Plain:
        """The announced version as a worker opens it. Raises StudyAborted if it is gone."""
        version = self._current(table)
        if version is None:
            raise StudyAborted(f"no version of table {table} is registered and unchanged")
        return version.to_plain()

    def _current(self, table: str) -> RegisteredVersion | None:
        version = self._versions.latest(table)
        if version is None or version.schema != self._schemas.get(table):
            return None
        return version if version.unchanged else None
