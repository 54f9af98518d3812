"""The folder of a result is tried out before anything is spent, and holds one run's files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from receipts import Federation, Run, run_of
from typer.testing import CliRunner

from mpc.errors import StorageError, UsageError
from parties.cli import app
from parties.commands.results import RECEIPT, check_folder, write_results
from parties.coordinator.office import Finished
from parties.report.receipt import receipt_bytes

AGAIN = "the study was released and charged; come again"


def finished(run: Run) -> Finished:
    return Finished(receipt_bytes(run.plain()), run.verified(), (), repeated=False)


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
    with pytest.raises(StorageError, match=r"report\.html cannot be written") as failed:
        write_results(tmp_path, finished(run), AGAIN)
    assert failed.value.hint == AGAIN


def test_status_with_a_folder_and_no_run_is_a_usage_error(tmp_path: Path) -> None:
    arguments = ["status", "--config", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "new")]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2
    assert "--out needs a run" in told.output
    assert not (tmp_path / "new").exists()
