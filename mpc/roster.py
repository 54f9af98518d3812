"""Who takes part in a study: ordered members, their certificates, one digest.

The roster is part of the plan, so every party approves the very certificates of all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc.canonical import Plain, canonical_bytes
from mpc.errors import IntegrityError
from mpc.units import PARTIES_MAX, PARTIES_MIN, PartyId, Role, party_id, sha256_hex

CERTIFICATE_BYTES_MAX = 8 << 10
ORGANIZATION_LENGTH_MAX = 200


def signed_bytes(context: str, message: bytes) -> bytes:
    """What a signature covers: the context, a zero byte, the message.

    Contexts are fixed texts without zero bytes, so no message of one kind passes as another.
    """
    return context.encode("ascii") + b"\x00" + message


@dataclass(frozen=True)
class Member:
    """One participant: its id, role, organization, and its two certificates (DER)."""

    id: PartyId
    role: Role
    organization: str
    tls_certificate: bytes
    signing_certificate: bytes

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and hex SHA-256 of the TLS certificate followed by the signing one."""
        return "sha256:" + sha256_hex(self.tls_certificate + self.signing_certificate)

    @cached_property
    def signing_key(self) -> Ed25519PublicKey:
        """The public key of the signing certificate. Raises IntegrityError if it is no Ed25519."""
        try:
            key = x509.load_der_x509_certificate(self.signing_certificate).public_key()
        except ValueError:
            raise IntegrityError(f"{self.id}: broken signing certificate") from None
        if not isinstance(key, Ed25519PublicKey):
            raise IntegrityError(f"{self.id}: the signing certificate's key is not Ed25519")
        return key

    def verify(self, context: str, message: bytes, signature: bytes) -> None:
        """Raise IntegrityError, naming this member, unless it signed ``message`` in ``context``."""
        try:
            self.signing_key.verify(signature, signed_bytes(context, message))
        except InvalidSignature:
            raise IntegrityError(f"{self.id}: its signature ({context}) does not hold") from None

    def to_plain(self) -> dict[str, Plain]:
        return {
            "id": self.id,
            "role": self.role.value,
            "organization": self.organization,
            "tls_certificate": self.tls_certificate.hex(),
            "signing_certificate": self.signing_certificate.hex(),
        }

    @classmethod
    def from_plain(cls, plain: Plain) -> Member:
        """The member described. Raises IntegrityError on any other form."""
        if not isinstance(plain, dict) or set(plain) != _FIELDS:
            raise IntegrityError("a roster's member is not of this software's form")
        texts = {name: value for name, value in plain.items() if isinstance(value, str)}
        if set(texts) != _FIELDS or len(texts["organization"]) > ORGANIZATION_LENGTH_MAX:
            raise IntegrityError("a roster's member is not of this software's form")
        try:
            tls, signing = (
                bytes.fromhex(texts[name]) for name in ("tls_certificate", "signing_certificate")
            )
            if max(len(tls), len(signing)) > CERTIFICATE_BYTES_MAX:
                raise ValueError
            return cls(
                party_id(texts["id"]), Role(texts["role"]), texts["organization"], tls, signing
            )
        except ValueError:
            raise IntegrityError("a roster's member has a broken id, role or certificate") from None


_FIELDS = {"id", "role", "organization", "tls_certificate", "signing_certificate"}


@dataclass(frozen=True)
class Roster:
    """Members in order: the parties as the study lists them, then the coordinator.

    Raises IntegrityError on a wrong order or number, or an id or certificate that comes twice.
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        roles = [member.role for member in self.members]
        if roles[-1:] != [Role.COORDINATOR] or set(roles[:-1]) != {Role.PARTY}:
            raise IntegrityError("a roster lists parties, then one coordinator")
        if not PARTIES_MIN <= len(self.members) - 1 <= PARTIES_MAX:
            raise IntegrityError(f"a roster has {PARTIES_MIN} to {PARTIES_MAX} parties")
        for part in ("id", "tls_certificate", "signing_certificate"):
            if len({getattr(member, part) for member in self.members}) != len(self.members):
                raise IntegrityError(f"two members of the roster have the same {part}")

    @property
    def parties(self) -> tuple[Member, ...]:
        return self.members[:-1]

    @property
    def coordinator(self) -> Member:
        return self.members[-1]

    @property
    def party_ids(self) -> tuple[PartyId, ...]:
        return tuple(member.id for member in self.parties)

    def member(self, member_id: str) -> Member:
        """The member of that id. Raises IntegrityError if there is none."""
        for member in self.members:
            if member.id == member_id:
                return member
        raise IntegrityError("somebody named is not in the roster")

    def to_plain(self) -> list[Plain]:
        return [member.to_plain() for member in self.members]

    @classmethod
    def from_plain(cls, plain: Plain) -> Roster:
        """The roster described. Raises IntegrityError on any other form."""
        if not isinstance(plain, list | tuple) or len(plain) > PARTIES_MAX + 1:
            raise IntegrityError("the roster is not of this software's form")
        return cls(tuple(Member.from_plain(member) for member in plain))

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the canonical roster."""
        return sha256_hex(canonical_bytes(self.to_plain()))
