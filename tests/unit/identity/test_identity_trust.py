"""A peer is accepted by pin alone; the authority's signature admits nobody."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from identity_federation import OFFICE, A, At, B, Federation

from mpc.errors import IdentityError, UsageError
from mpc.roster import Member, Roster
from mpc.units import PartyId, Role
from parties.identity.authority import approve
from parties.identity.bundle import read_bundle
from parties.identity.store import load_identity, request
from parties.identity.trust import Trust, load_trust, trust_peer


def pins_of(federation: Federation, *names: str) -> dict[PartyId, str]:
    return {PartyId(name): federation.fingerprints[name] for name in names}


def trust_of_a(federation: Federation, *pinned: str) -> Trust:
    identity = load_identity(federation.of(A))
    return load_trust(federation.of(A), identity, pins_of(federation, *pinned))


def member(federation: Federation, name: str) -> Member:
    return read_bundle(federation.bundle(name)).member


def forged_b(federation: Federation, folder: Path) -> Member:
    """What an authority that turned bad can make: certificates for B with its own keys."""
    asked = request(folder / "forged", B, Role.PARTY, f"{B} Ltd")
    out = folder / "forged.pem"
    approve(federation.authority, asked, out, replace=federation.fingerprints[B])
    return read_bundle(out).member


def test_known_and_pinned_peer_is_given(federation: Federation) -> None:
    trust_peer(federation.of(A), federation.bundle(OFFICE), federation.fingerprints[OFFICE])

    trust = trust_of_a(federation, OFFICE, B)

    assert trust.members == (member(federation, OFFICE),)
    assert trust.member(PartyId(OFFICE)) == member(federation, OFFICE)


def test_peer_bundle_with_another_fingerprint_is_not_kept(federation: Federation) -> None:
    with pytest.raises(IdentityError, match="study-office have the fingerprint"):
        trust_peer(federation.of(A), federation.bundle(OFFICE), federation.fingerprints[B])
    assert not (federation.of(A) / "peers").exists()


def test_pinned_peer_without_bundle_is_known_from_a_roster_only(federation: Federation) -> None:
    trust = trust_of_a(federation, OFFICE, B)

    with pytest.raises(IdentityError, match="no certificates of insurer-b here"):
        trust.member(PartyId(B))
    trust.check(member(federation, B))


def test_unpinned_peer_is_refused_although_its_certificate_is_good(
    federation: Federation,
) -> None:
    with pytest.raises(IdentityError, match="party insurer-b is not pinned here"):
        trust_of_a(federation, OFFICE).check(member(federation, B))


def test_authority_cannot_forge_a_pinned_party(federation: Federation, tmp_path: Path) -> None:
    trust = trust_of_a(federation, OFFICE, B)
    forged = forged_b(federation, tmp_path)

    with pytest.raises(IdentityError, match="renewed or forged") as refusal:
        trust.check(forged)
    assert forged.fingerprint in str(refusal.value)
    assert federation.fingerprints[B] in str(refusal.value)


def test_bundle_kept_before_the_pin_changed_is_refused(federation: Federation) -> None:
    trust_peer(federation.of(A), federation.bundle(B), federation.fingerprints[B])
    identity = load_identity(federation.of(A))
    pins = {PartyId(B): federation.fingerprints[OFFICE]}

    with pytest.raises(IdentityError, match="insurer-b have the fingerprint"):
        load_trust(federation.of(A), identity, pins)


def test_bundle_under_another_name_is_refused(federation: Federation) -> None:
    trust_peer(federation.of(A), federation.bundle(B), federation.fingerprints[B])
    peers = federation.of(A) / "peers"
    (peers / f"{B}.pem").rename(peers / f"{OFFICE}.pem")

    with pytest.raises(UsageError, match="holds the certificates of insurer-b"):
        trust_of_a(federation, OFFICE)


def test_expired_peer_is_refused_when_used_and_named(federation: Federation) -> None:
    identity = load_identity(federation.of(A))
    later = At(int(time.time()) + 400 * 86400)
    trust = load_trust(federation.of(A), identity, pins_of(federation, B), clock=later)

    with pytest.raises(IdentityError, match=r"TLS certificate of party insurer-b .* expired"):
        trust.check(member(federation, B))


def test_party_is_no_coordinator_however_the_file_lists_it(federation: Federation) -> None:
    for peer in (OFFICE, B):
        trust_peer(federation.of(A), federation.bundle(peer), federation.fingerprints[peer])
    trust = trust_of_a(federation, OFFICE, B)

    assert trust.coordinators([PartyId(OFFICE)]) == (member(federation, OFFICE),)
    with pytest.raises(IdentityError, match="insurer-b is a party"):
        trust.coordinators([PartyId(OFFICE), PartyId(B)])


def roster(*members: Member) -> Roster:
    return Roster(tuple(members))


def test_roster_of_pinned_members_and_itself_is_accepted(federation: Federation) -> None:
    trust_of_a(federation, OFFICE, B).check_roster(
        roster(*(member(federation, name) for name in (A, B, OFFICE)))
    )


def test_roster_with_a_forged_party_is_refused(federation: Federation, tmp_path: Path) -> None:
    good = roster(*(member(federation, name) for name in (A, B, OFFICE)))
    forged = forged_b(federation, tmp_path)
    bad = roster(good.parties[0], forged, good.coordinator)

    with pytest.raises(IdentityError, match="insurer-b"):
        trust_of_a(federation, OFFICE, B).check_roster(bad)


def test_roster_with_other_certificates_for_oneself_is_refused(
    federation: Federation, tmp_path: Path
) -> None:
    asked = request(tmp_path / "own", A, Role.PARTY, f"{A} Ltd")
    out = tmp_path / "own.pem"
    approve(federation.authority, asked, out, replace=federation.fingerprints[A])
    bad = roster(read_bundle(out).member, member(federation, B), member(federation, OFFICE))

    with pytest.raises(IdentityError, match="other certificates for insurer-a than its own"):
        trust_of_a(federation, OFFICE, B).check_roster(bad)


def test_roster_without_oneself_is_refused(federation: Federation, tmp_path: Path) -> None:
    asked = request(tmp_path / "third", "insurer-c", Role.PARTY, "insurer-c Ltd")
    out = tmp_path / "third.pem"
    approve(federation.authority, asked, out)
    bad = roster(member(federation, B), read_bundle(out).member, member(federation, OFFICE))

    with pytest.raises(IdentityError, match="does not list insurer-a"):
        trust_of_a(federation, OFFICE, B).check_roster(bad)


def test_roster_that_calls_a_member_by_another_organization_is_refused(
    federation: Federation,
) -> None:
    b = member(federation, B)
    renamed = Member(b.id, b.role, "Another Ltd", b.tls_certificate, b.signing_certificate)
    bad = roster(member(federation, A), renamed, member(federation, OFFICE))

    with pytest.raises(IdentityError, match="listed for party insurer-b of Another Ltd"):
        trust_of_a(federation, OFFICE, B).check_roster(bad)
