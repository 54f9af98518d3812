"""What certificates of a federation look like, and refusing any other.

A participant has two leaves from one authority, so that the key which signs approvals and shares
never meets TLS: a P-256 certificate for TLS (client and server use) and an Ed25519 one for
documents (RFC 9336). Both name it in one way only: subject ``O=organization``, alternative names
URI ``parley:<role>:<id>`` and DNS ``<id>.parley``. The authority may sign no other authority, and
no DNS name outside ``.parley``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from mpc.errors import IdentityError, UsageError
from mpc.ports import Clock
from mpc.units import PartyId, Role, party_id
from parties.system import SystemClock

SYSTEM_CLOCK = SystemClock()

TOP_NAME = "parley"
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
ORGANIZATION_LENGTH_MAX = 64  # X.520 ub-organization-name
FILE_SIZE_MAX = 64 * 1024  # bytes of a request or bundle
_SHOWN_MAX = 80  # characters of a foreign name in an error

_MALFORMED = (
    # what reading a certificate that somebody else made may raise
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class Names:
    """Who a participant is: the whole content of its certificates' names."""

    id: PartyId
    role: Role
    organization: str

    def __post_init__(self) -> None:
        party_id(self.id)
        text = self.organization
        if (
            not 1 <= len(text) <= ORGANIZATION_LENGTH_MAX
            or text != text.strip()
            or text != unicodedata.normalize("NFC", text)
            or not text.isprintable()
        ):
            raise ValueError(
                "an organization is 1 to 64 printable characters (Unicode NFC) without outer blanks"
            )

    @property
    def subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization)])

    @property
    def alternatives(self) -> x509.SubjectAlternativeName:
        return x509.SubjectAlternativeName(
            [
                x509.UniformResourceIdentifier(f"{TOP_NAME}:{self.role.value}:{self.id}"),
                x509.DNSName(tls_name(self.id)),
            ]
        )

    def __str__(self) -> str:
        return f"{self.role.value} {self.id} of {self.organization}"


class Leaf(Enum):
    """The two certificates of a participant; the value is what errors call them."""

    TLS = "TLS certificate"
    SIGNING = "signing certificate"


USES = {
    Leaf.TLS: [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
    Leaf.SIGNING: [DOCUMENT_SIGNING],
}
_LEAF_EXTENSIONS = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.SubjectAlternativeName.oid,
    x509.SubjectKeyIdentifier.oid,
    x509.AuthorityKeyIdentifier.oid,
}


def tls_name(party: PartyId) -> str:
    """The DNS name in ``party``'s certificates; resolved nowhere, only compared."""
    return f"{party}.{TOP_NAME}"


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def parse_der(data: bytes) -> x509.Certificate:
    """``data`` as a certificate. Raises IdentityError if it is none."""
    try:
        return x509.load_der_x509_certificate(data)
    except _MALFORMED:
        raise IdentityError("what was given as a certificate is none") from None


def parse_pem(data: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Every certificate of a PEM file, at most ``FILE_SIZE_MAX`` bytes."""
    if len(data) > FILE_SIZE_MAX:
        raise UsageError(f"{source} is larger than {FILE_SIZE_MAX} bytes")
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except _MALFORMED:
        raise UsageError(f"{source} holds no PEM certificates") from None


def shown_alternatives(certificate: x509.Certificate) -> str:
    """A foreign certificate's alternative names for an error, cut short, or ``none``."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [str(name.value) for name in found.value]
    except _MALFORMED:
        names = []
    return _safe(", ".join(names)) or "none"


def _shown_names(certificate: x509.Certificate) -> str:
    try:
        subject = certificate.subject.rfc4514_string()
    except _MALFORMED:
        subject = ""
    return f"SAN: {shown_alternatives(certificate)}; subject {_safe(subject) or 'empty'}"


def _safe(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= _SHOWN_MAX else plain[:_SHOWN_MAX] + "…"


def describe(certificate: x509.Certificate) -> str:
    """Which certificate and whose, for an error."""
    serial = f"serial {certificate.serial_number:x}"
    try:
        return f"certificate of {names_of(certificate)} ({serial})"
    except IdentityError:
        return f"certificate with {_shown_names(certificate)} ({serial})"


def names_of(signed: x509.Certificate | x509.CertificateSigningRequest) -> Names:
    """The participant that ``signed`` names. Raises IdentityError if it names one in another way.

    A common name counts for nothing, and any further name is a refusal.
    """
    try:
        found = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        attributes = list(signed.subject)
    except _MALFORMED:
        raise _misnamed(signed) from None
    alternatives = list(found.value)
    uris = [each.value for each in alternatives if isinstance(each, x509.UniformResourceIdentifier)]
    if len(attributes) != 1 or len(uris) != 1 or len(alternatives) != 2:
        raise _misnamed(signed)
    top, _, rest = uris[0].partition(":")
    role, _, identifier = rest.partition(":")
    organization = attributes[0].value
    try:
        names = Names(
            party_id(identifier),
            Role(role),
            organization if isinstance(organization, str) else "",
        )
    except ValueError:
        raise _misnamed(signed) from None
    if top != TOP_NAME or found.value != names.alternatives or signed.subject != names.subject:
        raise _misnamed(signed)
    return names


def _misnamed(signed: x509.Certificate | x509.CertificateSigningRequest) -> IdentityError:
    if isinstance(signed, x509.Certificate):
        what = f"certificate with {_shown_names(signed)}"
    else:
        what = "certificate request"
    return IdentityError(
        f"{what} does not name a participant of a federation",
        hint="subject O=organization alone, SAN URI parley:<role>:<id> and DNS <id>.parley alone",
    )


def check_validity(certificate: x509.Certificate, what: str, clock: Clock) -> None:
    """Refuse ``certificate`` (called ``what``) outside its time. No grace."""
    now = datetime.fromtimestamp(clock.unix_s(), UTC)
    try:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _MALFORMED:
        raise IdentityError(f"{what} states no time of validity") from None
    if now < first:
        raise IdentityError(
            f"{what} is not valid before {_moment(first)}; it is {_moment(now)} here",
            hint="check this machine's clock",
        )
    if now > last:
        raise IdentityError(
            f"{what} expired at {_moment(last)}; it is {_moment(now)} here",
            hint="renew it with parley pki request, approve and install",
        )


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def check_authority(certificate: x509.Certificate) -> None:
    """Refuse what is no federation's authority: a self-signed P-256 CA that signs leaves only."""
    what = f"authority {describe(certificate)}"
    try:
        certificate.verify_directly_issued_by(certificate)
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        key = certificate.public_key()
    except _MALFORMED:
        raise IdentityError(f"{what} is no authority of a federation") from None
    check_key(key, Leaf.TLS, what)
    if not (basic.ca and basic.path_length == 0 and usage.key_cert_sign):
        raise IdentityError(f"{what} may not issue certificates of a federation")


def check_leaf(certificate: x509.Certificate, leaf: Leaf) -> Names:
    """Refuse ``certificate`` unless it has the exact form of that leaf; whom it names.

    Its time and its issuer are checked elsewhere: see :func:`check_validity`, :func:`check_issuer`.
    """
    names = names_of(certificate)
    what = f"{leaf.value} of {names}"
    try:
        extensions = certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        key = certificate.public_key()
    except _MALFORMED:
        raise IdentityError(f"{what} lacks the uses it must state") from None
    if {extension.oid for extension in extensions} - _LEAF_EXTENSIONS:
        raise IdentityError(f"{what} has extensions that no certificate of a federation has")
    if basic.ca or usage.key_cert_sign or not usage.digital_signature:
        raise IdentityError(f"{what} is no leaf: it may issue certificates or may not sign")
    if set(uses) != set(USES[leaf]):
        raise IdentityError(f"{what} states other uses than it must")
    check_key(key, leaf, what)
    return names


def check_key(key: object, leaf: Leaf, what: str) -> None:
    """Refuse a public key of another kind than ``leaf`` has."""
    if leaf is Leaf.TLS:
        right = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    else:
        right = isinstance(key, ed25519.Ed25519PublicKey)
    if not right:
        wanted = "P-256" if leaf is Leaf.TLS else "Ed25519"
        raise IdentityError(f"{what} has a key that is not {wanted}")


def check_issuer(certificate: x509.Certificate, authority: x509.Certificate) -> None:
    """Refuse ``certificate`` unless ``authority`` signed it: self-signed or foreign ones fail."""
    try:
        if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
            raise ValueError
        certificate.verify_directly_issued_by(authority)
    except _MALFORMED:
        raise IdentityError(
            f"{describe(certificate)} was not issued by this federation's authority"
            f" ({issued_by(certificate)})"
        ) from None


def issued_by(certificate: x509.Certificate) -> str:
    """Where a foreign certificate comes from, in two words for an error."""
    try:
        return "self-signed" if certificate.issuer == certificate.subject else "issued elsewhere"
    except _MALFORMED:
        return "issuer unreadable"
