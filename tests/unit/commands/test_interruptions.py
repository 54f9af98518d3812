"""Ctrl-C: each command says what became of what was under way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from mpc.units import PlanDigest, RunId
from parties.commands.output import Interrupted, answering
from parties.commands.studies import _interruptible
from parties.coordinator.state import Charged, CoordinatorState
from parties.system import SystemClock

PLAN, OLD, RUN = PlanDigest("a" * 64), RunId("b" * 64), RunId("c" * 64)
CONFIG = Path("coordinator.yaml")


@pytest.fixture
def state(tmp_path: Path) -> CoordinatorState:
    """A coordinator that ran the same plan before."""
    state = CoordinatorState(tmp_path / "coordinator.db", SystemClock())
    state.begin(OLD, PLAN, "stays", b"")
    state.released(OLD, b"receipt")
    return state


def interrupted(state: CoordinatorState, **happened: bool) -> Interrupted:
    def run() -> None:
        if happened.get("begin"):
            state.begin(RUN, PLAN, "stays")
        if happened.get("cancel"):
            state.cancelled(RUN, "interrupted")
            state.charged(RUN, Charged.NO)
        if happened.get("release"):
            state.released(RUN, b"receipt")
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as raised, _interruptible(state, PLAN, CONFIG):
        run()
    return raised.value


def test_interruption_before_the_run_says_that_nothing_was_charged_and_approvals_stay_good(
    state: CoordinatorState,
) -> None:
    error = interrupted(state)
    assert error.message == "interrupted before the run began; nothing was computed or charged"
    assert "requests and approvals stay as they are" in error.hint


def test_interruption_of_a_run_names_it_and_where_to_learn_its_charge(
    state: CoordinatorState,
) -> None:
    error = interrupted(state, begin=True)
    assert f"run {RUN[:12]} was cancelled wherever it was not over" in error.message
    assert "approvals are used" in error.message
    assert error.hint.startswith(f"parley status {RUN[:12]} --config coordinator.yaml tells")


def test_interruption_of_a_run_that_no_party_charged_says_so(state: CoordinatorState) -> None:
    error = interrupted(state, begin=True, cancel=True)
    assert f"run {RUN[:12]} was cancelled and nothing was charged" in error.message
    assert "approvals are used" in error.message


def test_interruption_after_the_release_says_that_it_was_charged_and_how_to_get_it(
    state: CoordinatorState,
) -> None:
    error = interrupted(state, begin=True, release=True)
    assert error.hint.startswith("the study was released and charged; parley status")


def test_any_interrupted_command_says_so_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, answering(as_json=True):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    said = json.loads(capsys.readouterr().out)
    assert (said["code"], said["message"]) == ("PLY-Q001", "interrupted before this was done")
