"""The owner's files as one SQL relation: declared columns by name, cells not yet interpreted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parties.data.sandbox import identifier, listed, literal
from parties.data.schema import CsvSource, TableSchema

LINE_SIZE_MAX = 10_000_000


def scan(
    schema: TableSchema, files: Sequence[Path], columns: Sequence[str], header: Sequence[str]
) -> str:
    """A SELECT of ``columns`` under their own names. CSV cells come as text, nothing is guessed.

    ``header``: every header of the files, in their order (found at registration). CSV columns are
    read by place, since DuckDB ignores the names; a name of the schema stands there once. No column
    at all means the number of rows is all that matters.
    """
    paths = listed([str(file) for file in files])
    if isinstance(schema.source, CsvSource):
        places = [(f"c{header.index(schema.header(name))}", name) for name in columns]
        relation = _csv(schema.source, paths, len(header))
    else:
        places = [(schema.header(name), name) for name in columns]
        relation = f"read_parquet({paths}, union_by_name = true, hive_partitioning = false)"
    chosen = ", ".join(f"{identifier(place)} AS {identifier(name)}" for place, name in places)
    return f"SELECT {chosen or '1 AS one'} FROM {relation}"


def _csv(source: CsvSource, paths: str, count: int) -> str:
    types = ", ".join(f"c{place}: 'VARCHAR'" for place in range(count))
    return (
        f"read_csv({paths}, auto_detect = false, header = true, columns = {{{types}}},"
        f" delim = {literal(source.delimiter)}, quote = '\"', escape = '\"', nullstr = '',"
        f" encoding = 'utf-8', strict_mode = true, null_padding = false,"
        f" hive_partitioning = false, max_line_size = {LINE_SIZE_MAX})"
    )
