"""Who takes part in a study: ids, roles, organizations and the very certificates, in one order.

The roster is part of the plan, so each approval fixes it. Which certificates are *right* for a name
is :mod:`parties.identity`'s question (pins by fingerprint); here a name only ever means its
certificates in this roster.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc.canonical import Plain, Record, canonical_bytes
from mpc.errors import IntegrityError
from mpc.units import (
    ID_LENGTH_MAX,
    PARTICIPANTS_MAX,
    PARTIES_MAX,
    PartyId,
    Role,
    party_id,
    sha256_hex,
)

CERTIFICATE_SIZE_MAX = 8192  # bytes, DER
ORGANIZATION_LENGTH_MAX = 64  # characters, as in certificates
SIGNATURE_SIZE = 64  # Ed25519 (RFC 8032)
_MEMBER_FIELDS = ("id", "role", "organization", "tls_certificate", "signing_certificate")


def signed_bytes(context: str, message: bytes) -> bytes:
    """What Ed25519 signs: ``context``, a zero byte, ``message``.

    No context contains a zero byte, so a signature in one context is none in any other.
    """
    prefix = context.encode("ascii")
    if not prefix or b"\0" in prefix:
        raise ValueError("a signature context is ASCII text without zero bytes")
    return prefix + b"\0" + message


@dataclass(frozen=True)
class Member:
    """One participant: its name and its two certificates (DER), for TLS and for signing."""

    id: PartyId
    role: Role
    organization: str
    tls_certificate: bytes
    signing_certificate: bytes

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and hex SHA-256 over both certificates, TLS first: what peers pin."""
        return "sha256:" + sha256_hex(self.tls_certificate + self.signing_certificate)

    def verify(self, context: str, message: bytes, signature: bytes) -> None:
        """Refuse ``signature`` unless this member's signing key made it over ``message``.

        Ed25519 (RFC 8032) over :func:`signed_bytes`. Raises IntegrityError naming the member.
        """
        try:
            self._signing_key.verify(signature, signed_bytes(context, message))
        except InvalidSignature:
            raise IntegrityError(
                f"its signature on {context} does not hold",
                party=self.id,
                hint="another key signed, or what it signed was changed",
            ) from None

    @cached_property
    def _signing_key(self) -> Ed25519PublicKey:
        try:
            key = x509.load_der_x509_certificate(self.signing_certificate).public_key()
        except (ValueError, UnsupportedAlgorithm):
            raise IntegrityError("its signing certificate cannot be read", party=self.id) from None
        if not isinstance(key, Ed25519PublicKey):
            raise IntegrityError("its signing certificate is not for Ed25519", party=self.id)
        return key

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
        """The member that :meth:`to_plain` wrote. Raises IntegrityError on any other form."""
        record = Record(plain, "a member of the roster", _MEMBER_FIELDS)
        try:
            identifier = party_id(record.text("id", ID_LENGTH_MAX))
            role = Role(record.text("role", ID_LENGTH_MAX))
        except ValueError:
            raise IntegrityError("a member of the roster has no proper id or role") from None
        return cls(
            id=identifier,
            role=role,
            organization=record.text("organization", ORGANIZATION_LENGTH_MAX),
            tls_certificate=record.octets("tls_certificate", 1, CERTIFICATE_SIZE_MAX),
            signing_certificate=record.octets("signing_certificate", 1, CERTIFICATE_SIZE_MAX),
        )


@dataclass(frozen=True)
class Roster:
    """The participants of one study: parties in the study's order, a dealer or none, coordinator.

    Raises IntegrityError unless there are 1 to 16 parties, at most one dealer behind them and
    exactly one coordinator, last, and no id or certificate occurs twice. (A *study* has at least
    two parties.)
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        roles = [member.role for member in self.members]
        count = roles.count(Role.PARTY)
        behind = [[Role.COORDINATOR], [Role.DEALER, Role.COORDINATOR]]
        if (
            not 1 <= count <= PARTIES_MAX
            or roles[:count] != [Role.PARTY] * count
            or roles[count:] not in behind
        ):
            raise IntegrityError(
                f"a roster is 1 to {PARTIES_MAX} parties, at most one dealer,"
                " and then the one coordinator"
            )
        if len({member.id for member in self.members}) != len(roles):
            raise IntegrityError("the roster lists one id twice")
        certificates = [member.tls_certificate for member in self.members]
        certificates += [member.signing_certificate for member in self.members]
        if len(set(certificates)) != len(certificates):
            raise IntegrityError("the roster lists one certificate twice")

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    @property
    def parties(self) -> tuple[Member, ...]:
        """The data owners, in the study's order."""
        return tuple(member for member in self.members if member.role is Role.PARTY)

    @property
    def dealer(self) -> Member | None:
        """Who deals correlated randomness, if the study has a dealer."""
        return next((member for member in self.members if member.role is Role.DEALER), None)

    @property
    def linked(self) -> tuple[Member, ...]:
        """Who meets over the lane: the parties, then the dealer if there is one."""
        return self.members[:-1]

    @property
    def coordinator(self) -> Member:
        return self.members[-1]

    @property
    def ids(self) -> tuple[PartyId, ...]:
        """Every participant's id, the coordinator's last: the order of Hellos."""
        return tuple(member.id for member in self.members)

    @property
    def without_dealer(self) -> Roster:
        """Parties and coordinator: who takes part where nothing is dealt."""
        return Roster(tuple(each for each in self.members if each.role is not Role.DEALER))

    def member(self, participant: str) -> Member:
        """The member called ``participant``. Raises IntegrityError if there is none."""
        for member in self.members:
            if member.id == participant:
                return member
        raise IntegrityError("an object names a participant that is not in the plan's roster")

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the canonical bytes: ids, roles, organizations and certificates."""
        return sha256_hex(canonical_bytes(self.to_plain()))

    def to_plain(self) -> Plain:
        return [member.to_plain() for member in self.members]

    @classmethod
    def from_plain(cls, plain: Plain) -> Roster:
        """The roster that :meth:`to_plain` wrote. Raises IntegrityError on any other form."""
        if not isinstance(plain, list) or len(plain) > PARTICIPANTS_MAX:
            raise IntegrityError(f"a roster is a list of at most {PARTICIPANTS_MAX} members")
        return cls(tuple(Member.from_plain(member) for member in plain))


def dealer_colleagues(roster: Roster) -> tuple[Member, ...]:
    """The parties and the coordinator, if it is, of the dealer's organization; () without a dealer.

    Who pools what that dealer and that party know reads everything that is multiplied or compared.
    Names are compared as :func:`same_organization` does: it finds what is plain to see, and no
    more. Opens: nothing.
    """
    dealer = roster.dealer
    if dealer is None:
        return ()
    return tuple(
        member
        for member in roster
        if member != dealer and same_organization(dealer.organization, member.organization)
    )


def same_organization(one: str, other: str) -> bool:
    """Whether two names are one organization's, apart from case, blanks and Unicode's forms."""
    return _plain_name(one) == _plain_name(other)


def _plain_name(organization: str) -> str:
    return "".join(unicodedata.normalize("NFKC", organization).casefold().split())
