"""Making certificates of a federation: the authority's own, and a participant's leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mpc.errors import UsageError
from mpc.ports import Clock
from parties.identity.certificates import TOP_NAME, USES, Leaf, Names, PublicKey

SKEW_S = 300  # clocks of a federation may differ by this much
DAYS_MAX = 7300


def _start(days: int, clock: Clock) -> tuple[x509.CertificateBuilder, datetime]:
    if not 1 <= days <= DAYS_MAX:
        raise UsageError(f"a certificate lasts 1 to {DAYS_MAX} days")
    now = datetime.fromtimestamp(clock.unix_s(), UTC)
    builder = (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=SKEW_S))
    )
    return builder, now + timedelta(days=days)


def _usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        encipher_only=False,
        decipher_only=False,
    )


def make_authority(
    key: ec.EllipticCurvePrivateKey, organization: str, days: int, clock: Clock
) -> x509.Certificate:
    """A self-signed authority that may sign leaves under ``.parley`` only."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, "Parley federation authority"),
        ]
    )
    builder, until = _start(days, clock)
    return (
        builder.subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(leaf=False), critical=True)
        .add_extension(x509.NameConstraints([x509.DNSName(TOP_NAME)], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def make_leaf(
    leaf: Leaf,
    names: Names,
    key: PublicKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    days: int,
    clock: Clock,
) -> x509.Certificate:
    """A leaf for ``key``, valid for ``days`` but never longer than the authority."""
    builder, until = _start(days, clock)
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.subject_name(names.subject)
        .issuer_name(authority.subject)
        .public_key(key)
        .not_valid_after(min(until, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(leaf=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(USES[leaf]), critical=leaf is Leaf.SIGNING)
        .add_extension(names.alternatives, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
