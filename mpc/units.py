"""What can be swapped by mistake gets a type: identifiers, digests, privacy quantities.

Privacy is kept in integers: ``rho`` in units of 10^-12 (pico), ``delta`` in units of 10^-18
(atto). Charges round up, budgets round down.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from enum import StrEnum
from typing import NewType

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

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ID_LENGTH_MAX = 40


class Adjacency(StrEnum):
    """Which tables are neighbours: one unit added or removed, or one unit's rows replaced."""

    ADD_OR_REMOVE_ONE = "add_or_remove_one"
    REPLACE_ONE = "replace_one"


class Role(StrEnum):
    """What a participant does in a study; its certificate says so."""

    PARTY = "party"
    COORDINATOR = "coordinator"


def is_identifier(text: str) -> bool:
    """Lower-case words joined by single hyphens, at most 40 characters."""
    return len(text) <= ID_LENGTH_MAX and _ID.fullmatch(text) is not None


def party_id(text: str) -> PartyId:
    """``text`` as a party id. Raises ValueError (with no echo of ``text``) if it is none."""
    if not is_identifier(text):
        raise ValueError(
            "a party id is lower-case words joined by hyphens, at most 40 characters"
        )
    return PartyId(text)


def sha256_hex(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def rho_text(rho: RhoPico) -> str:
    """``rho`` as a plain decimal number, without exponent."""
    return f"{Decimal(rho) / RHO_UNIT:f}"
