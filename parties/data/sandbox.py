"""DuckDB, locked down: it sees the files of one table and nothing else of this machine.

The sandbox is no write protection by itself (COPY could write over an allowed file): only the
SELECTs that this package generates are ever run, and tables in memory made from them. DuckDB's own
errors may quote a raw row, so none of them leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpc.errors import EngineFailed

if TYPE_CHECKING:
    import duckdb

GLOB_SIGNS = frozenset("*?[")
"""DuckDB reads patterns in paths; files named with these are refused."""


@contextmanager
def sandboxed(
    files: Sequence[Path], temporary: Path, threads: int, memory_mb: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read ``files`` and spill into ``temporary``; closed at the end."""
    import duckdb

    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET temp_directory = ?", [str(temporary)])
        connection.execute("SET threads = ?", [threads])
        connection.execute("SET memory_limit = ?", [f"{memory_mb}MB"])
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET allowed_paths = ?", [[str(file) for file in files]])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def rows(connection: duckdb.DuckDBPyConnection, select: str) -> list[tuple[Any, ...]]:
    """All rows of a generated SELECT. Raises EngineFailed, without DuckDB's words, if it fails."""
    try:
        found: list[tuple[Any, ...]] = connection.execute(select).fetchall()
        return found
    except Exception:  # noqa: S110
        pass
    # Outside the except block: not even the new error's context holds DuckDB's words.
    raise EngineFailed("the owner's engine failed while reading the registered table")


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def whole_reading(names: Sequence[str]) -> str:
    """An aggregate that makes the engine decode every cell of columns ``names``."""
    return f"bit_xor(hash({', '.join(identifier(name) for name in names)}))"


def among(cell: str, texts: Sequence[str]) -> str:
    """Whether ``cell`` is one of ``texts``."""
    return f"{cell} IN ({', '.join(literal(text) for text in texts)})" if texts else "FALSE"


def listed(texts: Sequence[str]) -> str:
    """``texts`` as an SQL list of strings."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"
