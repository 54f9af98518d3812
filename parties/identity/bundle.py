"""A participant's two certificates as one file that may be shown to anyone: no key in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from mpc.errors import IdentityError, UsageError
from mpc.ports import Clock
from mpc.roster import Member
from mpc.units import is_fingerprint
from parties.identity import files
from parties.identity.certificates import (
    SYSTEM_CLOCK,
    Leaf,
    Names,
    check_authority,
    check_issuer,
    check_leaf,
    check_validity,
    der,
    names_of,
    parse_der,
    parse_pem,
    pem,
)


@dataclass(frozen=True)
class Bundle:
    """TLS leaf, signing leaf, and the authority that issued them; forms and issuer checked."""

    tls: x509.Certificate
    signing: x509.Certificate
    authority: x509.Certificate

    @property
    def names(self) -> Names:
        return names_of(self.tls)

    @property
    def member(self) -> Member:
        """The participant as a roster lists it."""
        names = self.names
        return Member(names.id, names.role, names.organization, der(self.tls), der(self.signing))

    def pem(self) -> bytes:
        return pem(self.tls) + pem(self.signing) + pem(self.authority)


def read_bundle(path: Path) -> Bundle:
    """The bundle in ``path``. Refused: any other content, and leaves the authority did not issue.

    The times of the certificates are not looked at.
    """
    found = parse_pem(files.read(path), str(path))
    if len(found) != 3:
        raise UsageError(
            f"{path} holds {len(found)} certificates; a bundle holds three: TLS, signing, authority"
        )
    return check_bundle(*found)


def read_authority(path: Path) -> x509.Certificate:
    """The authority's certificate in ``path``; anything else is refused."""
    found = parse_pem(files.read(path), str(path))
    if len(found) != 1:
        raise UsageError(f"{path} must hold one certificate, the authority's")
    check_authority(found[0])
    return found[0]


def check_bundle(
    tls: x509.Certificate, signing: x509.Certificate, authority: x509.Certificate
) -> Bundle:
    """The three as a bundle, or IdentityError: which is wrong, and whose."""
    check_authority(authority)
    names = check_leaf(tls, Leaf.TLS)
    if check_leaf(signing, Leaf.SIGNING) != names:
        raise IdentityError(f"the signing certificate beside {names}'s is of another participant")
    for leaf in (tls, signing):
        check_issuer(leaf, authority)
    return Bundle(tls, signing, authority)


def check_member(
    member: Member, authority: x509.Certificate, clock: Clock = SYSTEM_CLOCK
) -> Bundle:
    """Refuse ``member`` (as a roster lists it) unless its certificates say so, now."""
    bundle = check_bundle(
        parse_der(member.tls_certificate), parse_der(member.signing_certificate), authority
    )
    names = bundle.names
    if (names.id, names.role, names.organization) != (member.id, member.role, member.organization):
        raise IdentityError(
            f"certificates listed for {member.role.value} {member.id} of {member.organization}"
            f" are those of {names}"
        )
    check_bundle_validity(bundle, clock)
    return bundle


def check_bundle_validity(bundle: Bundle, clock: Clock) -> None:
    """Refuse a bundle of which any certificate is expired or not yet valid."""
    check_validity(bundle.tls, f"{Leaf.TLS.value} of {bundle.names}", clock)
    check_validity(bundle.signing, f"{Leaf.SIGNING.value} of {bundle.names}", clock)
    check_validity(bundle.authority, f"the authority's certificate of {bundle.names}", clock)


def check_fingerprint(member: Member, fingerprint: str) -> None:
    """Refuse ``member`` unless ``fingerprint`` is its own."""
    if not is_fingerprint(fingerprint):
        raise UsageError("a fingerprint is sha256: and 64 lower-case hex digits")
    if member.fingerprint != fingerprint:
        raise IdentityError(
            f"certificates of {member.role.value} {member.id} have the fingerprint"
            f" {member.fingerprint}, not {fingerprint}",
            hint="ask its operator, by another way, to read the fingerprint out",
        )
