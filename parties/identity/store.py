"""A participant's own identity: keys made here that never leave, certificates issued elsewhere.

Folder (mode 0700): ``tls.key`` and ``sign.key`` (0600), ``request.pem`` for the authority,
``identity.pem`` (TLS and signing certificate), ``ca.pem``, and ``peers/`` (see
:mod:`parties.identity.trust`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding

from mpc.canonical import Plain
from mpc.errors import IdentityError, SecretMisuseError, UsageError
from mpc.ports import Clock
from mpc.roster import Member, signed_bytes
from mpc.units import Role, party_id
from parties.identity import files
from parties.identity.authority import keys_fingerprint, read_request
from parties.identity.bundle import (
    Bundle,
    check_bundle,
    check_bundle_validity,
    check_fingerprint,
    read_authority,
    read_bundle,
)
from parties.identity.certificates import SYSTEM_CLOCK, Names, names_of, parse_pem, pem

TLS_KEY = "tls.key"
SIGNING_KEY = "sign.key"
REQUEST = "request.pem"
OWN_CERTIFICATES = "identity.pem"
AUTHORITY = "ca.pem"
DERIVED_BYTES = 32


class Identity:
    """Who this participant is, and its keys. Shows no key, and cannot be copied or pickled."""

    __slots__ = ("_signing_key", "_tls_key", "authority", "bundle", "member")

    def __init__(
        self,
        bundle: Bundle,
        tls_key: ec.EllipticCurvePrivateKey,
        signing_key: ed25519.Ed25519PrivateKey,
    ) -> None:
        """Raises IdentityError if a key is not that of its certificate."""
        held = keys_fingerprint(tls_key.public_key(), signing_key.public_key())
        if held != _keys_of(bundle):
            raise IdentityError(
                f"the keys here are not those of the certificates of {bundle.names}"
            )
        self.bundle = bundle
        self.member: Member = bundle.member
        self.authority: x509.Certificate = bundle.authority
        self._tls_key = tls_key
        self._signing_key = signing_key

    def sign(self, context: str, message: bytes) -> bytes:
        """Ed25519 over ``message`` in ``context``; :meth:`mpc.roster.Member.verify` checks it."""
        return self._signing_key.sign(signed_bytes(context, message))

    def key_for(self, purpose: str) -> bytes:
        """32 bytes that follow from the signing key, for ``purpose`` and nothing else.

        HKDF-SHA256. The same as long as the keys are, renewed certificates or not.
        """
        derivation = HKDF(hashes.SHA256(), DERIVED_BYTES, salt=None, info=purpose.encode())
        return derivation.derive(self._signing_key.private_bytes_raw())

    def check_validity(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Raise IdentityError if an own certificate is expired or not yet valid."""
        check_bundle_validity(self.bundle, clock)

    def tls_key_pem(self) -> bytes:
        """For TLS credentials alone."""
        return files.key_pem(self._tls_key)

    def tls_certificate_pem(self) -> bytes:
        return pem(self.bundle.tls)

    def authority_pem(self) -> bytes:
        return pem(self.authority)

    def for_worker(self) -> dict[str, Plain]:
        """Keys and certificates, for the inherited pipe to a worker and nowhere else."""
        return {
            "bundle": self.bundle.pem().decode("ascii"),
            "tls_key": files.key_pem(self._tls_key).decode("ascii"),
            "signing_key": files.key_pem(self._signing_key).decode("ascii"),
        }

    @classmethod
    def from_node(cls, order: Plain) -> Identity:
        """The identity that :meth:`for_worker` described."""
        if not isinstance(order, dict):
            raise IdentityError("the node handed over no identity")
        parts = [str(order.get(name, "")) for name in ("bundle", "tls_key", "signing_key")]
        found = parse_pem(parts[0].encode("ascii"), "the node's order")
        if len(found) != 3:
            raise IdentityError("the node handed over no identity")
        return cls(
            check_bundle(*found),
            files.tls_key_of(parts[1].encode("ascii"), "the node's order"),
            files.signing_key_of(parts[2].encode("ascii"), "the node's order"),
        )

    def __repr__(self) -> str:
        return f"Identity({self.bundle.names}, {self.member.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise SecretMisuseError("an identity holds keys: it is not copied or serialised")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, _memo: object) -> NoReturn:
        self.__reduce__()


def _keys_of(bundle: Bundle) -> str:
    return keys_fingerprint(
        bundle.tls.public_key(),  # type: ignore[arg-type] # a bundle's kinds are checked
        bundle.signing.public_key(),  # type: ignore[arg-type]
    )


def request(directory: Path, id: str, role: Role, organization: str) -> Path:  # noqa: A002
    """Make keys in ``directory`` and a request for their certificates; returns the request's path.

    Asked again with the same names, it requests a renewal for the same keys. A folder that belongs
    to other names is refused: raises UsageError.
    """
    try:
        names = Names(party_id(id), role, organization)
    except ValueError as fault:
        raise UsageError(str(fault)) from None
    files.make_directory(directory)
    path = directory / REQUEST
    owner = _owner(directory)
    if owner is not None and owner != names:
        raise UsageError(f"{directory} belongs to {owner}; take another folder")
    if not (directory / TLS_KEY).exists():
        made = files.key_pem(ec.generate_private_key(ec.SECP256R1()))
        files.write_private(directory / TLS_KEY, made)
    if not (directory / SIGNING_KEY).exists():
        made = files.key_pem(ed25519.Ed25519PrivateKey.generate())
        files.write_private(directory / SIGNING_KEY, made)
    tls_key, signing_key = _own_keys(directory)
    start = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(names.subject)
        .add_extension(names.alternatives, critical=False)
    )
    signed = (start.sign(tls_key, hashes.SHA256()), start.sign(signing_key, None))
    files.write_public(path, b"".join(each.public_bytes(Encoding.PEM) for each in signed))
    return path


def _owner(directory: Path) -> Names | None:
    """Whose folder this is, by its certificates or the request they will come for."""
    certificates, asked = directory / OWN_CERTIFICATES, directory / REQUEST
    if certificates.exists():
        found = parse_pem(files.read(certificates), str(certificates))
        return names_of(found[0]) if found else None
    return read_request(asked).names if asked.exists() else None


def _own_keys(
    directory: Path,
) -> tuple[ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]:
    tls, signing = directory / TLS_KEY, directory / SIGNING_KEY
    return (
        files.tls_key_of(files.read_private(tls), str(tls)),
        files.signing_key_of(files.read_private(signing), str(signing)),
    )


def install(
    directory: Path,
    bundle_file: Path,
    fingerprint: str | None = None,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> Member:
    """Take the certificates that the authority issued for the keys in ``directory``.

    Refused, with nothing written: certificates for other keys (another participant's), outside
    their time, with another fingerprint than the one given, or of another authority than before.
    """
    bundle = read_bundle(bundle_file)
    if fingerprint is not None:
        check_fingerprint(bundle.member, fingerprint)
    check_bundle_validity(bundle, clock)
    Identity(bundle, *_own_keys(directory))
    before = directory / AUTHORITY
    if before.exists() and read_authority(before).public_key() != bundle.authority.public_key():
        raise IdentityError(
            f"{bundle_file} was issued by another authority than {directory} belongs to",
            hint="a new federation needs a new folder",
        )
    files.write_public(before, pem(bundle.authority))
    files.write_public(directory / OWN_CERTIFICATES, pem(bundle.tls) + pem(bundle.signing))
    return bundle.member


def load_identity(directory: Path, *, clock: Clock = SYSTEM_CLOCK) -> Identity:
    """The identity in ``directory``: keys and certificates match, and all are valid now.

    Raises IdentityError naming the certificate that is not, or the file that others may read.
    """
    own, authority = directory / OWN_CERTIFICATES, directory / AUTHORITY
    if (directory / REQUEST).exists() and not own.exists():
        raise IdentityError(
            f"{directory} has no certificates yet",
            hint="send its request.pem to the authority, then parley pki install",
        )
    leaves = parse_pem(files.read(own), str(own))
    if len(leaves) != 2:
        raise UsageError(f"{own} must hold two certificates, for TLS and signing")
    identity = Identity(check_bundle(*leaves, read_authority(authority)), *_own_keys(directory))
    identity.check_validity(clock)
    return identity
