"""The folder of a result is tried out before anything is spent, and holds one run's files alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from receipts import Federation, Run, run_of
from typer.testing import CliRunner

from mpc.errors import StorageError, UsageError
from parties.cli import app
from parties.commands import results
from parties.commands.results import NAMES, RECEIPT, check_folder, check_repeat, write_results
from parties.coordinator.office import Finished
from parties.report.receipt import receipt_bytes

AGAIN = "the study was released and charged; come again"


def finished(run: Run) -> Finished:
    return Finished(receipt_bytes(run.plain()), run.verified(), (), repeated=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_folder_that_can_be_made_is_accepted_and_not_left_behind(tmp_path: Path) -> None:
    check_folder(tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_file_in_place_of_the_folder_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match=name) as refused:
        check_folder(tmp_path / name)
    assert "nothing was proposed or spent" in refused.value.hint
    assert (tmp_path / "file").read_text() == "kept"


def test_results_are_written_over_those_of_the_same_run_alone(
    members: Federation, run: Run, tmp_path: Path
) -> None:
    first, other = finished(run), finished(run_of(members))
    for _ in range(2):
        write_results(tmp_path, first, AGAIN)
    check_folder(tmp_path, (first.verified.run,))
    with pytest.raises(UsageError, match="another run"):
        check_folder(tmp_path, (other.verified.run,))
    with pytest.raises(StorageError, match="another run") as refused:
        write_results(tmp_path, other, AGAIN)
    assert refused.value.hint == AGAIN
    assert (tmp_path / RECEIPT).read_bytes() == first.receipt


def test_result_that_cannot_be_written_says_that_it_was_charged_and_how_to_get_it(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StorageError, match=r"holds report\.html, no file of a result") as failed:
        write_results(tmp_path, finished(run), AGAIN)
    assert failed.value.hint == AGAIN
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", NAMES)
def test_file_of_somebody_under_any_name_of_a_result_is_kept(
    run: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    (tmp_path / "notes.txt").write_text("notes")
    known = finished(run)
    with pytest.raises(UsageError, match=name) as refused:
        check_folder(tmp_path, (known.verified.run,))
    assert "nothing was proposed or spent" in refused.value.hint
    with pytest.raises(StorageError, match=name):
        write_results(tmp_path, known, AGAIN)
    assert contents(tmp_path) == {name: b"mine", "notes.txt": b"notes"}


def test_folder_with_other_files_takes_a_result_beside_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    known = finished(run)
    assert check_folder(tmp_path) is None
    write_results(tmp_path, known, AGAIN)
    assert check_folder(tmp_path, (known.verified.run,)) == known.verified.run
    assert set(contents(tmp_path)) == {*NAMES, "notes.txt"}
    assert contents(tmp_path)["notes.txt"] == b"notes"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["elsewhere", "nowhere"])
def test_link_under_a_name_of_a_result_is_refused_and_what_it_leads_to_is_kept(
    run: Run, tmp_path: Path, name: str, where: str
) -> None:
    folder, known = tmp_path / "folder", finished(run)
    write_results(folder, known, AGAIN)
    (tmp_path / "elsewhere").write_bytes(known.receipt)
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / where)
    before = contents(tmp_path / "folder")
    with pytest.raises(StorageError, match=f"{name}, no file of a result"):
        write_results(folder, known, AGAIN)
    assert contents(folder) == before
    assert (folder / name).is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == known.receipt
    assert not (tmp_path / "nowhere").exists()


def test_link_put_there_at_the_last_moment_is_replaced_and_not_followed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    folder = tmp_path / "folder"

    def checked(directory: Path, _runs: object) -> None:
        directory.mkdir()
        for name in NAMES:
            (directory / name).symlink_to(victim)

    monkeypatch.setattr(results, "check_folder", checked)
    write_results(folder, finished(run), AGAIN)
    assert victim.read_text() == "kept"
    assert not any((folder / name).is_symlink() for name in NAMES)
    assert (folder / RECEIPT).read_bytes() == finished(run).receipt


def test_write_that_fails_midway_leaves_the_folder_as_it_was_and_can_be_repeated(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) == len(NAMES):  # while the receipt is written
            raise OSError(errno.ENOSPC, "No space left on device")

    known = finished(run)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left") as failed:
            write_results(tmp_path, known, AGAIN)
    assert failed.value.hint == AGAIN
    assert list(tmp_path.iterdir()) == []
    write_results(tmp_path, known, AGAIN)
    assert set(contents(tmp_path)) == set(NAMES)


def test_receipt_is_put_there_last(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    replace = Path.replace

    def watched(path: Path, target: Path) -> Path:
        assert RECEIPT not in contents(tmp_path)
        moved.append(Path(target).name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_results(tmp_path, finished(run), AGAIN)
    assert sorted(moved) == sorted(NAMES)
    assert moved[-1] == RECEIPT


def test_folder_of_an_older_run_is_refused_unless_every_party_would_repeat_that_run(
    members: Federation, run: Run, tmp_path: Path
) -> None:
    held, other = finished(run), finished(run_of(members))
    write_results(tmp_path, held, AGAIN)
    before = contents(tmp_path)
    for answered in ({other.verified.run}, {held.verified.run, ""}, {""}):
        with pytest.raises(UsageError, match="another run of this plan") as refused:
            check_repeat(tmp_path, held.verified.run, answered)
        assert "nothing was proposed or spent" in refused.value.hint
    check_repeat(tmp_path, held.verified.run, {held.verified.run})
    assert contents(tmp_path) == before


def test_status_with_a_folder_and_no_run_is_a_usage_error(tmp_path: Path) -> None:
    arguments = ["status", "--config", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "new")]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2
    assert "--out needs a run" in told.output
    assert not (tmp_path / "new").exists()
