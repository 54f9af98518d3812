"""How many rows a UTF-8 CSV file has, counted without the engine that will read it.

If the two disagree, a reader has dropped or split rows without a word, and the file is refused.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

CHUNK_SIZE = 4 << 20


@dataclass
class _Shape:
    """What decides whether lines can simply be counted."""

    delimiter: bytes
    delimiters: int = 0
    newlines: int = 0
    returns: int = 0
    pairs: int = 0  # \\r\\n
    quoted: bool = False
    blank: bool = False
    nul: bool = False
    last: bytes = b""

    def add(self, chunk: bytes, before: bytes) -> None:
        """``chunk``, ``before`` it the two bytes that were seen last."""
        seam = before + chunk
        self.delimiters += chunk.count(self.delimiter)
        self.newlines += chunk.count(b"\n")
        self.returns += chunk.count(b"\r")
        self.pairs += chunk.count(b"\r\n") + (before[-1:] + chunk[:1] == b"\r\n")
        self.quoted = self.quoted or b'"' in chunk
        self.nul = self.nul or b"\0" in chunk
        self.blank = self.blank or any(gap in seam for gap in (b"\n\n", b"\n\r", b"\r\r"))
        self.last = seam[-2:]

    @property
    def is_plain(self) -> bool:
        """One kind of line end, no quotes, no blank lines: a line is a record."""
        one_kind = self.returns in (0, self.pairs) and self.pairs in (0, self.newlines)
        return one_kind and not self.quoted and not self.blank


def count_records(path: Path, delimiter: str, width: int) -> int | None:
    """Rows of ``path`` without its header; None if they are not all of ``width`` cells.

    None also if it has NUL bytes or its quotes do not close. Blank lines are no rows, unless there
    is only one column: then they are missing cells.
    """
    shape = _Shape(delimiter.encode())
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_SIZE):
            shape.add(chunk, shape.last)
    if shape.nul:
        return None
    if shape.is_plain:
        records = (shape.newlines or shape.returns) + (shape.last[-1:] not in (b"\n", b"\r", b""))
        return records - 1 if shape.delimiters == records * (width - 1) else None
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            next(reader, None)
            records = 0
            for cells in reader:
                if cells and len(cells) != width:
                    return None
                records += 1 if cells or width == 1 else 0
            return records
    except (csv.Error, UnicodeError):
        return None
