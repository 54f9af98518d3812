"""A party's signed yes to one plan, good once and for a time; and the run that the yeses make.

Everything a run may do hangs on its approvals: who takes part (the roster is in the plan), what is
released, how much noise. The nonce makes two runs of one plan two runs; the node uses it up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from mpc.canonical import Plain, Record, canonical_bytes
from mpc.errors import IntegrityError
from mpc.roster import Roster
from mpc.session.signed import Signed
from mpc.session.signer import Signer
from mpc.units import ID_LENGTH_MAX, PARTIES_MAX, PARTIES_MIN, PartyId, PlanDigest, RunId

_RUN_CONTEXT = b"parley/run/v1\0"
NONCE_SIZE = 32
APPROVER_LENGTH_MAX = 200
_TIME_MAX = 1 << 53


class Agreed(Protocol):
    """What approvals are about: a plan (:class:`mpc.plan.model.Plan`)."""

    @property
    def digest(self) -> PlanDigest: ...

    @property
    def roster(self) -> Roster: ...


@dataclass(frozen=True)
class Approval(Signed):
    """``party`` agrees to the plan of ``plan_digest`` until ``expires_unix_s``, for one run.

    ``nonce``: 32 bytes, hex. ``approved_by``: "policy" or a person's name. Public.
    """

    WHAT: ClassVar[str] = "an approval"
    CONTEXT: ClassVar[str] = "parley/approval/v1"

    plan_digest: PlanDigest
    party: PartyId
    nonce: str
    expires_unix_s: int
    approved_by: str

    @classmethod
    def sign(
        cls,
        *,
        plan_digest: PlanDigest,
        party: PartyId,
        nonce: bytes,
        expires_unix_s: int,
        approved_by: str,
        signer: Signer,
    ) -> Approval:
        """A signed approval. ``nonce``: 32 fresh bytes of the operating system.

        Raises IntegrityError if a field has not the form that others accept.
        """
        unsigned = cls(plan_digest, party, nonce.hex(), expires_unix_s, approved_by)
        return unsigned.signed(signer)

    @classmethod
    def _read(cls, record: Record) -> Approval:
        return cls(
            plan_digest=PlanDigest(record.digest("plan_digest")),
            party=PartyId(record.text("party", ID_LENGTH_MAX)),
            nonce=record.octets("nonce", NONCE_SIZE, NONCE_SIZE).hex(),
            expires_unix_s=record.integer("expires_unix_s", 0, _TIME_MAX),
            approved_by=record.text("approved_by", APPROVER_LENGTH_MAX),
        )


def approvals_to_plain(approvals: Sequence[Approval]) -> list[Plain]:
    """Each of them, in sequence."""
    return [approval.to_plain() for approval in approvals]


def approvals_from_plain(plain: Plain) -> tuple[Approval, ...]:
    """What :func:`approvals_to_plain` wrote. Raises IntegrityError on any other form."""
    if not isinstance(plain, list) or not PARTIES_MIN <= len(plain) <= PARTIES_MAX:
        raise IntegrityError(f"a run's approvals are a list of {PARTIES_MIN} to {PARTIES_MAX}")
    return tuple(Approval.from_plain(item) for item in plain)


def first_expiry_unix_s(approvals: Sequence[Approval]) -> int:
    """Until when a run may be begun, or what is prepared for it kept."""
    return min(approval.expires_unix_s for approval in approvals)


def run_id(plan_digest: PlanDigest, approvals: Sequence[Approval]) -> RunId:
    """Hex SHA-256 over the plan's digest and all approvals (signatures included), in order."""
    content: list[Plain] = [plan_digest, approvals_to_plain(approvals)]
    return RunId(hashlib.sha256(_RUN_CONTEXT + canonical_bytes(content)).hexdigest())


def check_approvals(plan: Agreed, approvals: Sequence[Approval], now_unix_s: int) -> RunId:
    """The run that ``approvals`` make of ``plan``, each checked; one of every party, roster order.

    Raises IntegrityError naming the party: missing, out of order, of another plan, expired, or not
    signed by it. A nonce used before is refused by its own party's node, which keeps them.
    """
    parties = [member.id for member in plan.roster.parties]
    if [approval.party for approval in approvals] != parties:
        given = {approval.party for approval in approvals}
        missing = [party for party in parties if party not in given]
        about = f"missing: {', '.join(missing)}" if missing else "repeated or out of order"
        raise IntegrityError(f"a run needs one approval of each party, in roster order ({about})")
    for approval in approvals:
        if approval.plan_digest != plan.digest:
            raise IntegrityError("its approval is of another plan", party=approval.party)
        if now_unix_s >= approval.expires_unix_s:
            raise IntegrityError(
                "its approval has expired",
                party=approval.party,
                hint="propose the plan again; or a clock is wrong",
            )
        approval.verify(plan.roster)
    if len({approval.nonce for approval in approvals}) != len(approvals):
        raise IntegrityError("two approvals carry one nonce")
    return run_id(plan.digest, approvals)
