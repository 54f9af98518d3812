"""The runs that a coordinator prepared beforehand with a dealer, in its database.

A run is written down before anybody starts to prepare it, with the approvals that name it; it is
prepared once all parties say that they keep their material, and used in the transaction that begins
the run. What ended without that is told and never used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from mpc.canonical import canonical_bytes, from_canonical
from mpc.errors import StudyAborted
from mpc.ports import Clock
from mpc.session.approval import (
    Approval,
    approvals_from_plain,
    approvals_to_plain,
    first_expiry_unix_s,
)
from mpc.units import PlanDigest, RunId
from parties.database import Database

TABLES = """
CREATE TABLE IF NOT EXISTS prepared (
    run TEXT PRIMARY KEY,
    plan_digest TEXT NOT NULL,
    study TEXT NOT NULL,
    approvals BLOB NOT NULL,
    expires_unix_s INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('preparing', 'prepared', 'used', 'failed')),
    begun_unix_s INTEGER NOT NULL,
    prepared_unix_s INTEGER,
    problem TEXT NOT NULL DEFAULT '',
    CHECK ((state IN ('prepared', 'used')) = (prepared_unix_s IS NOT NULL))
) STRICT;
CREATE TRIGGER IF NOT EXISTS prepared_begins BEFORE INSERT ON prepared
WHEN NEW.state <> 'preparing' OR EXISTS (SELECT 1 FROM prepared WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'a run is prepared once, and begins by being prepared'); END;
CREATE TRIGGER IF NOT EXISTS prepared_moves_on BEFORE UPDATE ON prepared
WHEN NOT (OLD.state = 'preparing' AND NEW.state IN ('prepared', 'failed'))
    AND NOT (OLD.state = 'prepared' AND NEW.state = 'used')
BEGIN SELECT RAISE(ABORT, 'what was prepared is used once, and what failed never'); END;
CREATE TRIGGER IF NOT EXISTS prepared_terms_stay
BEFORE UPDATE OF run, plan_digest, study, approvals, expires_unix_s, begun_unix_s ON prepared
BEGIN SELECT RAISE(ABORT, 'what a run was prepared for never changes'); END;
CREATE TRIGGER IF NOT EXISTS prepared_stays BEFORE DELETE ON prepared
BEGIN SELECT RAISE(ABORT, 'what was prepared is never forgotten'); END;
"""


class PreparedState(StrEnum):
    """What became of a run that was to be prepared. ``EXPIRED`` is told, not stored."""

    PREPARING = "preparing"  # under way, or its coordinator was stopped: then it expires so
    PREPARED = "prepared"
    USED = "used"  # its run was begun, whatever became of that
    FAILED = "failed"
    EXPIRED = "expired"  # nobody takes it any more, though it was never used


@dataclass(frozen=True)
class PreparedRecord:
    """A run that was to be prepared. ``expires_unix_s``: when the first of its approvals ends.

    Parties keep what was dealt until then, or until their machine starts anew. ``approvals`` are
    canonical; ``prepared_unix_s`` is 0 unless it was prepared.
    """

    run: RunId
    plan_digest: PlanDigest
    study: str
    state: PreparedState
    begun_unix_s: int
    prepared_unix_s: int
    expires_unix_s: int
    problem: str
    approvals: bytes

    def read_approvals(self) -> tuple[Approval, ...]:
        """What was approved, one of each party. Raises IntegrityError on any other form."""
        return approvals_from_plain(from_canonical(self.approvals))

    def to_plain(self) -> dict[str, object]:
        """The same for ``--json``, without the approvals."""
        plain = {**asdict(self), "state": self.state.value}
        del plain["approvals"]
        return plain


class PreparedRuns:
    """The prepared runs in a coordinator's database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(
        self, run: RunId, plan_digest: PlanDigest, study: str, approvals: Sequence[Approval]
    ) -> None:
        """Write a run down before anybody prepares it; its plan is no open proposal any more."""
        given = canonical_bytes(approvals_to_plain(approvals))
        expires_unix_s = first_expiry_unix_s(approvals)
        with self._database.transaction() as database:
            database.execute(
                "INSERT INTO prepared (run, plan_digest, study, approvals, expires_unix_s, state,"
                " begun_unix_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run, plan_digest, study, given, expires_unix_s, PreparedState.PREPARING,
                 self._clock.unix_s()),
            )  # fmt: skip
            database.execute("DELETE FROM proposal WHERE plan_digest = ?", (plan_digest,))

    def done(self, run: RunId) -> PreparedRecord:
        """Every party keeps its material: the run can be run until that expires."""
        with self._database.transaction() as database:
            database.execute(
                "UPDATE prepared SET state = ?, prepared_unix_s = ? WHERE run = ?",
                (PreparedState.PREPARED, self._clock.unix_s(), run),
            )
        (record,) = [each for each in self.list() if each.run == run]
        return record

    def failed(self, run: RunId, problem: str) -> None:
        """The run was not prepared."""
        with self._database.transaction() as database:
            database.execute(
                "UPDATE prepared SET state = ?, problem = ? WHERE run = ? AND state = ?",
                (PreparedState.FAILED, problem, run, PreparedState.PREPARING),
            )

    def list(self, plan_digest: PlanDigest | None = None) -> tuple[PreparedRecord, ...]:
        """All that were to be prepared, newest first; of one plan if given."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT run, plan_digest, study, state, begun_unix_s, prepared_unix_s,"
                " expires_unix_s, problem, approvals FROM prepared"
                " WHERE ? IS NULL OR plan_digest = ? ORDER BY begun_unix_s DESC, rowid DESC",
                (plan_digest, plan_digest),
            ).fetchall()
        now = self._clock.unix_s()
        return tuple(_record(row, now) for row in rows)

    def holding(self, plan_digest: PlanDigest) -> PreparedRecord | None:
        """The latest run of the plan that is prepared, not used and not expired, if any is."""
        found = (each for each in self.list(plan_digest) if each.state is PreparedState.PREPARED)
        return next(found, None)

    def latest(self, plan_digest: PlanDigest) -> PreparedRecord | None:
        """The latest of the plan, whatever became of it."""
        return next(iter(self.list(plan_digest)), None)


def mark_used(database: sqlite3.Connection, run: RunId) -> None:
    """Within the transaction that begins ``run``: if it was prepared, that is used from now on.

    Raises StudyAborted if it was to be prepared and is not.
    """
    row = database.execute("SELECT state FROM prepared WHERE run = ?", (run,)).fetchone()
    if row is None:
        return
    if row[0] != PreparedState.PREPARED:
        raise StudyAborted(f"run {run[:12]} was prepared, and that is {row[0]}")
    database.execute("UPDATE prepared SET state = ? WHERE run = ?", (PreparedState.USED, run))


def _record(row: Sequence[Any], now_unix_s: int) -> PreparedRecord:
    state, expires_unix_s = PreparedState(row[3]), row[6]
    if state in (PreparedState.PREPARING, PreparedState.PREPARED) and expires_unix_s <= now_unix_s:
        state = PreparedState.EXPIRED
    return PreparedRecord(
        run=RunId(row[0]),
        plan_digest=PlanDigest(row[1]),
        study=row[2],
        state=state,
        begun_unix_s=row[4],
        prepared_unix_s=row[5] or 0,
        expires_unix_s=expires_unix_s,
        problem=row[7],
        approvals=row[8],
    )
