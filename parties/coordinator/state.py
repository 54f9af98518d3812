"""What the coordinator remembers of each run, in SQLite: enough to finish or report it later.

A run is written down before any party starts it, with everything a receipt needs but the shares;
a coordinator that was killed can then collect what the parties committed, or say what became of
the study.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mpc.errors import AwaitingApproval, BudgetRefusal, ParleyError, PolicyRefusal, UsageError
from mpc.ports import Clock
from mpc.units import PartyId, PlanDigest, RunId
from parties.database import Database

Waiting = Callable[[tuple[PartyId, ...]], None]
"""Told which parties a person has still to decide at."""

_TABLES = """
CREATE TABLE IF NOT EXISTS run (
    run TEXT PRIMARY KEY,
    plan_digest TEXT NOT NULL,
    study TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    agreement BLOB NOT NULL,
    receipt BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS proposal (
    plan_digest TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    state TEXT NOT NULL,
    said TEXT NOT NULL,
    asked_at INTEGER NOT NULL
) STRICT;
"""


class RunState(StrEnum):
    """What became of a run."""

    STARTED = "started"  # parties were told to start; may have committed
    RELEASED = "released"  # all shares collected, receipt stored
    FAILED = "failed"  # ended without a result


@dataclass(frozen=True)
class RunRecord:
    """One attempt at one plan. ``agreement`` is canonical: study, roster, approvals, Hellos."""

    run: RunId
    plan_digest: PlanDigest
    study: str
    state: RunState
    started_at: int
    ended_at: int
    problem: str
    agreement: bytes
    receipt: bytes | None


class ProposalState(StrEnum):
    """How far a plan came that was proposed and has no run."""

    PROPOSED = "proposed"  # parties were asked, and not all of them answered
    WAITING = "waiting"  # a person at a party had still to decide when it was last asked
    REFUSED = "refused"


@dataclass(frozen=True)
class ProposalRecord:
    """A plan as parties last answered it; ``said`` names them, with the reasons of a refusal."""

    plan_digest: PlanDigest
    study: str
    state: ProposalState
    said: str
    asked_at: int


class CoordinatorState:
    """The coordinator's database (WAL, synchronous=FULL), mode 0600."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, _TABLES)
        self._clock = clock

    def begin(self, run: RunId, plan_digest: PlanDigest, study: str, agreement: bytes) -> None:
        """Write a run down before the parties connect. Raises UsageError if it is known."""
        with self._database.transaction() as database:
            try:
                database.execute(
                    "INSERT INTO run (run, plan_digest, study, state, started_at, agreement)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (run, plan_digest, study, RunState.STARTED, self._clock.unix_s(), agreement),
                )
            except sqlite3.IntegrityError:
                raise UsageError(f"run {run[:12]} was begun before") from None

    def released(self, run: RunId, receipt: bytes) -> None:
        """The run's result is known: store its receipt. The first receipt stays."""
        self._end(run, RunState.RELEASED, "", receipt)

    def failed(self, run: RunId, problem: str) -> None:
        """The run ended without a result."""
        self._end(run, RunState.FAILED, problem, None)

    def _end(self, run: RunId, state: RunState, problem: str, receipt: bytes | None) -> None:
        with self._database.transaction() as database:
            database.execute(
                "UPDATE run SET state = ?, ended_at = ?, problem = ?, receipt = ?"
                " WHERE run = ? AND state = ?",
                (state, self._clock.unix_s(), problem, receipt, run, RunState.STARTED),
            )

    def runs(self, plan_digest: PlanDigest | None = None) -> tuple[RunRecord, ...]:
        """Runs, newest first; of one plan if given."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT run, plan_digest, study, state, started_at, ended_at, problem, agreement,"
                " receipt FROM run WHERE ? IS NULL OR plan_digest = ?"
                " ORDER BY started_at DESC, rowid DESC",
                (plan_digest, plan_digest),
            ).fetchall()
        return tuple(
            RunRecord(RunId(row[0]), PlanDigest(row[1]), row[2], RunState(row[3]), *row[4:])
            for row in rows
        )

    @contextmanager
    def remembering(
        self, plan_digest: PlanDigest, study: str, waiting: Waiting
    ) -> Iterator[Waiting]:
        """Keep what parties say while the body asks them; forget it once all agreed.

        The body tells the yielded function, in place of ``waiting``, whom it waits for.
        """

        def told(parties: tuple[PartyId, ...]) -> None:
            said = f"a person at {', '.join(parties)} has yet to decide"
            self._propose(plan_digest, study, ProposalState.WAITING, said)
            waiting(parties)

        self._propose(plan_digest, study, ProposalState.PROPOSED, "proposed; not all answered yet")
        try:
            yield told
        except (PolicyRefusal, BudgetRefusal) as refusal:
            self._propose(plan_digest, study, ProposalState.REFUSED, refusal.message)
            raise
        except AwaitingApproval:
            raise
        except ParleyError as error:
            said = f"proposed, and not answered by all: {error.message}"
            self._propose(plan_digest, study, ProposalState.PROPOSED, said)
            raise
        with self._database.transaction() as database:
            database.execute("DELETE FROM proposal WHERE plan_digest = ?", (plan_digest,))

    def _propose(
        self, plan_digest: PlanDigest, study: str, state: ProposalState, said: str
    ) -> None:
        with self._database.transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO proposal VALUES (?, ?, ?, ?, ?)",
                (plan_digest, study, state, said, self._clock.unix_s()),
            )

    def proposals(self) -> tuple[ProposalRecord, ...]:
        """Plans that wait for a party or were refused, newest first."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT plan_digest, study, state, said, asked_at FROM proposal"
                " ORDER BY asked_at DESC, rowid DESC"
            ).fetchall()
        return tuple(
            ProposalRecord(PlanDigest(row[0]), row[1], ProposalState(row[2]), *row[3:])
            for row in rows
        )

    def run(self, prefix: str) -> RunRecord:
        """The one run whose id starts with ``prefix``."""
        found = [record for record in self.runs() if record.run.startswith(prefix)]
        if len(found) != 1:
            raise UsageError(f"{len(found)} runs start with {prefix!r}; parley status lists them")
        return found[0]
