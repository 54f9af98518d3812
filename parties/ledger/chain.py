"""The hash chain in a ledger's file, and what is kept of the peers'. Under its caller's write lock.

Whatever moves a charge calls :func:`advance` in the same transaction.
"""

from __future__ import annotations

import sqlite3

from mpc.errors import IntegrityError, LedgerError, LedgerOutdated
from mpc.ports import ChainHead, Witness
from mpc.privacy.chain import EMPTY, ChainedCharge, next_head
from mpc.units import DeltaAtto, PartyId, PlanDigest, RhoPico, RunId

ACCEPTED = "accepted"
_STATES = {"computed": "reserved", "shared": "reserved", ACCEPTED: "forfeited"}
LEAP = 1 << 32
"""By how much accepting a loss moves the counter: beyond all that any peer can have seen."""


def head_of(connection: sqlite3.Connection) -> ChainHead:
    """Where the chain stands."""
    row = connection.execute(
        "SELECT counter, head FROM chain ORDER BY counter DESC LIMIT 1"
    ).fetchone()
    return EMPTY if row is None else ChainHead(row[0], row[1])


def advance(connection: sqlite3.Connection, run: RunId, step: str, now: int) -> None:
    """One more head, for ``step`` of the charge of ``run``."""
    row = connection.execute(
        "SELECT run, domain, plan_digest, event, rho, delta FROM charge WHERE run = ?", (run,)
    ).fetchone()
    head = next_head(head_of(connection), step, _charged(row))
    _append(connection, head, run, step, now)


def leap(connection: sqlite3.Connection, run: RunId, now: int) -> None:
    """The head after a loss was accepted by the charge of ``run``: far above all before."""
    head = head_of(connection)
    far = ChainHead(head.counter + LEAP, head.digest)
    row = connection.execute(
        "SELECT run, domain, plan_digest, event, rho, delta FROM charge WHERE run = ?", (run,)
    ).fetchone()
    _append(connection, next_head(far, ACCEPTED, _charged(row)), run, ACCEPTED, now)


def check_chain(connection: sqlite3.Connection) -> None:
    """Raises IntegrityError if a charge is not as the chain binds it: somebody changed the file.

    Who rewrites the whole chain too has other heads, which peers that saw the real ones find.
    """
    head, states = EMPTY, dict[str, str]()
    rows = connection.execute(
        "SELECT chain.counter, head, step, charge.run, domain, plan_digest, event, rho, delta"
        " FROM chain JOIN charge ON charge.run = chain.run ORDER BY counter"
    )
    for counter, digest, step, *row in rows:
        before = ChainHead(head.counter + LEAP, head.digest) if step == ACCEPTED else head
        head = next_head(before, step, _charged((row[0], *row[1:])))
        if head != ChainHead(counter, bytes(digest)):
            raise _changed(f"step {counter} of its chain does not follow from what it holds")
        states[row[0]] = _STATES.get(step, step)
    if head != head_of(connection):
        raise _changed("its chain has steps of charges that it does not hold")
    for run, state in connection.execute("SELECT run, state FROM charge ORDER BY rowid"):
        if states.get(run) != state:
            raise _changed(f"the charge of run {run[:12]} is {state} without a step of its chain")


def _changed(what: str) -> IntegrityError:
    return IntegrityError(
        f"the ledger was changed by something else than Parley: {what}",
        hint="put the latest copy of it back that is as Parley wrote it",
    )


def _charged(row: tuple[str, str, str, bytes, int, int]) -> ChainedCharge:
    run, domain, plan_digest, event, rho, delta = row
    return ChainedCharge(
        RunId(run), domain, PlanDigest(plan_digest), event, RhoPico(rho), DeltaAtto(delta)
    )


def _append(
    connection: sqlite3.Connection, head: ChainHead, run: RunId, step: str, now: int
) -> None:
    connection.execute(
        "INSERT INTO chain VALUES (?, ?, ?, ?, ?)", (head.counter, head.digest, run, step, now)
    )


def holds(connection: sqlite3.Connection, head: ChainHead) -> bool:
    """Whether the chain was ever at ``head``, or a loss was accepted that lies above it."""
    if head == EMPTY or head.counter < accepted_upto(connection):
        return True
    row = connection.execute("SELECT head FROM chain WHERE counter = ?", (head.counter,)).fetchone()
    return row is not None and bytes(row[0]) == head.digest


def accepted_upto(connection: sqlite3.Connection) -> int:
    """The counter of the last loss that the owner accepted; 0 if there is none."""
    row = connection.execute(
        "SELECT coalesce(max(counter), 0) FROM chain WHERE step = ?", (ACCEPTED,)
    ).fetchone()
    return int(row[0])


def evidence_of(connection: sqlite3.Connection) -> tuple[Witness, ...]:
    """What says that this file is an older copy; () if nothing does, or the loss was accepted."""
    rows = connection.execute(
        "SELECT party, counter, head, mark, ready FROM evidence WHERE counter >= ?"
        " ORDER BY counter DESC, party",
        (accepted_upto(connection),),
    )
    return tuple(_witness(row) for row in rows)


def check_latest(connection: sqlite3.Connection) -> None:
    """Raises LedgerOutdated if a peer showed that this file is an older copy."""
    evidence = evidence_of(connection)
    if evidence:
        seen = evidence[0]
        raise LedgerOutdated(
            f"this ledger is an older copy: {seen.party} has seen step {seen.head.counter} of it",
            hint="put the latest ledger back; if it is lost: parley budget accept-loss",
        )


def condemn(connection: sqlite3.Connection, witness: Witness, now: int) -> None:
    """Keep ``witness`` as evidence. Raises LedgerError if the chain holds its head."""
    if holds(connection, witness.head):
        raise LedgerError("a ledger that holds the head shown is no older copy")
    connection.execute(
        "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?)",
        (witness.party, witness.head.counter, witness.head.digest, witness.mark, witness.ready,
         now),
    )  # fmt: skip


def keep_witnesses(connection: sqlite3.Connection, run: RunId, shown: tuple[Witness, ...]) -> None:
    """Keep what peers showed in ``run``, where it is higher than what is kept."""
    for witness in shown:
        connection.execute(
            "INSERT INTO witness VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (party) DO UPDATE"
            " SET counter = excluded.counter, head = excluded.head, mark = excluded.mark,"
            " ready = excluded.ready, run = excluded.run WHERE excluded.counter > counter",
            (witness.party, witness.head.counter, witness.head.digest, witness.mark,
             witness.ready, run),
        )  # fmt: skip


def witnesses_of(connection: sqlite3.Connection) -> dict[PartyId, Witness]:
    """The highest mark of each peer."""
    rows = connection.execute("SELECT party, counter, head, mark, ready FROM witness")
    found = (_witness(row) for row in rows)
    return {witness.party: witness for witness in found}


def _witness(row: tuple[str, int, bytes, bytes, bytes]) -> Witness:
    party, counter, head, mark, ready = row
    return Witness(PartyId(party), ChainHead(counter, bytes(head)), bytes(mark), bytes(ready))
