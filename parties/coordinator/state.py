"""What the coordinator remembers of each run, in SQLite: enough to finish or report it later.

A run is written down before any party starts it, and before their workers meet with everything a
receipt needs but the shares; a coordinator that was killed can then collect what the parties
committed, or say what became of the study.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mpc.errors import (
    AwaitingApproval,
    BudgetRefusal,
    ParleyError,
    PolicyRefusal,
    StudyAborted,
    UsageError,
)
from mpc.ports import Clock
from mpc.units import PartyId, PlanDigest, RunId
from parties.coordinator import prepared_runs
from parties.coordinator.prepared_runs import PreparedRuns
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
CREATE TABLE IF NOT EXISTS charge (
    run TEXT PRIMARY KEY,
    charged TEXT NOT NULL
) STRICT;
"""


class RunState(StrEnum):
    """What became of a run."""

    STARTED = "started"  # parties were told to start; may have committed
    RELEASED = "released"  # all shares collected, receipt stored
    FAILED = "failed"  # ended without a result
    CANCELLED = "cancelled"  # so too, since whoever ran it stopped it


class Charged(StrEnum):
    """Whether parties charged a run, as far as they could be asked."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RunRecord:
    """One attempt at one plan. ``agreement`` is canonical: study, roster, approvals, Hellos.

    It is empty until the workers of all parties are there; until they are connected, which is
    after that, nobody reserves anything.
    """

    run: RunId
    plan_digest: PlanDigest
    study: str
    state: RunState
    started_at: int
    ended_at: int
    problem: str
    agreement: bytes
    receipt: bytes | None
    charged: Charged


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

    def to_plain(self) -> dict[str, object]:
        """The same for ``--json``."""
        return {**asdict(self), "state": self.state.value}


class CoordinatorState:
    """The coordinator's database (WAL, synchronous=FULL), mode 0600."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, _TABLES + prepared_runs.TABLES)
        self._clock = clock
        self.prepared = PreparedRuns(self._database, clock)

    def begin(
        self, run: RunId, plan_digest: PlanDigest, study: str, agreement: bytes = b""
    ) -> None:
        """Write a run down before any party starts it; its plan is no open proposal any more.

        If it was prepared, that is used from now on, whatever becomes of the run. Raises UsageError
        if the run is known.
        """
        with self._database.transaction() as database:
            try:
                database.execute(
                    "INSERT INTO run (run, plan_digest, study, state, started_at, agreement)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (run, plan_digest, study, RunState.STARTED, self._clock.unix_s(), agreement),
                )
            except sqlite3.IntegrityError:
                raise UsageError(f"run {run[:12]} was begun before") from None
            prepared_runs.mark_used(database, run)
            database.execute("DELETE FROM proposal WHERE plan_digest = ?", (plan_digest,))

    def agreed(self, run: RunId, agreement: bytes) -> None:
        """Write down what a receipt needs, before the workers are connected."""
        with self._database.transaction() as database:
            kept = database.execute(
                "UPDATE run SET agreement = ? WHERE run = ? AND state = ?",
                (agreement, run, RunState.STARTED),
            )
            if kept.rowcount != 1:
                raise StudyAborted(f"run {run[:12]} was given up meanwhile by parley status")

    def released(self, run: RunId, receipt: bytes) -> None:
        """The run's result is known: store its receipt. The first receipt stays."""
        self._end(run, RunState.RELEASED, "", receipt)

    def failed(self, run: RunId, problem: str) -> None:
        """The run ended without a result."""
        self._end(run, RunState.FAILED, problem, None)

    def cancelled(self, run: RunId, problem: str) -> None:
        """The run ended without a result, since whoever ran it stopped it."""
        self._end(run, RunState.CANCELLED, problem, None)

    def left_open(self, run: RunId, problem: str) -> None:
        """Why a run ended here that a party may yet have committed."""
        with self._database.transaction() as database:
            database.execute(
                "UPDATE run SET problem = ? WHERE run = ? AND state = ?",
                (problem, run, RunState.STARTED),
            )

    def charged(self, run: RunId, charged: Charged) -> None:
        """Whether parties charged a run that has no result."""
        with self._database.transaction() as database:
            database.execute("INSERT OR REPLACE INTO charge VALUES (?, ?)", (run, charged))

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
                "SELECT run.run, plan_digest, study, state, started_at, ended_at, problem,"
                " agreement, receipt, charge.charged"
                " FROM run LEFT JOIN charge ON charge.run = run.run"
                " WHERE ? IS NULL OR plan_digest = ? ORDER BY started_at DESC, run.rowid DESC",
                (plan_digest, plan_digest),
            ).fetchall()
        return tuple(_record(row) for row in rows)

    @contextmanager
    def remembering(
        self, plan_digest: PlanDigest, study: str, waiting: Waiting
    ) -> Iterator[Waiting]:
        """Keep what parties say while the body asks them, until a run of the plan begins.

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
        self._propose(plan_digest, study, ProposalState.PROPOSED, "all agreed; no run was begun")

    def answered(self, plan_digest: PlanDigest) -> None:
        """A plan's earlier result answers it: it is no open proposal."""
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
        """Plans that wait for a party or were refused, and were not run since; newest first."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT plan_digest, study, state, said, asked_at FROM proposal WHERE NOT EXISTS"
                " (SELECT 1 FROM run WHERE run.plan_digest = proposal.plan_digest"
                " AND run.started_at > asked_at) ORDER BY asked_at DESC, rowid DESC"
            ).fetchall()
        return tuple(
            ProposalRecord(PlanDigest(row[0]), row[1], ProposalState(row[2]), *row[3:])
            for row in rows
        )

    def proposal(self, plan_digest: PlanDigest) -> ProposalRecord | None:
        """How far a plan came that was proposed and has no run since, or None."""
        found = (each for each in self.proposals() if each.plan_digest == plan_digest)
        return next(found, None)

    def run(self, prefix: str) -> RunRecord:
        """The one run whose id starts with ``prefix``."""
        found = [record for record in self.runs() if record.run.startswith(prefix)]
        if len(found) != 1:
            raise UsageError(f"{len(found)} runs start with {prefix!r}; parley status lists them")
        return found[0]


def _record(row: Sequence[Any]) -> RunRecord:
    state = RunState(row[3])
    known = Charged.YES if state is RunState.RELEASED else Charged(row[9] or Charged.UNKNOWN)
    return RunRecord(
        run=RunId(row[0]),
        plan_digest=PlanDigest(row[1]),
        study=row[2],
        state=state,
        started_at=row[4],
        ended_at=row[5],
        problem=row[6],
        agreement=row[7],
        receipt=row[8],
        charged=known,
    )
