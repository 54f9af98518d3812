"""A commitment hides the data from who sees it, and binds its owner to the bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from owner_tables import TABLE, write_owner
from seeded_randomness import SeededRandomness

from mpc.errors import ParleyError, StudyAborted
from mpc.units import RunId
from parties.data.commitment import Commitment, commit_to
from parties.data.register import register_table
from parties.data.versions import VersionStore
from parties.system import SystemClock, SystemRandomness


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_bytes(b"x\n1\n")
    second.write_bytes(b"x\n22\n")
    return first, second


def test_digest_is_of_the_secret_and_each_file_behind_its_length(
    files: tuple[Path, Path],
) -> None:
    made = commit_to(files, SeededRandomness("commitment"))
    assert made.secret == SeededRandomness("commitment").random_bytes(32)
    content = made.secret
    for file in files:
        content += file.stat().st_size.to_bytes(8, "big") + file.read_bytes()
    assert made.digest == hashlib.sha256(content).digest()


def test_same_files_give_another_digest_each_time(files: tuple[Path, Path]) -> None:
    made = [commit_to(files, SystemRandomness()) for _ in range(4)]
    assert len({each.digest for each in made}) == 4
    assert len({each.secret for each in made}) == 4


def test_order_of_files_and_where_they_are_cut_matter(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    def digest(*paths: Path) -> bytes:
        return commit_to(paths, SeededRandomness("same")).digest

    first, second = files
    assert digest(first, second) != digest(second, first)
    cut, rest = tmp_path / "c.csv", tmp_path / "d.csv"
    cut.write_bytes(first.read_bytes() + b"x")
    rest.write_bytes(second.read_bytes()[1:])
    assert digest(cut, rest) != digest(first, second)


def test_other_bytes_than_registered_are_refused(files: tuple[Path, Path]) -> None:
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    commit_to(files, SystemRandomness(), digests)
    files[1].write_bytes(b"x\n23\n")
    with pytest.raises(StudyAborted, match="changed since its version was announced"):
        commit_to(files, SystemRandomness(), digests)


def test_file_that_is_gone_is_an_abort_without_its_name(files: tuple[Path, Path]) -> None:
    files[0].unlink()
    with pytest.raises(StudyAborted) as refused:
        commit_to(files, SystemRandomness())
    assert "a.csv" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_secret_is_not_shown(files: tuple[Path, Path]) -> None:
    made = commit_to(files, SystemRandomness())
    assert repr(made.secret)[2:-1] not in repr(made)
    assert "secret" not in repr(made)
    assert "secret" not in str(Commitment(b"d", b"s"))


def test_owner_keeps_the_secret_of_each_run_once(tmp_path: Path) -> None:
    config = write_owner(tmp_path, {"x": {"type": "number"}}, b"x\n1\n")
    version = register_table(config, TABLE).version
    store = VersionStore(config.state / "data.db", SystemClock())
    made = version.commit(SystemRandomness())
    store.keep(RunId("run-1"), version, made)
    with pytest.raises(ParleyError, match="PRIMARYKEY"):
        store.keep(RunId("run-1"), version, version.commit(SystemRandomness()))
    assert (config.state / "data.db").stat().st_mode & 0o077 == 0
