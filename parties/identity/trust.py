"""Whom a participant accepts: peers pinned by id and fingerprint in its own file.

The authority's signature admits nobody. A node's file pins ``id: fingerprint``; the certificates
behind a pin come from ``peers/<id>.pem`` (installed by ``parley pki trust``) or, for parties that
only meet in a study, from the roster proposed to it, and must match the pin either way. So an
authority kept by the coordinator cannot forge a party.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mpc.errors import IdentityError, UsageError
from mpc.ports import Clock
from mpc.roster import Member, Roster
from mpc.units import PartyId, Role
from parties.identity import files
from parties.identity.bundle import check_fingerprint, check_member, read_authority, read_bundle
from parties.identity.certificates import SYSTEM_CLOCK
from parties.identity.store import AUTHORITY, Identity

PEERS = "peers"


def trust_peer(
    directory: Path,
    bundle_file: Path,
    fingerprint: str,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> Member:
    """Keep a peer's certificates in the identity folder, once its fingerprint was compared.

    Only a pin in the node's own file makes the peer trusted; this makes it known.
    """
    bundle = read_bundle(bundle_file)
    check_fingerprint(bundle.member, fingerprint)
    check_member(bundle.member, read_authority(directory / AUTHORITY), clock)
    peers = directory / PEERS
    peers.mkdir(mode=0o700, exist_ok=True)
    files.write_public(peers / f"{bundle.names.id}.pem", bundle.pem())
    return bundle.member


@dataclass(frozen=True)
class Trust:
    """The pins of one participant, and the pinned peers whose certificates it has."""

    identity: Identity
    pins: Mapping[PartyId, str]
    members: tuple[Member, ...]
    clock: Clock = SYSTEM_CLOCK

    def member(self, peer: PartyId) -> Member:
        """The certificates of a pinned peer, valid now. Raises IdentityError if there are none."""
        for known in self.members:
            if known.id == peer:
                self.check(known)
                return known
        raise IdentityError(
            f"no certificates of {peer} here",
            hint="parley pki trust its bundle, and pin its fingerprint",
        )

    def coordinators(self, named: Iterable[PartyId]) -> tuple[Member, ...]:
        """The members that may propose studies: each pinned, known, and a coordinator.

        Their times are not looked at: :meth:`check` does that for the one that calls.
        """
        wanted = tuple(named)
        found = tuple(member for member in self.members if member.id in wanted)
        for member in found:
            if member.role is not Role.COORDINATOR:
                raise IdentityError(
                    f"{member.id} is a {member.role.value}; only a coordinator may propose studies"
                )
        return found

    def check(self, member: Member) -> None:
        """Refuse ``member`` unless it is pinned, and its certificates hold now."""
        pinned = self.pins.get(member.id)
        if pinned is None:
            raise IdentityError(
                f"{member.role.value} {member.id} is not pinned here",
                hint="its fingerprint must be compared and written into this node's file",
            )
        if member.fingerprint != pinned:
            raise IdentityError(
                f"certificates presented for {member.role.value} {member.id} have the fingerprint"
                f" {member.fingerprint}; the one pinned here is {pinned}",
                hint="renewed or forged: ask its operator, by another way",
            )
        check_member(member, self.identity.authority, self.clock)

    def check_roster(self, roster: Roster) -> None:
        """Refuse a proposed roster that has not this very participant, or has an unpinned one."""
        own = self.identity.member
        if own.id not in roster.ids:
            raise IdentityError(f"the roster does not list {own.id}, whom it was sent to")
        for member in roster:
            if member.id != own.id:
                self.check(member)
            elif member != own:
                raise IdentityError(
                    f"the roster lists other certificates for {own.id} than its own"
                    f" ({member.fingerprint} instead of {own.fingerprint})"
                )


def load_trust(
    directory: Path,
    identity: Identity,
    pins: Mapping[PartyId, str],
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> Trust:
    """The pins, with every bundle of ``peers/`` that is pinned; one that differs is refused.

    A pinned peer without bundle is accepted later, from a roster that matches its pin.
    """
    members = []
    for peer, pinned in pins.items():
        path = directory / PEERS / f"{peer}.pem"
        if not path.exists():
            continue
        member = read_bundle(path).member
        if member.id != peer:
            raise UsageError(f"{path} holds the certificates of {member.id}")
        check_fingerprint(member, pinned)
        members.append(member)
    return Trust(identity, dict(pins), tuple(members), clock)
