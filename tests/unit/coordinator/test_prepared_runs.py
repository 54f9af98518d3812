"""What a coordinator remembers of prepared runs: they move on once, expire, and are never lost."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from stored_material import EXPIRES, NOW, SetClock

from mpc.errors import StorageError, StudyAborted
from mpc.session.approval import Approval
from mpc.units import PartyId, PlanDigest, RunId
from parties.coordinator.ending import not_prepared
from parties.coordinator.prepared_runs import PreparedState
from parties.coordinator.state import CoordinatorState

RUN, OTHER, PLAN = RunId("c" * 64), RunId("d" * 64), PlanDigest("a" * 64)
FILE = "coordinator.db"


def approvals(*expires_unix_s: int) -> tuple[Approval, ...]:
    parties = [PartyId(name) for name in ("north", "south", "west")]
    return tuple(
        Approval.sign(
            plan_digest=PLAN, party=party, nonce=os.urandom(32), expires_unix_s=expires,
            approved_by="policy", signer=lambda _context, _data: bytes(64),
        )
        for party, expires in zip(parties, expires_unix_s, strict=False)
    )  # fmt: skip


GIVEN = approvals(EXPIRES + 50, EXPIRES, EXPIRES + 90)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def state(tmp_path: Path, clock: SetClock) -> CoordinatorState:
    """A coordinator that began to prepare RUN."""
    state = CoordinatorState(tmp_path / FILE, clock)
    with state.remembering(PLAN, "stays", lambda _parties: None):
        pass
    state.prepared.begin(RUN, PLAN, "stays", GIVEN)
    return state


def test_run_holds_once_it_is_prepared_until_its_first_approval_ends(
    state: CoordinatorState, clock: SetClock, tmp_path: Path
) -> None:
    assert state.proposals() == ()
    assert state.prepared.holding(PLAN) is None
    record = state.prepared.done(RUN)
    assert (record.state, record.prepared_unix_s) == (PreparedState.PREPARED, NOW)
    assert record.expires_unix_s == EXPIRES
    assert record.read_approvals() == GIVEN
    assert "approvals" not in record.to_plain()
    assert CoordinatorState(tmp_path / FILE, clock).prepared.holding(PLAN) == record
    assert state.prepared.holding(PlanDigest("b" * 64)) is None
    clock.now = EXPIRES
    assert state.prepared.holding(PLAN) is None
    assert state.prepared.list() == (replace(record, state=PreparedState.EXPIRED),)


def test_run_that_begins_uses_what_was_prepared_in_the_same_transaction(
    state: CoordinatorState,
) -> None:
    state.prepared.done(RUN)
    state.begin(OTHER, PLAN, "stays")
    assert state.prepared.holding(PLAN) is not None
    state.begin(RUN, PLAN, "stays")
    assert [each.state for each in state.prepared.list()] == [PreparedState.USED]
    assert state.prepared.holding(PLAN) is None


@pytest.mark.parametrize("ended", [False, True])
def test_run_that_was_not_prepared_to_the_end_is_not_begun(
    state: CoordinatorState, ended: bool
) -> None:
    if ended:
        state.prepared.failed(RUN, "the dealer was lost")
    before = state.prepared.list()
    with pytest.raises(StudyAborted, match="run cccccccccccc was prepared, and that is "):
        state.begin(RUN, PLAN, "stays")
    assert state.runs() == ()
    assert state.prepared.list() == before


def test_preparing_that_nobody_ended_expires(state: CoordinatorState, clock: SetClock) -> None:
    clock.now = EXPIRES + 1
    assert [each.state for each in state.prepared.list()] == [PreparedState.EXPIRED]


def test_end_of_preparing_is_told_with_its_cost_and_what_stays_good(
    state: CoordinatorState,
) -> None:
    error = StudyAborted("it was lost", party=PartyId("dealing-house"))
    not_prepared(state, RUN, error)
    assert error.message.endswith("run cccccccccccc was not prepared; nothing was charged")
    assert "no approval was used" in error.hint
    (record,) = state.prepared.list()
    assert record.state is PreparedState.FAILED
    assert record.problem == "dealing-house: it was lost"


def test_what_was_prepared_never_goes_back(state: CoordinatorState) -> None:
    state.prepared.failed(RUN, "lost")
    with pytest.raises(StorageError):
        state.prepared.done(RUN)
    with pytest.raises(StorageError):
        state.prepared.begin(RUN, PLAN, "stays", GIVEN)
    assert [each.state for each in state.prepared.list()] == [PreparedState.FAILED]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE prepared SET state = 'prepared', prepared_unix_s = 1",
        "UPDATE prepared SET state = 'preparing', prepared_unix_s = NULL",
        "UPDATE prepared SET expires_unix_s = expires_unix_s + 1",
        "DELETE FROM prepared",
    ],
)
def test_file_itself_refuses_to_rewrite_what_was_prepared(
    state: CoordinatorState, tmp_path: Path, statement: str
) -> None:
    state.prepared.done(RUN)
    state.begin(RUN, PLAN, "stays")
    before = state.prepared.list()
    connected = closing(sqlite3.connect(tmp_path / FILE))
    with connected as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)
    assert state.prepared.list() == before
