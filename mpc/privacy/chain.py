"""A ledger's hash chain: each step of each charge makes one new head, which binds all before it.

Two ledgers that show one head took the same steps. A copy that is older lacks the later heads, and
one that went another way since has others, so whoever saw a head tells such a ledger from the real
one. A head tells nothing of the steps: a run's id hangs on fresh nonces of every party in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mpc.canonical import canonical_bytes
from mpc.naming import joined
from mpc.ports import ChainHead
from mpc.units import DeltaAtto, PlanDigest, RhoPico, RunId, sha256_hex

_CONTEXT = b"parley/ledger/v1"

EMPTY = ChainHead(0, hashlib.sha256(_CONTEXT).digest())
"""The head of a ledger in which nothing happened."""


@dataclass(frozen=True)
class ChainedCharge:
    """What a head binds of a charge: ``rho`` and ``delta`` as its domain is charged."""

    run: RunId
    domain: str
    plan_digest: PlanDigest
    event: bytes
    rho: RhoPico
    delta: DeltaAtto


def next_head(head: ChainHead, step: str, charge: ChainedCharge) -> ChainHead:
    """The head after ``step`` of ``charge``."""
    counter = head.counter + 1
    content = canonical_bytes(
        {
            "counter": counter,
            "step": step,
            "run": charge.run,
            "domain": charge.domain,
            "plan_digest": charge.plan_digest,
            "event": sha256_hex(charge.event),
            "rho": charge.rho,
            "delta": charge.delta,
        }
    )
    return ChainHead(counter, hashlib.sha256(joined(_CONTEXT, head.digest, content)).digest())
