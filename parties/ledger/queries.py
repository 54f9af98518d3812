"""What a ledger's transaction reads and decides. Each runs under the write lock of its caller."""

from __future__ import annotations

import sqlite3

from mpc.errors import BudgetRefusal
from mpc.ports import Balance, ChargeRequest, ChargeState
from mpc.units import Adjacency, DeltaAtto, ProtectedUnit, RhoPico, RunId
from parties.ledger.chain import advance
from parties.ledger.records import PartnerEntry, PartnerLimits

COUNTED = (
    "(state IN ('committed', 'forfeited') OR (state = 'reserved' AND (expires_unix_s > ?"
    " OR computed_unix_s IS NULL OR shared_unix_s IS NOT NULL)))"
)
"""What counts against a cap at the time that is its one parameter: spent or held."""

_BALANCE = (
    "SELECT state = 'reserved' AND expires_unix_s > ? AS held, sum(rho), sum(delta)"  # noqa: S608
    f" FROM charge WHERE domain = ? AND {COUNTED} GROUP BY held"
)


def state_of(connection: sqlite3.Connection, run: RunId) -> ChargeState | None:
    """The state of ``run``'s charge, or None."""
    row = connection.execute("SELECT state FROM charge WHERE run = ?", (run,)).fetchone()
    return None if row is None else ChargeState(row[0])


def balance_of(connection: sqlite3.Connection, domain: str, now: int) -> Balance:
    """Caps, spent and held sums of ``domain``; what expired by ``now`` is settled as a failure.

    Raises BudgetRefusal if there is no such domain.
    """
    caps = connection.execute(
        "SELECT rho_cap, delta_cap FROM domain WHERE name = ?", (domain,)
    ).fetchone()
    if caps is None:
        raise BudgetRefusal(
            f"no privacy domain {domain!r} has been given a budget",
            hint="its owner creates it, with a cap",
        )
    sums = {
        held: (rho, delta) for held, rho, delta in connection.execute(_BALANCE, (now, domain, now))
    }
    spent, reserved = sums.get(0, (0, 0)), sums.get(1, (0, 0))
    return Balance(
        domain=domain,
        rho_cap=RhoPico(caps[0]),
        delta_cap=DeltaAtto(caps[1]),
        rho_spent=RhoPico(spent[0]),
        delta_spent=DeltaAtto(spent[1]),
        rho_reserved=RhoPico(reserved[0]),
        delta_reserved=DeltaAtto(reserved[1]),
    )


def charged_rho(connection: sqlite3.Connection, request: ChargeRequest) -> RhoPico:
    """The request's rho for its domain's own unit: what the study protects may be weaker.

    Raises BudgetRefusal if there is no such domain, or delta would have to be converted too.
    """
    row = connection.execute(
        "SELECT unit_rows_max, unit_adjacency FROM domain WHERE name = ?", (request.terms.domain,)
    ).fetchone()
    if row is None:
        raise BudgetRefusal(
            f"no privacy domain {request.terms.domain!r} has been given a budget",
            hint="its owner creates it, with a cap",
        )
    factor = request.terms.unit.rho_factor(ProtectedUnit(row[0], Adjacency(row[1])))
    if factor > 1 and request.delta > 0:
        raise BudgetRefusal(
            f"privacy domain {request.terms.domain!r} protects a stronger unit than the study, "
            "and a delta is not converted",
            hint="let the study protect the domain's unit",
        )
    return RhoPico(request.rho * factor)


CALLED_OFF = "CASE WHEN shared_unix_s IS NULL THEN 'released' ELSE 'forfeited' END"
"""What a reservation becomes if somebody orders its run's end."""

FAILED = f"CASE WHEN computed_unix_s IS NULL THEN 'forfeited' ELSE {CALLED_OFF} END"
"""What it becomes if its run ends without anybody's order."""


def fail_expired(connection: sqlite3.Connection, now: int) -> None:
    """Settle what nobody committed in time, as a failure of its run."""
    expired = connection.execute(
        "SELECT run FROM charge WHERE state = 'reserved' AND expires_unix_s <= ? ORDER BY rowid",
        (now,),
    ).fetchall()
    for (run,) in expired:
        settle(connection, RunId(run), FAILED, now)


def settle(connection: sqlite3.Connection, run: RunId, state: str, now: int) -> bool:
    """Move ``run`` from reserved to ``state``, SQL of this module; False if it was not reserved."""
    moved = connection.execute(
        f"UPDATE charge SET state = {state}, settled_unix_s = ?"  # noqa: S608 - constants
        " WHERE run = ? AND state = 'reserved' RETURNING state",
        (now, run),
    ).fetchall()
    if moved:
        advance(connection, run, moved[0][0], now)
    return bool(moved)


def partners_of(
    connection: sqlite3.Connection, limits: PartnerLimits, now: int
) -> tuple[PartnerEntry, ...]:
    """Every partner that was ever charged. What expired by ``now`` counts as settled already."""
    rows = connection.execute(
        "SELECT partner, count(*) FILTER (WHERE state = 'reserved' AND expires_unix_s > ?),"
        " count(*) FILTER (WHERE (state = 'released' AND settled_unix_s > ?)"
        " OR (state = 'reserved' AND expires_unix_s <= ? AND computed_unix_s IS NOT NULL"
        " AND shared_unix_s IS NULL))"
        " FROM charge WHERE partner <> '' GROUP BY partner ORDER BY partner",
        (now, now - limits.aborts_window_s, now),
    )
    return tuple(PartnerEntry(*row) for row in rows)


def check_partner(
    connection: sqlite3.Connection, partner: str, limits: PartnerLimits, now: int
) -> None:
    """Raises BudgetRefusal if ``partner`` holds, or aborted, too many reservations."""
    outstanding, aborts = connection.execute(
        "SELECT count(*) FILTER (WHERE state = 'reserved'),"
        " count(*) FILTER (WHERE state = 'released' AND settled_unix_s > ?)"
        " FROM charge WHERE partner = ?",
        (now - limits.aborts_window_s, partner),
    ).fetchone()
    if outstanding >= limits.reserved_max:
        raise BudgetRefusal(
            f"{partner} has {outstanding} studies under way here, as many as are allowed",
            hint="wait until one ends",
        )
    if aborts >= limits.aborts_max:
        raise BudgetRefusal(
            f"{aborts} studies of {partner} were aborted here within "
            f"{limits.aborts_window_s} s, as many as are allowed",
            hint="wait, or ask the owner",
        )
