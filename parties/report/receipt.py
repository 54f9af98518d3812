"""``receipt.json``: all that is needed to check a result offline, signed by everyone in it.

One canonical object (:mod:`mpc.canonical`), so a receipt has one spelling and one digest:

``format``, ``software``
    of this file, and the software of the coordinator that wrote it;
``plan``, ``plan_digest``
    the whole agreed plan: study, roster with certificates, sensitivities, noise, epsilon and delta
    of each question and in total, the loss to every coalition;
``authority``
    the certificate that issued those of the roster (DER);
``approvals``, ``hellos``
    what everyone signed before data was touched; ``run`` and ``session`` follow from them;
``shares``, ``released``
    each party's signed share (with data commitment and software), and their sum, in words;
``started_at``, ``released_at``
    by the coordinator's clock;
``signature``
    the coordinator's, over everything else.

Answers are not in it: they follow from ``released`` (:func:`mpc.outcome.decode_totals`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mpc.canonical import Plain, Record, canonical_bytes, from_canonical
from mpc.errors import IntegrityError
from mpc.outcome import combine_shares
from mpc.plan.model import Plan
from mpc.roster import SIGNATURE_SIZE
from mpc.session.approval import Approval, check_approvals
from mpc.session.hello import session_id
from mpc.session.share import SOFTWARE_LENGTH_MAX, ReleasedShare
from mpc.session.signer import Signer
from mpc.units import (
    PARTICIPANTS_MAX,
    PARTIES_MAX,
    PARTIES_MIN,
    PlanDigest,
    RunId,
    SessionId,
    sha256_hex,
)
from parties.system import SOFTWARE_VERSION

FORMAT = "parley-receipt/1"
CONTEXT = "parley/receipt/v1"
RECEIPT_SIZE_MAX = 128 << 20  # bytes: 16 shares of a plan's longest vector, in hex, and the rest

AUTHORITY_SIZE_MAX = 8192  # bytes
INTEGERS_MAX = 1_000_000
TIME_MAX = 253_402_300_799  # the end of the year 9999
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_SIGNED_FIELDS = (
    "format", "software", "plan", "plan_digest", "authority", "approvals", "run", "hellos",
    "session", "shares", "released", "started_at", "released_at",
)  # fmt: skip


@dataclass(frozen=True)
class Receipt:
    """A receipt that has its form; whether it holds is :mod:`parties.report.verify`'s question."""

    software: str
    plan: Mapping[str, Plain]
    plan_digest: PlanDigest
    authority: bytes
    approvals: tuple[Approval, ...]
    run: RunId
    hellos: tuple[bytes, ...]  # canonical
    session: SessionId
    shares: tuple[ReleasedShare, ...]
    released: tuple[int, ...]
    started_at: int
    released_at: int
    signature: bytes
    signed: bytes  # what the coordinator's signature covers
    digest: str  # SHA-256 of the file


def build_receipt(
    plan: Plan,
    *,
    approvals: Sequence[Approval],
    hellos: Sequence[bytes],
    shares: Sequence[ReleasedShare],
    authority: x509.Certificate,
    started_at: int,
    released_at: int,
    signer: Signer,
) -> dict[str, Plain]:
    """The receipt of a run, signed by the coordinator's ``signer``: see :func:`receipt_bytes`.

    ``hellos``: canonical bytes, in roster order. Times in seconds since 1970.
    Opens: the noised totals, to whoever reads the receipt. Cost: none.
    Raises IntegrityError if approvals or shares do not fit the plan.
    """
    run = check_approvals(plan, approvals, started_at)
    totals = combine_shares(plan, [share.words for share in shares])
    content: dict[str, Plain] = {
        "format": FORMAT,
        "software": SOFTWARE_VERSION,
        "plan": plan.to_plain(),
        "plan_digest": plan.digest,
        "authority": authority.public_bytes(Encoding.DER).hex(),
        "approvals": [approval.to_plain() for approval in approvals],
        "run": run,
        "hellos": [from_canonical(hello) for hello in hellos],
        "session": session_id(hellos).hex(),
        "shares": [share.to_plain() for share in shares],
        "released": [str(total) for total in totals],
        "started_at": started_at,
        "released_at": released_at,
    }
    signature = signer(CONTEXT, canonical_bytes(content))
    return {**content, "signature": signature.hex()}


def receipt_bytes(receipt: dict[str, Plain]) -> bytes:
    """The file's bytes: the one spelling."""
    return canonical_bytes(receipt)


def load_receipt(data: bytes) -> Receipt:
    """The receipt in ``data``: canonical, complete, nothing more, every part within its size.

    Raises IntegrityError saying which part is not.
    """
    if len(data) > RECEIPT_SIZE_MAX:
        raise IntegrityError(f"receipt of {len(data)} bytes; at most {RECEIPT_SIZE_MAX} are read")
    value = from_canonical(data, RECEIPT_SIZE_MAX)
    record = Record(value, "the receipt", (*_SIGNED_FIELDS, "signature"))
    if record.text("format", 40) != FORMAT:
        raise IntegrityError(f"the receipt is not in the format {FORMAT}")
    content = dict(value) if isinstance(value, dict) else {}
    del content["signature"]
    plan = content["plan"]
    if not isinstance(plan, dict):
        raise IntegrityError("the receipt: plan is not an object")
    return Receipt(
        software=record.text("software", SOFTWARE_LENGTH_MAX),
        plan=plan,
        plan_digest=PlanDigest(record.digest("plan_digest")),
        authority=record.octets("authority", 1, AUTHORITY_SIZE_MAX),
        approvals=tuple(
            Approval.from_plain(item)
            for item in record.items("approvals", PARTIES_MIN, PARTIES_MAX)
        ),
        run=RunId(record.digest("run")),
        hellos=tuple(
            canonical_bytes(item)
            for item in record.items("hellos", PARTIES_MIN + 1, PARTICIPANTS_MAX)
        ),
        session=SessionId(record.octets("session", 32, 32)),
        shares=tuple(
            ReleasedShare.from_plain(item)
            for item in record.items("shares", PARTIES_MIN, PARTIES_MAX)
        ),
        released=tuple(map(_integer, record.items("released", 1, INTEGERS_MAX))),
        started_at=record.integer("started_at", 0, TIME_MAX),
        released_at=record.integer("released_at", 0, TIME_MAX),
        signature=record.octets("signature", SIGNATURE_SIZE, SIGNATURE_SIZE),
        signed=canonical_bytes(content),
        digest=sha256_hex(data),
    )


def _integer(text: Plain) -> int:
    if not isinstance(text, str) or not _INTEGER.fullmatch(text):
        raise IntegrityError("the receipt: a released integer is not written as one")
    return int(text)
