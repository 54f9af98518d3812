"""A party's privacy budget and outbox in one SQLite file: :class:`mpc.ports.Ledger`.

One cap a privacy domain, in zCDP, enforced as a filter: a charge is taken only if all that was
committed or is reserved, plus it, stays within the cap, whatever was asked before and why (the
adaptive composition of Whitehouse et al. 2023, "Fully Adaptive Composition"). A refused request
consumes nothing, so a cheaper one may follow. Several processes may open the file at once.
"""

from __future__ import annotations

from pathlib import Path

from mpc.errors import BudgetRefusal, LedgerError
from mpc.ports import Balance, ChainHead, ChargeRequest, ChargeState, Clock, Witness
from mpc.units import (
    DELTA_UNIT,
    Adjacency,
    DeltaAtto,
    PartyId,
    ProtectedUnit,
    RhoPico,
    RunId,
    rho_text,
)
from parties.database import Database
from parties.ledger.chain import (
    advance,
    check_chain,
    check_latest,
    condemn,
    evidence_of,
    head_of,
    holds,
    keep_witnesses,
    witnesses_of,
)
from parties.ledger.domains import (
    bounds_of,
    caps_of,
    check_bounds,
    check_caps,
    create,
    set_bounds,
    set_cap,
    usage_of,
)
from parties.ledger.queries import (
    CALLED_OFF,
    FAILED,
    balance_of,
    charged_rho,
    check_partner,
    fail_expired,
    partners_of,
    settle,
    state_of,
)
from parties.ledger.records import (
    CapEntry,
    ChargeEntry,
    DomainBounds,
    DomainUsage,
    History,
    PartnerEntry,
    PartnerLimits,
)
from parties.ledger.recovery import accept_loss
from parties.ledger.tables import TABLES

MESSAGE_BYTES_MAX = 64 << 20


class SqliteLedger:
    """The ledger of one party. Every method's effect is on disk when it returns."""

    def __init__(self, path: Path, clock: Clock, limits: PartnerLimits) -> None:
        """Open ``path`` (mode 0600), made if absent."""
        self._database = Database(path, TABLES)
        self._clock = clock
        self._limits = limits

    def create_domain(
        self,
        name: str,
        unit: ProtectedUnit,
        rho_cap: RhoPico,
        delta_cap: DeltaAtto,
        created_by: str,
    ) -> None:
        """Open a budget for one population of people, in zCDP, for ever.

        ``unit`` is the strongest that any study will protect. Calling again with the same terms
        and first caps changes nothing; with others it raises LedgerError.
        """
        check_caps(rho_cap, delta_cap)
        now = self._clock.unix_s()
        first = CapEntry(name, now, rho_cap, delta_cap, created_by, "created")
        with self._database.transaction() as connection:
            create(connection, unit, first)

    def set_cap(
        self, name: str, rho_cap: RhoPico, delta_cap: DeltaAtto, set_by: str, reason: str
    ) -> None:
        """Give a domain more budget or less from now on; its history says who did and why.

        Below what is spent already, nothing more is taken. Raises BudgetRefusal if there is no
        such domain.
        """
        check_caps(rho_cap, delta_cap)
        if not set_by or not reason:
            raise LedgerError("a cap is set by somebody, for a reason")
        now = self._clock.unix_s()
        with self._database.transaction() as connection:
            balance_of(connection, name, now)
            set_cap(connection, CapEntry(name, now, rho_cap, delta_cap, set_by, reason))

    def set_bounds(self, name: str, bounds: DomainBounds, set_by: str) -> None:
        """What binds a domain's charges beside its cap, from now on. Unchanged, it is not recorded.

        Raises BudgetRefusal if there is no such domain.
        """
        for rho in (bounds.monthly_rho or RhoPico(0), *bounds.partners.values()):
            check_caps(rho, 0)
        now = self._clock.unix_s()
        with self._database.transaction() as connection:
            balance_of(connection, name, now)
            if bounds != bounds_of(connection, name):
                set_bounds(connection, name, bounds, set_by, now)

    def bounds(self, domain: str) -> DomainBounds:
        """What binds the domain's charges beside its cap."""
        with self._database.transaction() as connection:
            return bounds_of(connection, domain)

    def usage(self, domain: str) -> DomainUsage:
        """What is spent or held of what :meth:`bounds` bound."""
        with self._database.transaction() as connection:
            return usage_of(connection, domain, self._clock.unix_s())

    def unit(self, domain: str) -> ProtectedUnit | None:
        """Whom the domain's budget protects, for ever; None if there is no such domain."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT unit_rows_max, unit_adjacency FROM domain WHERE name = ?", (domain,)
            ).fetchone()
        return None if row is None else ProtectedUnit(int(row[0]), Adjacency(row[1]))

    def domains(self) -> dict[str, ProtectedUnit]:
        """Every domain that was ever created, and whom it protects."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT name, unit_rows_max, unit_adjacency FROM domain ORDER BY name"
            ).fetchall()
        return {str(row[0]): ProtectedUnit(int(row[1]), Adjacency(row[2])) for row in rows}

    def partners(self) -> tuple[PartnerEntry, ...]:
        """What every partner holds here, and its aborts within the limits' window."""
        with self._database.transaction() as connection:
            return partners_of(connection, self._limits, self._clock.unix_s())

    def balance(self, domain: str) -> Balance:
        """Caps, spent and held. Raises BudgetRefusal if there is no such domain."""
        with self._database.transaction() as connection:
            return balance_of(connection, domain, self._clock.unix_s())

    def history(self, domain: str) -> History:
        """Every cap and every charge of ``domain``, oldest first. For its owner alone."""
        with self._database.transaction() as connection:
            caps = caps_of(connection, domain)
            charges = connection.execute(
                "SELECT run, domain, plan_digest, study, partner, coordinator, lead,"
                " lead_organization, purpose, approved_by, event, rho, delta, state,"
                " reserved_unix_s, expires_unix_s, settled_unix_s FROM charge"
                " WHERE domain = ? ORDER BY rowid",
                (domain,),
            ).fetchall()
        return History(
            caps=caps,
            charges=tuple(
                ChargeEntry(*(*row[:13], ChargeState(row[13]), *row[14:])) for row in charges
            ),
        )

    def reserve(self, request: ChargeRequest) -> None:
        """Hold ``request``, converted to its domain's unit, until it expires.

        Raises BudgetRefusal if a cap, or a limit on the partner, does not allow it;
        LedgerOutdated if this file is an older copy; LedgerError if the run was charged before or
        the reservation would last too long. Nothing changed then.
        """
        now, terms = self._clock.unix_s(), request.terms
        if not now < terms.expires_unix_s <= now + self._limits.reserve_s:
            raise LedgerError(f"a reservation lasts at most {self._limits.reserve_s} s from now")
        with self._database.transaction() as connection:
            check_latest(connection)
            if state_of(connection, terms.run) is not None:
                raise LedgerError(f"run {terms.run} was charged before")
            fail_expired(connection, now)
            check_partner(connection, terms.partner, self._limits, now)
            rho = charged_rho(connection, request)
            balance = balance_of(connection, terms.domain, now)
            if rho > balance.rho_left or request.delta > balance.delta_left:
                raise BudgetRefusal(  # what is left is the owner's to publish, not ours
                    f"privacy domain {terms.domain!r} has too little left for study "
                    f"{terms.study!r}, which costs rho {rho_text(rho)} and delta "
                    f"{request.delta / DELTA_UNIT:.3g} there",
                    hint="ask less; a refused request consumes nothing",
                )
            check_bounds(connection, terms, rho, now)
            connection.execute(
                "INSERT INTO charge VALUES"
                " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved', ?, ?, NULL, NULL, NULL)",
                (
                    terms.run,
                    terms.domain,
                    terms.plan_digest,
                    terms.study,
                    terms.partner,
                    terms.coordinator,
                    terms.lead,
                    terms.lead_organization,
                    terms.purpose,
                    terms.approved_by,
                    request.event,
                    rho,
                    request.delta,
                    now,
                    terms.expires_unix_s,
                ),
            )
            advance(connection, terms.run, ChargeState.RESERVED, now)

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        """In one transaction: reserved → committed, ``message`` into the outbox for ever, and what
        peers have ``shown`` of their ledgers kept.

        Raises LedgerError if the run is not reserved any more: the message must not leave.
        """
        if not 0 < len(message) <= MESSAGE_BYTES_MAX:
            raise LedgerError(f"a message has 1 to {MESSAGE_BYTES_MAX} bytes")
        now = self._clock.unix_s()
        with self._database.transaction() as connection:
            moved = connection.execute(
                "UPDATE charge SET state = 'committed', settled_unix_s = ?"
                " WHERE run = ? AND state = 'reserved' AND expires_unix_s > ?",
                (now, run, now),
            )
            if moved.rowcount != 1:
                state = state_of(connection, run)
                raise LedgerError(
                    f"run {run} cannot be committed: it is "
                    + ("unknown" if state is None else "expired" if state == "reserved" else state)
                )
            advance(connection, run, ChargeState.COMMITTED, now)
            connection.execute("INSERT INTO outbox VALUES (?, ?)", (run, message))
            keep_witnesses(connection, run, shown)

    def mark_computed(self, run: RunId) -> None:
        """This party's part is computed: from now on no row can be why the run ends.

        Raises LedgerError if the run is not reserved any more.
        """
        now = self._clock.unix_s()
        with self._database.transaction() as connection:
            marked = connection.execute(
                "UPDATE charge SET computed_unix_s = ? WHERE run = ? AND state = 'reserved'"
                " AND computed_unix_s IS NULL AND expires_unix_s > ?",
                (now, run, now),
            )
            if marked.rowcount != 1:
                raise LedgerError(f"run {run} was not computed while its reservation lasted")
            advance(connection, run, "computed", now)

    def mark_shared(self, run: RunId, shown: tuple[Witness, ...] = ()) -> None:
        """Masked shares of what was noised leave from now on: however the run ends, it is charged.

        What peers have ``shown`` of their ledgers is kept with it. Raises LedgerError if the run's
        part is not computed, or it is not reserved any more.
        """
        now = self._clock.unix_s()
        with self._database.transaction() as connection:
            marked = connection.execute(
                "UPDATE charge SET shared_unix_s = ? WHERE run = ? AND state = 'reserved'"
                " AND computed_unix_s IS NOT NULL AND shared_unix_s IS NULL"
                " AND expires_unix_s > ?",
                (now, run, now),
            )
            if marked.rowcount != 1:
                raise LedgerError(f"run {run} was not to be shared while its reservation lasted")
            advance(connection, run, "shared", now)
            keep_witnesses(connection, run, shown)

    def release(self, run: RunId) -> bool:
        """Somebody ordered the run's end: reserved → released, if nothing of it was shared, else →
        forfeited. False if it was not reserved.

        It comes too late for a reservation that expired: that is settled as a failure.
        """
        return self._settle(run, CALLED_OFF)

    def fail(self, run: RunId) -> bool:
        """Nobody ordered the run's end: reserved → released if computed and nothing of it shared,
        else → forfeited.

        Forfeited is spent, as if a share had left. False if the run was not reserved.
        """
        return self._settle(run, FAILED)

    def _settle(self, run: RunId, state: str) -> bool:
        now = self._clock.unix_s()
        with self._database.transaction() as connection:
            fail_expired(connection, now)
            return settle(connection, run, state, now)

    def reserved(self) -> tuple[RunId, ...]:
        """Every run that holds a reservation now."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT run FROM charge WHERE state = 'reserved'").fetchall()
        return tuple(RunId(row[0]) for row in rows)

    def outbox(self, run: RunId) -> bytes | None:
        """The committed message of ``run``: the same bytes for ever, or None."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT message FROM outbox WHERE run = ?", (run,)).fetchone()
        return None if row is None else bytes(row[0])

    def state(self, run: RunId) -> ChargeState | None:
        """Where the charge of ``run`` stands; None if it was never reserved."""
        with self._database.transaction() as connection:
            return state_of(connection, run)

    def head(self) -> ChainHead:
        """Where the hash chain over every step of every charge stands."""
        with self._database.transaction() as connection:
            return head_of(connection)

    def holds(self, head: ChainHead) -> bool:
        """Whether this ledger once stood at ``head``, or its owner accepted the loss of it."""
        with self._database.transaction() as connection:
            return holds(connection, head)

    def witnessed(self) -> dict[PartyId, Witness]:
        """The highest mark that each peer ever showed, as kept with a commit."""
        with self._database.transaction() as connection:
            return witnesses_of(connection)

    def check_chain(self) -> None:
        """Raises IntegrityError if the file is not as its own hash chain says."""
        with self._database.transaction() as connection:
            check_chain(connection)

    def condemn(self, witness: Witness) -> None:
        """A peer showed that this file is an older copy: it reserves nothing from now on.

        Raises LedgerError if it holds what was shown.
        """
        with self._database.transaction() as connection:
            condemn(connection, witness, self._clock.unix_s())

    def accept_loss(self, accepted_by: str, reason: str) -> None:
        """Count all that is left as spent, since this file is an older copy and the latest is lost.

        Raises UsageError if no peer showed so: then nothing changed.
        """
        with self._database.transaction() as connection:
            accept_loss(connection, accepted_by, reason, self._clock.unix_s())

    def evidence(self) -> tuple[Witness, ...]:
        """Who showed that this file is an older copy; () if nobody did."""
        with self._database.transaction() as connection:
            return evidence_of(connection)
