"""Privacy domains of a ledger: their terms, caps and bounds. Under its caller's write lock."""

from __future__ import annotations

import json
import sqlite3

from mpc.canonical import canonical_bytes
from mpc.errors import BudgetRefusal, LedgerError
from mpc.ports import ChargeTerms
from mpc.units import DELTA_UNIT, ProtectedUnit, RhoPico, rho_text
from parties.ledger.queries import COUNTED
from parties.ledger.records import MONTH_S, CapEntry, DomainBounds, DomainUsage

CURRENCY = "zcdp"
RHO_CAP_MAX = 10**18  # pico: rho of a million

_MONTHLY = (
    f"SELECT coalesce(sum(rho), 0) FROM charge WHERE domain = ? AND {COUNTED}"  # noqa: S608
    " AND reserved_unix_s > ?"
)
_PARTNERS = (
    "SELECT name, sum(rho) FROM ("  # noqa: S608 - constants
    f" SELECT partner AS name, rho FROM charge WHERE domain = ? AND {COUNTED}"
    " UNION ALL SELECT lead_organization, rho FROM charge"
    f" WHERE domain = ? AND {COUNTED} AND lead_organization <> partner"
    ") WHERE name <> '' GROUP BY name ORDER BY name"
)


def check_caps(rho_cap: int, delta_cap: int) -> None:
    """Raises LedgerError if no domain may have these caps."""
    if not 0 <= rho_cap <= RHO_CAP_MAX or not 0 <= delta_cap < DELTA_UNIT:
        raise LedgerError("a cap lies between 0 and a rho of 10^6, and 0 and a delta of 1")


def create(connection: sqlite3.Connection, unit: ProtectedUnit, first: CapEntry) -> None:
    """A domain with its ``first`` caps. Raises LedgerError if it was created on other terms."""
    name, caps = first.domain, (first.rho_cap, first.delta_cap)
    terms = (CURRENCY, unit.rows_max, unit.adjacency.value)
    known = connection.execute(
        "SELECT currency, unit_rows_max, unit_adjacency FROM domain WHERE name = ?", (name,)
    ).fetchone()
    if known is not None:
        began = connection.execute(
            "SELECT rho_cap, delta_cap FROM cap WHERE domain = ? ORDER BY number", (name,)
        ).fetchone()
        if known != terms or began != caps:
            raise LedgerError(f"privacy domain {name!r} was created on other terms")
        return
    connection.execute("INSERT INTO domain VALUES (?, ?, ?, ?, ?, ?)", (name, *terms, *caps))
    _record(connection, first)


def set_cap(connection: sqlite3.Connection, cap: CapEntry) -> None:
    """Change the caps of a domain that is there; its history says who did and why."""
    connection.execute(
        "UPDATE domain SET rho_cap = ?, delta_cap = ? WHERE name = ?",
        (cap.rho_cap, cap.delta_cap, cap.domain),
    )
    _record(connection, cap)


def _record(connection: sqlite3.Connection, cap: CapEntry) -> None:
    connection.execute(
        "INSERT INTO cap (domain, unix_s, rho_cap, delta_cap, set_by, reason)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (cap.domain, cap.unix_s, cap.rho_cap, cap.delta_cap, cap.set_by, cap.reason),
    )


def caps_of(connection: sqlite3.Connection, domain: str) -> tuple[CapEntry, ...]:
    """Every cap that ``domain`` ever had, oldest first."""
    rows = connection.execute(
        "SELECT domain, unix_s, rho_cap, delta_cap, set_by, reason FROM cap"
        " WHERE domain = ? ORDER BY number",
        (domain,),
    )
    return tuple(CapEntry(*row) for row in rows)


def bounds_of(connection: sqlite3.Connection, domain: str) -> DomainBounds:
    """What binds charges of ``domain`` beside its cap: what was set last, else nothing."""
    row = connection.execute(
        "SELECT monthly_rho, partners FROM bounds WHERE domain = ? ORDER BY number DESC LIMIT 1",
        (domain,),
    ).fetchone()
    if row is None:
        return DomainBounds()
    partners = {name: RhoPico(rho) for name, rho in json.loads(row[1]).items()}
    return DomainBounds(None if row[0] is None else RhoPico(row[0]), partners)


def set_bounds(
    connection: sqlite3.Connection, domain: str, bounds: DomainBounds, set_by: str, now: int
) -> None:
    """``bounds`` bind from now on; what bound before stays on record."""
    connection.execute(
        "INSERT INTO bounds (domain, unix_s, monthly_rho, partners, set_by) VALUES (?, ?, ?, ?, ?)",
        (domain, now, bounds.monthly_rho, canonical_bytes(dict(bounds.partners)).decode(), set_by),
    )


def usage_of(connection: sqlite3.Connection, domain: str, now: int) -> DomainUsage:
    """What is spent or held of ``domain`` within the last 30 days, and of it for each partner."""
    (monthly,) = connection.execute(_MONTHLY, (domain, now, now - MONTH_S)).fetchone()
    rows = connection.execute(_PARTNERS, (domain, now, domain, now))
    return DomainUsage(RhoPico(monthly), {name: RhoPico(rho) for name, rho in rows})


def check_bounds(
    connection: sqlite3.Connection, terms: ChargeTerms, rho: RhoPico, now: int
) -> None:
    """Raises BudgetRefusal if ``rho`` exceeds what is left of the 30 days' or the partner's cap."""
    bounds = bounds_of(connection, terms.domain)
    usage = usage_of(connection, terms.domain, now)
    if bounds.monthly_rho is not None and rho > bounds.monthly_rho - usage.monthly_rho:
        raise _beyond(terms, rho, "within 30 days", "wait, or ask less")
    for name in bounds.binding(terms.partner, terms.lead_organization):
        if rho > bounds.partners[name] - usage.partner_rho(name):
            raise _beyond(terms, rho, f"for {name}", "ask less")


def _beyond(terms: ChargeTerms, rho: RhoPico, what: str, hint: str) -> BudgetRefusal:
    return BudgetRefusal(
        f"privacy domain {terms.domain!r} has too little left {what} for study {terms.study!r},"
        f" which costs rho {rho_text(rho)} there",
        hint=f"{hint}; a refused request consumes nothing",
    )
