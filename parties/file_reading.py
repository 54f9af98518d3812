"""Files that a participant names, read no further than their limit."""

from __future__ import annotations

from pathlib import Path

from mpc.errors import UsageError


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """All of ``path``. Raises UsageError naming it if it cannot be read or is larger."""
    data = read_start(path, bytes_max + 1)
    if len(data) > bytes_max:
        raise UsageError(f"{path} has more than {bytes_max} bytes")
    return data


def read_start(path: Path, bytes_max: int) -> bytes:
    """The first bytes of ``path``. Raises UsageError naming it if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max)
    except OSError as failure:
        raise UsageError(f"{path} cannot be read: {failure.strerror}") from None
