"""Real processes on one ledger: races, and SIGKILL between any two steps of a release."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from joint_release import terms
from ledger_contract import CAP, ROW, asking, run_id
from ledger_process import RELEASE_CAP, WIDE

from mpc.errors import LedgerError
from mpc.ports import ChargeState
from mpc.units import DeltaAtto, RhoPico
from parties.ledger.sqlite import SqliteLedger
from parties.system import SystemClock

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "ledger_process.py"
RUN = terms().run
PRICE = 5 * 10**10 // 5  # 1 / (2 * 50)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )


def race(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let all of them go at once; what each says at the end."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said


def reopened(path: Path) -> SqliteLedger:
    return SqliteLedger(path, SystemClock(), WIDE)


def test_fifty_reserves_of_several_processes_never_exceed_the_cap(tmp_path: Path) -> None:
    """All open a file that is not there yet, too."""
    path = tmp_path / "ledger.db"
    said = race([start("reserve-many", path, 10 * n, 10, 30) for n in range(5)])
    assert sum(int(taken) for taken in said) == CAP // 30
    balance = reopened(path).balance("members")
    assert balance.rho_reserved == CAP // 30 * 30
    assert balance.rho_left == CAP % 30


@pytest.mark.parametrize("rivals", [("first", "second", "third"), ("release", "first", "release")])
def test_of_racing_processes_one_settles_a_run(tmp_path: Path, rivals: tuple[str, ...]) -> None:
    path = tmp_path / "ledger.db"
    ledger = reopened(path)
    ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(10), "owner")
    ledger.reserve(asking(1, expires_unix_s=SystemClock().unix_s() + 600))
    said = race([start("settle", path, rival, 1) for rival in rivals])
    assert sorted(said) == ["lost", "lost", "won"]
    winner = rivals[said.index("won")]
    committed = winner != "release"
    assert ledger.state(run_id(1)) == ("committed" if committed else "released")
    assert ledger.outbox(run_id(1)) == (winner.encode() if committed else None)


NOTHING_YET = ["before reserve", "within: INSERT INTO charge"]
HELD = [
    "after reserve",
    "before commit",
    "within: UPDATE charge SET state = 'committed'",
    "within: INSERT INTO outbox",
]
SPENT = ["after commit", "after sending"]


@pytest.mark.parametrize("point", [*NOTHING_YET, *HELD, *SPENT])
def test_killed_at_any_point_the_budget_is_spent_once_or_not_at_all(
    tmp_path: Path, point: str
) -> None:
    path = tmp_path / "ledger.db"
    process = start("release-one", path, point)
    sent = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL

    ledger = reopened(path)
    balance = ledger.balance("members")
    state, outbox = ledger.state(RUN), ledger.outbox(RUN)
    assert balance.rho_cap == RELEASE_CAP
    if point in NOTHING_YET:
        assert (state, outbox, sent) == (None, None, "")
        assert balance.rho_left == RELEASE_CAP
    elif point in HELD:
        assert (state, outbox, sent) == (ChargeState.RESERVED, None, "")
        assert balance.rho_reserved == PRICE
        assert ledger.release(RUN)
        assert ledger.balance("members").rho_left == RELEASE_CAP
    else:
        assert state is ChargeState.COMMITTED
        assert outbox is not None
        assert len(outbox) == 5 * 8
        assert sent in ("", outbox.hex())
        assert (sent == "") == (point == "after commit")
        assert balance.rho_spent == PRICE


@pytest.mark.parametrize("point", [*HELD, *SPENT])
def test_a_restarted_party_cannot_draw_noise_again_for_the_run(tmp_path: Path, point: str) -> None:
    path = tmp_path / "ledger.db"
    start("release-one", path, point).communicate(timeout=60)
    before = reopened(path).outbox(RUN)
    again = start("release-one", path, "never")
    sent, said = again.communicate(timeout=60)
    assert sent == ""
    assert f"run {RUN} was charged before" in said
    assert again.returncode == 1
    ledger = reopened(path)
    assert ledger.outbox(RUN) == before
    assert ledger.balance("members").rho_left == RELEASE_CAP - PRICE
    if before is not None:
        with pytest.raises(LedgerError, match="committed"):
            ledger.commit(RUN, b"other bytes")
        assert ledger.outbox(RUN) == before


def test_undisturbed_it_sends_what_the_outbox_keeps(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    process = start("release-one", path, "never")
    sent = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    outbox = reopened(path).outbox(RUN)
    assert outbox is not None
    assert sent == outbox.hex()
