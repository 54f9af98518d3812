"""Real processes on one store: killed at any point material is used once or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stored_material import ASKER, EXPIRES, KEY, PARTS, RUN, prepared_of, read, store_of

from mpc.errors import IntegrityError
from mpc.session.streams import Stream
from parties.prepared.store import FOLDER, TAG

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "prepared_process.py"
STREAM = Stream(KEY).octets(64)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )


def killed(*arguments: object) -> str:
    """What the process had said when it was killed."""
    process = start(*arguments)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    return said


@pytest.mark.parametrize("point", ["part 0", "part 2", "within: INSERT"])
def test_killed_while_it_stores_a_party_has_nothing_and_prepares_again(
    tmp_path: Path, point: str
) -> None:
    killed("keep", tmp_path, point)

    store = store_of(tmp_path)
    with pytest.raises(IntegrityError, match="nothing is prepared here"):
        store.take(RUN)
    store.clear()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [TAG]
    store.keep(prepared_of(), EXPIRES, ASKER)
    assert read(store.take(RUN)) == (STREAM, PARTS)


def test_what_a_killed_process_left_half_stored_is_discarded_when_its_run_ends(
    tmp_path: Path,
) -> None:
    killed("keep", tmp_path, "part 2")
    store = store_of(tmp_path)
    with pytest.raises(IntegrityError, match="being prepared here already"):
        store.keep(prepared_of(), EXPIRES, ASKER)
    store.discard(RUN)
    store.keep(prepared_of(), EXPIRES, ASKER)
    store.discard(RUN)
    assert read(store.take(RUN)) == (STREAM, PARTS)


def test_killed_right_after_it_stored_a_party_has_its_material(tmp_path: Path) -> None:
    killed("keep", tmp_path, "done")
    assert read(store_of(tmp_path).take(RUN)) == (STREAM, PARTS)


def test_killed_before_the_mark_is_on_disk_nothing_was_read_and_it_is_used_once(
    tmp_path: Path,
) -> None:
    store = store_of(tmp_path)
    store.keep(prepared_of(), EXPIRES, ASKER)
    assert killed("take", tmp_path, "within: UPDATE material") == ""
    assert read(store.take(RUN)) == (STREAM, PARTS)
    with pytest.raises(IntegrityError, match="was used"):
        store.take(RUN)


@pytest.mark.parametrize("point", ["marked", "opened", "part 0", "part 2", "done"])
def test_killed_after_the_mark_the_material_is_lost_and_never_read_again(
    tmp_path: Path, point: str
) -> None:
    store = store_of(tmp_path)
    store.keep(prepared_of(), EXPIRES, ASKER)

    said = killed("take", tmp_path, point)

    assert said == ("" if point in ("marked", "opened") else STREAM[:16].hex() + "\n")
    with pytest.raises(IntegrityError, match="was used, or is over"):
        store_of(tmp_path).take(RUN)
    again = start("take", tmp_path, "never")
    assert again.communicate(timeout=60)[0] == ""
    assert again.returncode == 1
    store.clear()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [TAG]
    with pytest.raises(IntegrityError, match="prepared here before"):
        store.keep(prepared_of(), EXPIRES, ASKER)


def test_of_racing_processes_one_takes_the_material(tmp_path: Path) -> None:
    store_of(tmp_path).keep(prepared_of(), EXPIRES, ASKER)
    racing = [start("race", tmp_path, "never") for _ in range(4)]
    for process in racing:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in racing]
    assert sorted(said) == ["taken", *["what was prepared for this run was used, or is over"] * 3]
