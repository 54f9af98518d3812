"""The federation's authority: it vouches for names, and holds nobody's key but its own.

It usually lives with the coordinator. That gives the coordinator no power over the parties: each
node accepts only the peers whose fingerprints its own file pins (:mod:`parties.identity.trust`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mpc.errors import IdentityError, UsageError
from mpc.ports import Clock
from mpc.units import PartyId, Role, sha256_hex
from parties.identity import files
from parties.identity.bundle import Bundle, read_authority, read_bundle
from parties.identity.certificates import (
    SYSTEM_CLOCK,
    Leaf,
    Names,
    PublicKey,
    check_key,
    check_validity,
    names_of,
    pem,
)
from parties.identity.issuing import make_authority, make_leaf

AUTHORITY_KEY = "ca.key"
AUTHORITY_CERTIFICATE = "ca.pem"
ISSUED = "issued"
_CSR_END = b"-----END CERTIFICATE REQUEST-----"


@dataclass(frozen=True)
class CertificateRequest:
    """What a participant asks the authority to vouch for. Both keys signed it.

    ``fingerprint`` is of the two public keys: the operator reads it out, the authority compares.
    """

    names: Names
    tls_key: ec.EllipticCurvePublicKey
    signing_key: PublicKey

    @property
    def fingerprint(self) -> str:
        return keys_fingerprint(self.tls_key, self.signing_key)


def keys_fingerprint(tls_key: PublicKey, signing_key: PublicKey) -> str:
    """``sha256:`` and hex SHA-256 of both public keys (SubjectPublicKeyInfo), TLS first."""
    spki = (PublicFormat.SubjectPublicKeyInfo,)
    return "sha256:" + sha256_hex(
        tls_key.public_bytes(Encoding.DER, *spki) + signing_key.public_bytes(Encoding.DER, *spki)
    )


def authority_init(
    directory: Path, organization: str, days: int = 3650, *, clock: Clock = SYSTEM_CLOCK
) -> x509.Certificate:
    """Make an authority in ``directory`` (mode 0700). Raises UsageError if there is one already."""
    try:
        Names(PartyId("authority"), Role.COORDINATOR, organization)
    except ValueError as fault:
        raise UsageError(str(fault)) from None
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_authority(key, organization, days, clock)
    files.make_directory(directory)
    files.write_private(directory / AUTHORITY_KEY, files.key_pem(key))
    files.write_public(directory / AUTHORITY_CERTIFICATE, pem(certificate))
    (directory / ISSUED).mkdir(mode=0o700, exist_ok=True)
    return certificate


def read_request(request_file: Path) -> CertificateRequest:
    """The request in ``request_file``, its signatures and form checked; nothing is issued."""
    blocks = files.read(request_file).split(_CSR_END)
    if len(blocks) != 3 or blocks[2].strip():
        raise UsageError(f"{request_file} is no request: it must hold two, for TLS and signing")
    try:
        tls, signing = (x509.load_pem_x509_csr(block + _CSR_END) for block in blocks[:2])
        valid = tls.is_signature_valid and signing.is_signature_valid
        keys = tls.public_key(), signing.public_key()
    except (ValueError, TypeError):
        raise UsageError(f"{request_file} holds no certificate requests in PEM") from None
    names = names_of(tls)
    what = f"request of {names}"
    if not valid or names_of(signing) != names:
        raise IdentityError(f"{what} is not signed by both of its keys, or they name two")
    check_key(keys[0], Leaf.TLS, what)
    check_key(keys[1], Leaf.SIGNING, what)
    return CertificateRequest(names, keys[0], keys[1])  # type: ignore[arg-type] # just checked


def approve(
    ca_directory: Path,
    request_file: Path,
    out: Path,
    days: int = 397,
    *,
    replace: str = "",
    again: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> str:
    """Issue both certificates for ``request_file`` into ``out``; returns their fingerprint.

    An id that was issued to other keys or another organization is refused, unless ``replace`` is
    the fingerprint of the identity it supersedes. Keys that were issued certificates before are
    refused too (UsageError), unless ``again``: everyone pinned those. Show :func:`read_request` to
    a person first.
    """
    asked = read_request(request_file)
    key = files.tls_key_of(files.read_private(ca_directory / AUTHORITY_KEY), AUTHORITY_KEY)
    authority = read_authority(ca_directory / AUTHORITY_CERTIFICATE)
    check_validity(authority, "this authority's certificate", clock)
    record = ca_directory / ISSUED / f"{asked.names.id}.pem"
    if record.exists():
        issued = read_bundle(record)
        _refuse_takeover(asked, issued, replace)
        if _same_keys(asked, issued) and not again:
            raise UsageError(
                f"{asked.names.id} was issued certificates before ({issued.member.fingerprint});"
                " --again issues others",
                hint="everyone who pinned that fingerprint would have to pin the new one",
            )
    elif replace:
        raise UsageError(f"{asked.names.id} was never issued here: there is nothing to replace")
    bundle = Bundle(
        make_leaf(Leaf.TLS, asked.names, asked.tls_key, authority, key, days, clock),
        make_leaf(Leaf.SIGNING, asked.names, asked.signing_key, authority, key, days, clock),
        authority,
    )
    files.write_public(record, bundle.pem())
    files.write_public(out, bundle.pem())
    return bundle.member.fingerprint


def _refuse_takeover(asked: CertificateRequest, issued: Bundle, replace: str) -> None:
    """An id belongs to the keys it was first issued to."""
    if not _same_keys(asked, issued) and replace != issued.member.fingerprint:
        raise IdentityError(
            f"{asked.names.id} was issued before, to {issued.names} with other keys or names"
            f" ({issued.member.fingerprint})",
            hint="if it is really superseded, name that fingerprint as the one to replace",
        )


def _same_keys(asked: CertificateRequest, issued: Bundle) -> bool:
    """Whether the same participant asks again, with the keys it has."""
    return asked.names == issued.names and asked.fingerprint == keys_fingerprint(
        issued.tls.public_key(),  # type: ignore[arg-type] # read_bundle checked the kinds
        issued.signing.public_key(),  # type: ignore[arg-type]
    )
