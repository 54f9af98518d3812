"""Hello: one participant's signed offer of a session, and T, the hash of all of them.

It binds an X25519 key and a nonce, both fresh, to everything that was agreed: protocol (with the
run's phase) and mechanism, plan, roster, run (the hash of plan and approvals). All of it is public.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mpc.canonical import Record
from mpc.errors import IntegrityError
from mpc.naming import joined
from mpc.plan.cost import HELLO_BYTES_MAX
from mpc.session.agreement import Agreement, Phase, hello_context
from mpc.session.keys import PUBLIC_SIZE
from mpc.session.signed import Signed
from mpc.session.signer import Signer
from mpc.units import ID_LENGTH_MAX, PartyId, PlanDigest, RunId, SessionId

NONCE_SIZE = 32
_SESSION_CONTEXT = b"parley/session/v1"
_BUILD_LENGTH_MAX = 100


@dataclass(frozen=True)
class Hello(Signed):
    """``participant`` offers X25519 ``key`` and ``nonce`` (32 bytes each) for one run."""

    WHAT: ClassVar[str] = "a Hello"
    SIGNATORY: ClassVar[str] = "participant"
    BYTES_MAX: ClassVar[int] = HELLO_BYTES_MAX

    protocol: str
    build: str
    plan_digest: PlanDigest
    roster_digest: str
    run: RunId
    participant: PartyId
    key: bytes
    nonce: bytes

    @classmethod
    def sign(
        cls, agreement: Agreement, participant: PartyId, key: bytes, nonce: bytes, signer: Signer
    ) -> Hello:
        """The signed Hello of ``participant`` for ``agreement``."""
        return cls(
            protocol=agreement.phase.value,
            build=agreement.build,
            plan_digest=agreement.plan_digest,
            roster_digest=agreement.roster.digest,
            run=agreement.run,
            participant=participant,
            key=key,
            nonce=nonce,
        ).signed(signer)

    @property
    def context(self) -> str:
        """That of the build which this Hello names."""
        return hello_context(self.build)

    def check(self, agreement: Agreement, participant: PartyId) -> None:
        """Refuse this Hello unless it is ``participant``'s, for ``agreement`` in every field.

        Raises IntegrityError naming the participant and what differs.
        """
        pairs = (
            ("another participant's Hello", self.participant, participant),
            ("another protocol", self.protocol, agreement.phase.value),
            ("another mechanism", self.build, agreement.build),
            ("another plan", self.plan_digest, agreement.plan_digest),
            ("another roster", self.roster_digest, agreement.roster.digest),
            ("other approvals", self.run, agreement.run),
        )
        for what, found, due in pairs:
            if found != due:
                raise IntegrityError(f"its Hello is refused: it has {what}", party=participant)
        self.verify(agreement.roster)

    @classmethod
    def _read(cls, record: Record) -> Hello:
        return cls(
            protocol=record.text("protocol", _BUILD_LENGTH_MAX),
            build=record.text("build", _BUILD_LENGTH_MAX),
            plan_digest=PlanDigest(record.digest("plan_digest")),
            roster_digest=record.digest("roster_digest"),
            run=RunId(record.digest("run")),
            participant=PartyId(record.text("participant", ID_LENGTH_MAX)),
            key=record.octets("key", PUBLIC_SIZE, PUBLIC_SIZE),
            nonce=record.octets("nonce", NONCE_SIZE, NONCE_SIZE),
        )


def check_hellos(agreement: Agreement, hellos: Sequence[bytes]) -> tuple[Hello, ...]:
    """``hellos`` read and checked: one of everyone in the session, in roster order.

    The coordinator's is the last. For participants and for whoever verifies a receipt. Raises
    IntegrityError naming whose is missing, wrong, or repeats another's key or nonce.
    """
    ids = agreement.ids
    if len(hellos) != len(ids):
        raise IntegrityError(f"{len(hellos)} Hellos where the session has {len(ids)} participants")
    read: list[Hello] = []
    for participant, data in zip(ids, hellos, strict=True):
        try:
            hello = Hello.from_bytes(data)
        except IntegrityError as fault:
            raise IntegrityError(f"its Hello is refused: {fault.what}", party=participant) from None
        hello.check(agreement, participant)
        for earlier in read:
            if hello.key == earlier.key or hello.nonce == earlier.nonce:
                raise IntegrityError(
                    f"its Hello repeats the key or nonce of {earlier.participant}",
                    party=participant,
                )
        read.append(hello)
    return tuple(read)


def released_phase(hellos: Sequence[bytes]) -> Phase:
    """The phase for which :func:`check_hellos` has to take ``hellos`` if they released anything.

    It is PREPARED if the first one says so, and else WHOLE. Everyone signed a phase, so the check
    refuses Hellos that say another one, and any number that is not those present in this one.
    """
    try:
        named = Hello.from_bytes(hellos[0]).protocol if hellos else ""
    except IntegrityError:
        named = ""  # the check says whose it is
    return Phase.PREPARED if named == Phase.PREPARED.value else Phase.WHOLE


def session_id(hellos: Sequence[bytes]) -> SessionId:
    """T: SHA-256 over all Hellos, signatures included, in roster order with the coordinator last.

    Only of Hellos that :func:`check_hellos` took is this the name of a session.
    """
    return SessionId(hashlib.sha256(joined(_SESSION_CONTEXT, *hellos)).digest())
