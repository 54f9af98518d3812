"""The owner's files as one SQL relation: declared columns by name, cells not yet interpreted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parties.data.sandbox import identifier, listed, literal
from parties.data.schema import CsvSource, TableSchema


def scan(
    schema: TableSchema, files: Sequence[Path], columns: Sequence[str], header: Sequence[str]
) -> str:
    """A SELECT of ``columns`` under their own names. CSV cells come as text, nothing is guessed.

    ``header``: every header of the files, in their order (CSV only; found at registration).
    """
    chosen = ", ".join(
        f"{identifier(schema.header(name))} AS {identifier(name)}" for name in columns
    )
    paths = listed([str(file) for file in files])
    if isinstance(schema.source, CsvSource):
        return f"SELECT {chosen} FROM {_csv(schema.source, paths, header)}"
    return f"SELECT {chosen} FROM read_parquet({paths}, union_by_name = true)"


def _csv(source: CsvSource, paths: str, header: Sequence[str]) -> str:
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({paths}, auto_detect = false, header = true, columns = {{{types}}},"
        f" delim = {literal(source.delimiter)}, quote = '\"', escape = '\"', nullstr = '',"
        f" encoding = {literal(source.encoding)}, strict_mode = true, max_line_size = 10000000)"
    )
