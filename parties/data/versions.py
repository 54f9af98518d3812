"""Announced versions of an owner's tables: what was registered, and whether it still is that.

A version is a number; the same files under the same schema keep it. Size, time and SHA-256 of each
file tell whether it changed since. All of this stays with the owner; others learn the number.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from mpc.canonical import Plain
from mpc.errors import IntegrityError, StudyAborted, UsageError
from mpc.ports import Clock, Randomness
from mpc.units import RunId
from parties.data.commitment import Commitment, commit_to
from parties.data.schema import TableSchema
from parties.database import Database

CHUNK_SIZE = 4 << 20

_TABLES = """
CREATE TABLE IF NOT EXISTS version (
    table_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    schema_digest TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (table_name, number)
) STRICT;
CREATE TABLE IF NOT EXISTS belonging (
    thing TEXT PRIMARY KEY,
    domain TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS commitment (
    run TEXT PRIMARY KEY,
    table_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    secret BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class FileState:
    """A file as it was registered."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileState:
        """``path`` now, its content hashed. Raises UsageError if it cannot be read."""
        digest = hashlib.sha256()
        try:
            before = path.stat()
            with path.open("rb") as stream:
                while chunk := stream.read(CHUNK_SIZE):
                    digest.update(chunk)
        except OSError as failure:
            raise UsageError(f"{path} cannot be read: {failure.strerror}") from None
        return cls(str(path), before.st_size, before.st_mtime_ns, digest.hexdigest())

    def is_unchanged(self) -> bool:
        """By size and time: cheap enough for every study."""
        try:
            now = Path(self.path).stat()
        except OSError:
            return False
        return (now.st_size, now.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a table: its schema, its files, and the headers found in them.

    ``rows_max``: the published capacity that its rows were counted against, if any.
    """

    number: int
    schema: TableSchema
    files: tuple[FileState, ...]
    header: tuple[str, ...]
    rows_max: int | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(Path(file.path) for file in self.files)

    @property
    def unchanged(self) -> bool:
        return all(file.is_unchanged() for file in self.files)

    @property
    def content(self) -> tuple[str, tuple[str, ...], list[str]]:
        """What makes it this version and no other: schema, header and the bytes of the files."""
        return self.schema.digest, self.header, [file.sha256 for file in self.files]

    def commit(self, randomness: Randomness) -> Commitment:
        """A fresh commitment to the files. Raises StudyAborted if their bytes changed."""
        return commit_to(self.paths, randomness, [file.sha256 for file in self.files])

    def check_unchanged(self) -> None:
        """Raise StudyAborted, telling others nothing of the files, if one changed."""
        if not self.unchanged:
            raise StudyAborted("the owner's table changed since its version was announced")

    def to_plain(self) -> dict[str, Plain]:
        """For the owner's own database and workers."""
        return {
            "number": self.number,
            "schema": self.schema.model_dump_json(),
            "files": [
                {"path": f.path, "size": f.size, "mtime_ns": f.mtime_ns, "sha256": f.sha256}
                for f in self.files
            ],
            "header": list(self.header),
            "rows_max": self.rows_max,
        }

    @classmethod
    def from_plain(cls, plain: Plain) -> RegisteredVersion:
        """The version that :meth:`to_plain` wrote."""
        try:
            if not isinstance(plain, dict):
                raise TypeError
            files, header, rows_max = plain["files"], plain["header"], plain["rows_max"]
            if not isinstance(files, list) or not isinstance(header, list):
                raise TypeError
            return cls(
                number=int(str(plain["number"])),
                schema=TableSchema.model_validate_json(str(plain["schema"])),
                files=tuple(FileState(**file) for file in files),  # type: ignore[arg-type]
                header=tuple(str(name) for name in header),
                rows_max=None if rows_max is None else int(str(rows_max)),
            )
        except (KeyError, TypeError, ValueError):
            raise IntegrityError("the record of a registered version is broken") from None


class VersionStore:
    """Every version of every table of one node, in ``data.db``."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, _TABLES)
        self._clock = clock

    def latest(self, table: str) -> RegisteredVersion | None:
        """The announced version of ``table``, or None if none is registered."""
        with self._database.transaction() as database:
            return _latest(database, table)

    def keep(self, run: RunId, version: RegisteredVersion, commitment: Commitment) -> None:
        """Keep the secret of a run's commitment, so that the owner can prove later what it used."""
        with self._database.transaction() as database:
            database.execute(
                "INSERT INTO commitment VALUES (?, ?, ?, ?, ?)",
                (
                    run,
                    version.schema.table,
                    version.number,
                    commitment.digest,
                    commitment.secret,
                ),
            )

    def settle(self, table: str, domain: str, files: tuple[FileState, ...]) -> None:
        """Bind a table and the bytes of its files to one privacy domain, for ever.

        Raises UsageError, and then nothing changed, if one of them belongs to another already: in
        a second domain the same people would have a second budget.
        """
        things = [f"table {table}", *(f"sha256 {file.sha256}" for file in files)]
        with self._database.transaction() as database:
            for thing in things:
                database.execute("INSERT OR IGNORE INTO belonging VALUES (?, ?)", (thing, domain))
                (bound,) = database.execute(
                    "SELECT domain FROM belonging WHERE thing = ?", (thing,)
                ).fetchone()
                if bound != domain:
                    what = f"table {table}" if thing == things[0] else f"a file of table {table}"
                    raise UsageError(
                        f"{what} belongs to privacy domain {bound} for ever, not to {domain}",
                        hint="name that domain in the node's file",
                    )

    def domain_of(self, table: str) -> str | None:
        """The privacy domain that ``table`` was registered for; None if it never was."""
        with self._database.transaction() as database:
            row = database.execute(
                "SELECT domain FROM belonging WHERE thing = ?", (f"table {table}",)
            ).fetchone()
        return None if row is None else str(row[0])

    def announce(
        self,
        schema: TableSchema,
        files: tuple[FileState, ...],
        header: tuple[str, ...],
        rows: int,
        rows_max: int | None = None,
    ) -> RegisteredVersion:
        """The version of these files under this schema.

        The last one's number if its schema and bytes are the same, wherever the files lie now and
        whenever they were written; else the next number.
        """
        with self._database.transaction() as database:
            latest = _latest(database, schema.table)
            version = RegisteredVersion(1, schema, files, header, rows_max)
            if latest is not None:
                same = latest.content == version.content
                version = replace(version, number=latest.number + (0 if same else 1))
            database.execute(
                "INSERT OR REPLACE INTO version VALUES (?, ?, ?, ?, ?, ?)",
                (
                    schema.table,
                    version.number,
                    schema.digest,
                    self._clock.unix_s(),
                    rows,
                    json.dumps(version.to_plain()),
                ),
            )
        return version


def _latest(database: sqlite3.Connection, table: str) -> RegisteredVersion | None:
    row = database.execute(
        "SELECT content FROM version WHERE table_name = ? ORDER BY number DESC LIMIT 1", (table,)
    ).fetchone()
    return None if row is None else RegisteredVersion.from_plain(json.loads(row[0]))
