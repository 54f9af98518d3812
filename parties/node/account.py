"""What an owner reads of its own ledger: budgets, every charge, and how often partners aborted.

It reads the ledger's file, beside a running node or without one, and changes nothing of it. For
the owner alone: what coordinators are told is the policy's ``budget_published``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from mpc.accounting.conversion import epsilon_from_rho, epsilon_within
from mpc.errors import UsageError
from mpc.ports import Balance, ChargeState, Witness
from mpc.units import DELTA_UNIT, ProtectedUnit, RhoPico, rho_text
from parties.config import NodeConfig
from parties.ledger.records import (
    ChargeEntry,
    DomainBounds,
    DomainUsage,
    History,
    PartnerEntry,
    PartnerLimits,
)
from parties.ledger.sqlite import SqliteLedger
from parties.node.events import event_text
from parties.node.parts import LEDGER
from parties.policy.model import PolicyFile, load_policy
from parties.report.figures import iso_time
from parties.system import SystemClock

ROUNDED_DOWN = frozenset({"cap", "left"})
"""Amounts that may still be spent: shown never larger than they are, the others never smaller."""


@dataclass(frozen=True)
class CapAccount:
    """One cap of a domain: ``what`` it bounds, what is spent or held of it, and what is left."""

    what: str
    cap: RhoPico
    used: RhoPico

    @property
    def left(self) -> RhoPico:
        """What a charge may still take of it."""
        return RhoPico(max(0, self.cap - self.used))

    def to_plain(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "what": self.what,
            "rho_cap": rho_text(self.cap),
            "rho_used": rho_text(self.used),
            "rho_left": rho_text(self.left),
        }


def caps_of(balance: Balance, bounds: DomainBounds, usage: DomainUsage) -> Iterator[CapAccount]:
    """The cap for ever, then those that bind beside it; all of them have to hold."""
    used = RhoPico(balance.rho_spent + balance.rho_reserved)
    yield CapAccount("all studies for ever", balance.rho_cap, used)
    if bounds.monthly_rho is not None:
        yield CapAccount("any 30 days", bounds.monthly_rho, usage.monthly_rho)
    for name, cap in bounds.partners.items():
        yield CapAccount(f"studies of {name}", cap, usage.partner_rho(name))


@dataclass(frozen=True)
class DomainAccount:
    """One privacy domain: whom it protects, its caps and what is left of them, and every charge.

    ``delta`` is the policy's, at which it states epsilon; None if the policy dropped the domain.
    """

    unit: ProtectedUnit
    balance: Balance
    delta: Decimal | None
    bounds: DomainBounds
    usage: DomainUsage
    history: History

    @property
    def caps(self) -> tuple[CapAccount, ...]:
        """Every cap that binds here, that for ever first."""
        return tuple(caps_of(self.balance, self.bounds, self.usage))

    @property
    def amounts(self) -> dict[str, RhoPico]:
        """rho of the cap, and what is spent, reserved and left of it."""
        said = self.balance
        return {
            "cap": said.rho_cap,
            "spent": said.rho_spent,
            "reserved": said.rho_reserved,
            "left": said.rho_left,
        }

    @property
    def epsilons(self) -> dict[str, Decimal | None]:
        """The same as epsilon at the domain's delta. Epsilon does not add up; rho does.

        Cap and left are the largest study that they allow, rounded down; the others round up.
        """
        if self.delta is None:
            return dict.fromkeys(self.amounts)
        return {
            name: (epsilon_within if name in ROUNDED_DOWN else epsilon_from_rho)(rho, self.delta)
            for name, rho in self.amounts.items()
        }

    def to_plain(self) -> dict[str, object]:
        """For ``--json``: every digit, as decimal text."""
        return {
            "domain": self.balance.domain,
            "rows_max": None if self.unit.is_person else self.unit.rows_max,
            "adjacency": self.unit.adjacency.value,
            "delta": None if self.delta is None else f"{self.delta:f}",
            "rho": {name: rho_text(rho) for name, rho in self.amounts.items()},
            "epsilon": {name: _text(said) for name, said in self.epsilons.items()},
            "caps": [each.to_plain() for each in self.caps],
        }

    def history_plain(self) -> dict[str, object]:
        """For ``--json``: every cap and every charge there ever was, oldest first."""
        return {
            "domain": self.balance.domain,
            "delta": None if self.delta is None else f"{self.delta:f}",
            "caps": [
                {
                    "time": iso_time(each.unix_s),
                    "rho_cap": rho_text(each.rho_cap),
                    "set_by": each.set_by,
                    "reason": each.reason,
                }
                for each in self.history.caps
            ],
            "charges": [charge_plain(each) for each in self.history.charges],
        }


@dataclass(frozen=True)
class Account:
    """All of a node's ledger, as it is at ``unix_s``."""

    unix_s: int
    limits: PartnerLimits
    domains: tuple[DomainAccount, ...]
    partners: tuple[PartnerEntry, ...]
    steps: int
    evidence: tuple[Witness, ...]

    @property
    def outdated(self) -> tuple[str, ...]:
        """A sentence for each peer that saw this ledger further than it is."""
        return tuple(
            f"this ledger is an older copy: {each.party} has seen step {each.head.counter} of it,"
            f" it is at step {self.steps}. Put the latest ledger back; if it is lost:"
            " parley budget accept-loss"
            for each in self.evidence
        )

    def to_plain(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "at": iso_time(self.unix_s),
            "domains": [domain.to_plain() for domain in self.domains],
            "partners": [
                {"partner": each.partner, "reserved": each.reserved, "aborts": each.aborts}
                for each in self.partners
            ],
            "steps": self.steps,
            "outdated": [
                {"seen_by": each.party, "step": each.head.counter} for each in self.evidence
            ],
            "reserved_max": self.limits.reserved_max,
            "aborts_max": self.limits.aborts_max,
            "aborts_window_s": self.limits.aborts_window_s,
        }


def charge_plain(charge: ChargeEntry) -> dict[str, object]:
    """A charge for ``--json``, times in ISO 8601."""
    settled = charge.settled_unix_s
    return {
        "time": iso_time(charge.reserved_unix_s),
        "study": charge.study,
        "run": charge.run,
        "plan_digest": charge.plan_digest,
        "partner": charge.partner,
        "coordinator": charge.coordinator,
        "lead": charge.lead,
        "lead_organization": charge.lead_organization,
        "purpose": charge.purpose,
        "approved_by": charge.approved_by,
        "mechanism": event_text(charge.event),
        "rho": rho_text(charge.rho),
        "delta": f"{Decimal(charge.delta) / DELTA_UNIT:f}",
        "state": charge.state.value,
        "settled": None if settled is None else iso_time(settled),
        "expires": iso_time(charge.expires_unix_s),
    }


def state_text(charge: ChargeEntry, unix_s: int) -> str:
    """Where the charge stands; one that nobody committed in time holds nothing any more."""
    if charge.state is ChargeState.RESERVED and charge.expires_unix_s <= unix_s:
        return "reserved, expired"
    return charge.state.value


def ledger_limits(policy: PolicyFile) -> PartnerLimits:
    """What the policy lets one partner hold."""
    said = policy.value.limits
    return PartnerLimits(
        reserved_max=said.reserved_max,
        aborts_max=said.aborts_max,
        reserve_s=said.reserve_s,
    )


def read_account(config: NodeConfig) -> Account:
    """The ledger of the node of ``config``. Raises UsageError if it has none yet."""
    path = ledger_file(config)
    policy = load_policy(config.policy)
    clock = SystemClock()
    limits = ledger_limits(policy)
    ledger = SqliteLedger(path, clock, limits)
    return Account(
        unix_s=clock.unix_s(),
        limits=limits,
        domains=tuple(
            DomainAccount(
                unit=unit,
                balance=ledger.balance(name),
                delta=policy.value.domains[name].delta if name in policy.value.domains else None,
                bounds=ledger.bounds(name),
                usage=ledger.usage(name),
                history=ledger.history(name),
            )
            for name, unit in ledger.domains().items()
        ),
        partners=ledger.partners(),
        steps=ledger.head().counter,
        evidence=ledger.evidence(),
    )


def ledger_file(config: NodeConfig) -> Path:
    """Where the node's ledger is. Raises UsageError if it has none yet."""
    path = config.state / LEDGER
    if not path.exists():
        raise UsageError(
            f"{config.party} has no ledger yet: nothing was ever spent",
            hint="parley node start makes it, with the caps of policy.yaml",
        )
    return path


def balances_of(config: NodeConfig) -> dict[str, Balance]:
    """What every domain of the node's ledger holds; nothing if it has no ledger yet."""
    ledger = _opened(config)
    return {} if ledger is None else {name: ledger.balance(name) for name in ledger.domains()}


def charges_of(config: NodeConfig) -> tuple[ChargeEntry, ...]:
    """Every charge of every domain; none if the node has no ledger yet."""
    ledger = _opened(config)
    if ledger is None:
        return ()
    return tuple(each for name in ledger.domains() for each in ledger.history(name).charges)


def _opened(config: NodeConfig) -> SqliteLedger | None:
    """The ledger for reading, which no limit concerns; not made if it is absent."""
    path = config.state / LEDGER
    return SqliteLedger(path, SystemClock(), PartnerLimits()) if path.exists() else None


def _text(epsilon: Decimal | None) -> str | None:
    return None if epsilon is None else f"{epsilon:f}"
