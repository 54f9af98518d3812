"""What this node was asked and what it promised: requests for a person, and approval nonces.

An approval is used up by the first start that carries it: its nonce moves from open to used once,
in the database, so a replayed start finds it gone. Requests wait for a person at the party to
approve or refuse them (``parley requests``); the coordinator asks again until one did.

Whose yes it is counts at the start, not only when it was signed: a person's starts nothing once it
was taken back, and the policy's own starts nothing once a person decides here. What a person
refused stays refused until it is reconsidered, whoever decides by then.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mpc.errors import Busy, IntegrityError, UsageError
from mpc.ports import Clock
from mpc.units import PartyId, PlanDigest, RunId
from parties.database import Database
from parties.node.request_tables import TABLES

REQUESTS_PENDING_MAX = 20  # of one coordinator
APPROVALS_OPEN_MAX = 100  # of one coordinator, one a plan
POLICY = "policy"
"""What approvals call a policy's own yes; no person may decide under this name."""

RECONSIDER = "parley requests reconsider takes a decision back until a run has used it"


class RequestState(StrEnum):
    """Where a request for a person stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    USED = "used"  # approved, and started once; another run has to be asked for anew


@dataclass(frozen=True)
class Request:
    """A plan that a person at this party has to decide on, or has decided."""

    plan_digest: PlanDigest
    study: str
    asked_by: str
    asked_at: int
    state: RequestState
    summary: str
    decided_by: str
    decided_at: int
    reason: str


@dataclass(frozen=True)
class Decision:
    """One decision as it was made: approved, refused, or taken back (``pending`` again).

    ``run`` is the one that used an approval up, if any did.
    """

    state: RequestState
    decided_by: str
    decided_at: int
    reason: str
    run: RunId | None = None


@dataclass(frozen=True)
class BegunRun:
    """A run that used up an approval of this party."""

    run: RunId
    plan_digest: PlanDigest
    coordinator: PartyId
    domain: str


class RequestStore:
    """Requests and approvals of one node, in SQLite (WAL, synchronous=FULL), mode 0600."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, TABLES)
        self._clock = clock

    def ask(
        self, plan_digest: PlanDigest, study: str, asked_by: str, summary: str, valid_s: int
    ) -> Request:
        """The request for this plan, made now if it is new, or its approval was used or is old.

        A person's yes holds for ``valid_s`` seconds.

        Asking again otherwise changes nothing.
        """
        with self._database.transaction() as database:
            pending = database.execute(
                "SELECT count(*) FROM request"
                " WHERE state = ? AND plan_digest != ? AND asked_by = ?",
                (RequestState.PENDING, plan_digest, asked_by),
            ).fetchone()[0]
            if pending >= REQUESTS_PENDING_MAX:
                raise Busy(f"{pending} of its requests wait for a decision here already")
            database.execute(
                "INSERT OR IGNORE INTO request (plan_digest, study, asked_by, asked_at, state,"
                " summary) VALUES (?, ?, ?, ?, ?, ?)",
                (plan_digest, study, asked_by, self._clock.unix_s(), RequestState.PENDING, summary),
            )
            database.execute(
                "UPDATE request SET state = ? WHERE plan_digest = ? AND state = ?"
                " AND decided_at <= ?",
                (
                    RequestState.USED,
                    plan_digest,
                    RequestState.APPROVED,
                    self._clock.unix_s() - valid_s,
                ),
            )
            database.execute(
                "UPDATE request SET state = ?, asked_by = ?, asked_at = ?, summary = ?,"
                " decided_by = '',"
                " decided_at = 0, reason = '' WHERE plan_digest = ? AND state = ?",
                (
                    RequestState.PENDING,
                    asked_by,
                    self._clock.unix_s(),
                    summary,
                    plan_digest,
                    RequestState.USED,
                ),
            )
            return self._get(database, plan_digest)

    def list(self, state: RequestState | None = None) -> tuple[Request, ...]:
        """All requests, newest first."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT plan_digest FROM request ORDER BY asked_at DESC, plan_digest"
            ).fetchall()
            found = tuple(self._get(database, row[0]) for row in rows)
        return tuple(each for each in found if state is None or each.state is state)

    def decide(
        self, plan_digest: PlanDigest, state: RequestState, decided_by: str, reason: str
    ) -> Request:
        """A person's decision, once; a second one is refused until it is reconsidered.

        After a refusal no approval that was signed before starts anything, the policy's neither.
        """
        with self._database.transaction() as database:
            changed = database.execute(
                "UPDATE request SET state = ?, decided_by = ?, decided_at = ?, reason = ?"
                " WHERE plan_digest = ? AND state = ?",
                (
                    state,
                    decided_by,
                    self._clock.unix_s(),
                    reason,
                    plan_digest,
                    RequestState.PENDING,
                ),
            ).rowcount
            request = self._get(database, plan_digest)
            if not changed:
                raise UsageError(
                    f"request {plan_digest[:12]} is {request.state} already", hint=RECONSIDER
                )
            if state is RequestState.REFUSED:
                _withdraw(database, plan_digest)
            _record(database, request.plan_digest, _decision_of(request))
            return request

    def refused(self, plan_digest: PlanDigest) -> Request | None:
        """The request for this plan, if a person's refusal of it stands."""
        with self._database.transaction() as database:
            return self._get(database, plan_digest) if _refuses(database, plan_digest) else None

    def reconsider(self, plan_digest: PlanDigest, taken_back_by: str, reason: str) -> Request:
        """Take back a decision that no run has used: the request waits for a person again.

        No approval that was signed for it starts anything from now on, the policy's neither. What
        was decided, and that it was taken back, by whom and why, stays among its :meth:`decisions`.
        Raises UsageError if the request is pending, or its approval was used.
        """
        with self._database.transaction() as database:
            request = self._get(database, plan_digest)
            if request.state not in (RequestState.APPROVED, RequestState.REFUSED):
                raise UsageError(
                    f"request {plan_digest[:12]} is {request.state}; nothing can be taken back"
                )
            database.execute(
                "UPDATE request SET state = ?, decided_by = '', decided_at = 0, reason = ''"
                " WHERE plan_digest = ?",
                (RequestState.PENDING, plan_digest),
            )
            _withdraw(database, plan_digest)
            _record(
                database,
                plan_digest,
                Decision(RequestState.PENDING, taken_back_by, self._clock.unix_s(), reason),
            )
            return self._get(database, plan_digest)

    def decisions(self, plan_digest: PlanDigest) -> tuple[Decision, ...]:
        """Every decision on this plan, also those taken back, the oldest first."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT state, decided_by, decided_at, reason FROM decision WHERE plan_digest = ?"
                " ORDER BY rowid",
                (plan_digest,),
            ).fetchall()
            used = dict(
                database.execute(
                    "SELECT decision, run FROM used WHERE plan_digest = ?", (plan_digest,)
                ).fetchall()
            )
        return tuple(
            Decision(RequestState(state), by, at, reason, used.get(number))
            for number, (state, by, at, reason) in enumerate(rows, start=1)
        )

    @staticmethod
    def _get(database: sqlite3.Connection, plan_digest: str) -> Request:
        row = database.execute(
            "SELECT plan_digest, study, asked_by, asked_at, state, summary, decided_by,"
            " decided_at, reason FROM request WHERE plan_digest = ?",
            (plan_digest,),
        ).fetchone()
        if row is None:
            raise UsageError("no such request here", hint="parley requests list shows them")
        digest, study, asked_by, asked_at, state, summary, decided_by, decided_at, reason = row
        return Request(
            plan_digest=PlanDigest(digest),
            study=study,
            asked_by=asked_by,
            asked_at=asked_at,
            state=RequestState(state),
            summary=summary,
            decided_by=decided_by,
            decided_at=decided_at,
            reason=reason,
        )

    def promise(
        self,
        nonce: str,
        plan_digest: PlanDigest,
        coordinator: PartyId,
        approved_by: str,
        expires_at: int,
    ) -> None:
        """Remember an approval that is about to be sent, instead of the plan's earlier open one.

        Raises IntegrityError if it is of a person who does not approve the plan (any more), or of
        the policy while a person refuses it, and Busy if too many of this coordinator's are open.
        """
        with self._database.transaction() as database:
            if _refuses(database, plan_digest) or not (
                approved_by == POLICY or _approves(database, approved_by, plan_digest)
            ):
                raise IntegrityError(
                    "the decision on this plan was just taken back, or it was refused",
                    hint="propose the plan again",
                )
            database.execute(
                "DELETE FROM promised WHERE used = 0 AND (expires_at <= ?"
                " OR (plan_digest = ? AND coordinator = ?))",
                (self._clock.unix_s(), plan_digest, coordinator),
            )
            open_now = database.execute(
                "SELECT count(*) FROM promised WHERE used = 0 AND coordinator = ?", (coordinator,)
            ).fetchone()[0]
            if open_now >= APPROVALS_OPEN_MAX:
                raise Busy(f"{open_now} approvals for it wait for a start here already")
            database.execute(
                "INSERT INTO promised (nonce, plan_digest, coordinator, approved_by, expires_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (nonce, plan_digest, coordinator, approved_by, expires_at),
            )

    def use_up(self, nonce: str, begun: BegunRun, *, manual: bool) -> str:
        """Use the approval's nonce for a run, once and for ever; returns who approved.

        Raises IntegrityError if it is unknown here, for another plan or coordinator, expired, used,
        replaced by a later one, or taken back by the person who gave it; and if it is the policy's
        own while the policy now is ``manual``.
        """
        with self._database.transaction() as database:
            approver = self._approver(database, nonce, begun, manual=manual)
            database.execute("UPDATE promised SET used = 1 WHERE nonce = ?", (nonce,))
            database.execute(
                "INSERT INTO run (run, plan_digest, coordinator, domain) VALUES (?, ?, ?, ?)",
                (begun.run, begun.plan_digest, begun.coordinator, begun.domain),
            )
            if approver != POLICY:
                database.execute(
                    "INSERT INTO used SELECT ?, ?, count(*) FROM decision WHERE plan_digest = ?",
                    (begun.run, begun.plan_digest, begun.plan_digest),
                )
            database.execute(
                "UPDATE request SET state = ? WHERE plan_digest = ? AND state = ?",
                (RequestState.USED, begun.plan_digest, RequestState.APPROVED),
            )
            database.execute(
                "DELETE FROM promised WHERE used = 0 AND plan_digest = ? AND approved_by = ?"
                " AND approved_by != ?",
                (begun.plan_digest, approver, POLICY),
            )
        return approver

    def check_open(self, nonce: str, begun: BegunRun, *, manual: bool) -> None:
        """Raise what :meth:`use_up` would, and use nothing up."""
        with self._database.transaction() as database:
            self._approver(database, nonce, begun, manual=manual)

    def _approver(
        self, database: sqlite3.Connection, nonce: str, begun: BegunRun, *, manual: bool
    ) -> str:
        row = database.execute(
            "SELECT approved_by FROM promised WHERE nonce = ? AND plan_digest = ?"
            " AND coordinator = ? AND used = 0 AND expires_at > ?",
            (nonce, begun.plan_digest, begun.coordinator, self._clock.unix_s()),
        ).fetchone()
        if row is not None and row[0] == POLICY and manual:
            raise IntegrityError(
                "a person decides here now; what the policy approved before starts nothing",
                hint="propose the plan again",
            )
        if row is None or not (row[0] == POLICY or _approves(database, row[0], begun.plan_digest)):
            raise IntegrityError(
                "this party's approval is unknown, expired, or was used by an earlier start",
                hint="propose the plan again",
            )
        return str(row[0])

    def runs_of(self, plan_digest: PlanDigest) -> tuple[RunId, ...]:
        """Every run that was started here for this plan, the latest first."""
        with self._database.transaction() as database:
            rows = database.execute(
                "SELECT run FROM run WHERE plan_digest = ? ORDER BY rowid DESC", (plan_digest,)
            ).fetchall()
        return tuple(RunId(row[0]) for row in rows)

    def begun(self, run: str) -> BegunRun | None:
        """Who started ``run`` here and what it spends from, or None if nobody did."""
        with self._database.transaction() as database:
            row = database.execute(
                "SELECT run, plan_digest, coordinator, domain FROM run WHERE run = ?", (run,)
            ).fetchone()
        if row is None:
            return None
        return BegunRun(RunId(row[0]), PlanDigest(row[1]), PartyId(row[2]), str(row[3]))


def _approves(database: sqlite3.Connection, person: str, plan_digest: PlanDigest) -> bool:
    """Whether the plan's request stands approved by ``person``."""
    row = database.execute(
        "SELECT 1 FROM request WHERE plan_digest = ? AND state = ? AND decided_by = ?",
        (plan_digest, RequestState.APPROVED, person),
    ).fetchone()
    return row is not None


def _refuses(database: sqlite3.Connection, plan_digest: PlanDigest) -> bool:
    """Whether a person's refusal of the plan stands, whoever decides here now."""
    row = database.execute(
        "SELECT 1 FROM request WHERE plan_digest = ? AND state = ?",
        (plan_digest, RequestState.REFUSED),
    ).fetchone()
    return row is not None


def _withdraw(database: sqlite3.Connection, plan_digest: PlanDigest) -> None:
    """Whatever was promised for the plan and not used starts nothing from now on."""
    database.execute("DELETE FROM promised WHERE used = 0 AND plan_digest = ?", (plan_digest,))


def _decision_of(request: Request) -> Decision:
    return Decision(request.state, request.decided_by, request.decided_at, request.reason)


def _record(database: sqlite3.Connection, plan_digest: PlanDigest, made: Decision) -> None:
    database.execute(
        "INSERT INTO decision VALUES (?, ?, ?, ?, ?)",
        (plan_digest, made.state, made.decided_by, made.decided_at, made.reason),
    )
