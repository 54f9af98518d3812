"""One way to open SQLite: write-ahead log, synchronous=FULL, owner-only file, bounded waits.

Every write is on disk when its transaction ends. A transaction takes the write lock at its start,
so what it reads cannot change before what it writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpc.errors import StorageError

FORM = 2
"""Of all tables of Parley: raised whenever one of any of its files changes, not for a new one."""

BUSY_S = 10.0
"""How long a transaction waits for another process's lock."""


class Database:
    """A SQLite file used by several processes of one participant. Mode 0600."""

    def __init__(self, path: Path, tables: str) -> None:
        """Open ``path``, made if absent, with the CREATE statements of ``tables``.

        Raises StorageError if another form of Parley's tables is in it, or the database fails.
        """
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
        with self._failures_named(), self._connection() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            made, form = connection.execute(
                "SELECT (SELECT count(*) FROM sqlite_master), user_version FROM pragma_user_version"
            ).fetchone()
            if made and form != FORM:
                raise StorageError(
                    f"{path.name} was written by a version of Parley with other tables",
                    hint="run the version that wrote it, or begin with a fresh folder of state",
                )
            script = f"BEGIN IMMEDIATE; {tables} PRAGMA user_version = {FORM}; COMMIT;"
            connection.executescript(script)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            yield connection
        finally:
            connection.close()  # rolls back what was not committed

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        """SQLite's errors as StorageError, naming the file and the error."""
        try:
            yield
        except sqlite3.Error as failure:
            name = getattr(failure, "sqlite_errorname", type(failure).__name__)
            raise StorageError(
                f"{self._path.name}: the database failed ({name})",
                hint="look for a full disk, a read-only file or a process that holds it",
            ) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's statements, or none if it raises.

        Raises StorageError, naming the file and SQLite's error, if the database fails.
        """
        with self._failures_named(), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
