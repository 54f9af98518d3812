"""Files that a participant names are read no further than their limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.file_reading import read_bounded, read_start


def test_file_within_its_limit_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    assert read_start(file, 3) == b"123"


def test_larger_file_is_refused_naming_it(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"123456")
    with pytest.raises(UsageError, match="data has more than 5 bytes"):
        read_bounded(file, 5)


def test_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(UsageError, match=rf"{path.name} cannot be read"):
            read_bounded(path, 5)
