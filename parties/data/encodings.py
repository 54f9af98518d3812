"""Text files of other encodings, as UTF-8 copies that live as long as one reading.

DuckDB reads UTF-8; what it makes of other encodings differs from what the standards say (it refuses
half of Latin-1). So the owner's file is recoded by Python's codecs, at registration and for every
study alike, into the folder that the engine may spill into.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mpc.errors import EngineFailed
from parties.data.schema import CsvSource, ParquetSource

CODECS = {
    "utf-8": "utf-8-sig",
    "windows-1252": "cp1252",
    "latin-1": "latin-1",
    "latin-9": "iso8859-15",
    "utf-16": "utf-16",
}
"""Python's names; a byte order mark is no data."""

CHUNK_SIZE = 1 << 20  # characters


@contextmanager
def readable(
    files: Sequence[Path], source: CsvSource | ParquetSource, folder: Path
) -> Iterator[list[Path]]:
    """``files`` as the engine can read them: themselves, or copies in ``folder``, then removed.

    Raises EngineFailed if a file cannot be recoded.
    """
    if not isinstance(source, CsvSource) or source.encoding == "utf-8":
        yield list(files)
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix="recoded-") as name:
        copies = [Path(name) / f"{number}.csv" for number in range(len(files))]
        for file, copy in zip(files, copies, strict=True):
            if not _recode(file, CODECS[source.encoding], copy):
                raise EngineFailed("the owner's table cannot be read in its declared encoding")
        yield copies


def _recode(file: Path, codec: str, copy: Path) -> bool:
    opened = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with (
            open(opened, "w", encoding="utf-8", newline="") as target,
            file.open(encoding=codec, newline="") as text,
        ):
            while chunk := text.read(CHUNK_SIZE):
                target.write(chunk)
    except (OSError, UnicodeError):
        return False
    return True


def faulty_line(file: Path, encoding: str) -> int | None:
    """The first line, from 1, that is not in ``encoding``; 0 if only the whole is; None if all is.

    Lines of two-byte encodings are not told.
    """
    codec = CODECS[encoding]
    try:
        with file.open(encoding=codec, newline="") as text:
            while text.read(CHUNK_SIZE):
                pass
    except UnicodeError:
        if encoding == "utf-16":
            return 0
    else:
        return None
    codec = "utf-8" if encoding == "utf-8" else codec
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode(codec)
            except UnicodeError:
                return number
    return 0
