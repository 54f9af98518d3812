"""What can be swapped by mistake gets a type: identifiers, digests, privacy quantities.

Privacy is kept in integers: ``rho`` in units of 10^-12 (pico), ``delta`` in units of 10^-18
(atto). Charges round up, budgets round down.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from mpc.errors import BudgetRefusal

PartyId = NewType("PartyId", str)
"""A participant's name: its certificate, its policy, its shares. See :func:`party_id`."""

RunId = NewType("RunId", str)
"""Hex SHA-256 over plan digest and all approvals (nonces included): one attempt at one plan."""

SessionId = NewType("SessionId", bytes)
"""T of the handshake: hash of all Hellos in roster order, 32 bytes. Never the same twice."""

PlanDigest = NewType("PlanDigest", str)
"""Hex SHA-256 of a plan's canonical bytes."""

RhoPico = NewType("RhoPico", int)
"""zCDP rho in 10^-12 (Bun and Steinke 2016)."""

DeltaAtto = NewType("DeltaAtto", int)
"""Approximate-DP delta in 10^-18."""

RHO_UNIT = 10**12
DELTA_UNIT = 10**18

PARTIES_MIN = 2
PARTIES_MAX = 16
PARTICIPANTS_MAX = PARTIES_MAX + 2  # and a dealer and the coordinator
UNIT_ROWS_MAX = 1_000_000

ID_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
ID_LENGTH_MAX = 40
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
NAME_LENGTH_MAX = 40
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")


class Adjacency(StrEnum):
    """Which tables are neighbours: one unit added or removed, or one unit's rows replaced."""

    ADD_OR_REMOVE_ONE = "add_or_remove_one"
    REPLACE_ONE = "replace_one"


@dataclass(frozen=True)
class ProtectedUnit:
    """Whom a promise protects: a person with all of its rows in one owner's table.

    ``rows_max``: with so many rows at most, or, if it is UNIT_ROWS_MAX, however many they are
    (:meth:`person`).
    """

    rows_max: int
    adjacency: Adjacency

    def __post_init__(self) -> None:
        if not 1 <= self.rows_max <= UNIT_ROWS_MAX:
            raise ValueError(f"a unit has 1 to {UNIT_ROWS_MAX} rows")

    @classmethod
    def person(cls, adjacency: Adjacency) -> ProtectedUnit:
        """A person with all of its rows, however many."""
        return cls(UNIT_ROWS_MAX, adjacency)

    @property
    def is_person(self) -> bool:
        """Whether it has no bound on rows."""
        return self.rows_max == UNIT_ROWS_MAX

    def rho_factor(self, stronger: ProtectedUnit) -> int:
        """What multiplies a rho proved for this unit when it is charged for ``stronger``.

        k units changed at once cost k^2 rho (Bun and Steinke 2016, Proposition 27). Replacing is
        removing and adding: two changes. The other way needs none, since a sum's declared
        sensitivity to one unit replaced is never below that to one removed. A person with at most
        m rows is one person, so what was proved for whole persons holds for it as it is.

        Raises BudgetRefusal if no factor is enough: this has a bound on rows, ``stronger`` none.
        """
        if stronger.is_person and not self.is_person:
            raise BudgetRefusal(
                f"a study that protects {self.rows_max} of a person's rows promises nothing to a "
                "person with any number of them",
                hint="let the study's unit be the person, or give the domain a rows_max",
            )
        changes = -(-stronger.rows_max // self.rows_max)
        if (self.adjacency, stronger.adjacency) == (
            Adjacency.ADD_OR_REMOVE_ONE,
            Adjacency.REPLACE_ONE,
        ):
            changes *= 2
        return changes**2


class Role(StrEnum):
    """What a participant does in a study; its certificate says so."""

    PARTY = "party"
    DEALER = "dealer"
    COORDINATOR = "coordinator"


def is_identifier(text: str) -> bool:
    """Lower-case words joined by single hyphens, at most 40 characters."""
    return len(text) <= ID_LENGTH_MAX and re.fullmatch(ID_PATTERN, text) is not None


def is_name(text: str) -> bool:
    """A table's, column's or question's name: letters, digits and _, at most 40 characters."""
    return len(text) <= NAME_LENGTH_MAX and re.fullmatch(NAME_PATTERN, text) is not None


def is_fingerprint(text: str) -> bool:
    """``sha256:`` and 64 lower-case hex digits, as :attr:`mpc.roster.Member.fingerprint` is."""
    return _FINGERPRINT.fullmatch(text) is not None


def party_id(text: str) -> PartyId:
    """``text`` as a party id. Raises ValueError (with no echo of ``text``) if it is none."""
    if not is_identifier(text):
        raise ValueError("a party id is lower-case words joined by hyphens, at most 40 characters")
    return PartyId(text)


def sha256_hex(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def rho_text(rho: RhoPico) -> str:
    """``rho`` as a plain decimal number, without exponent."""
    return f"{Decimal(rho) / RHO_UNIT:f}"
