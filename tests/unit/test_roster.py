"""Who takes part: one order, one coordinator, and signatures that only a member makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lane_federation import Federation
from seeded_randomness import SeededRandomness

from mpc.canonical import canonical_bytes, from_canonical
from mpc.errors import IntegrityError
from mpc.roster import (
    Member,
    Roster,
    dealer_colleagues,
    signed_bytes,
)
from mpc.testing.participants import make_participants, roster_of
from mpc.units import PARTIES_MAX, Role, sha256_hex

PARTICIPANTS = make_participants(3, SeededRandomness("roster"))
ROSTER = roster_of(PARTICIPANTS)
DEALT = roster_of(make_participants(3, SeededRandomness("roster"), dealer=True))
FIRST = PARTICIPANTS[0]


def test_order_is_parties_then_coordinator() -> None:
    assert [member.id for member in ROSTER.parties] == ["party-1", "party-2", "party-3"]
    assert ROSTER.coordinator.id == "office"
    assert ROSTER.ids == ("party-1", "party-2", "party-3", "office")
    assert list(ROSTER) == list(ROSTER.members)


def test_a_dealer_stands_between_parties_and_coordinator_and_is_no_party() -> None:
    assert ROSTER.dealer is None
    assert ROSTER.linked == ROSTER.parties
    assert DEALT.dealer is not None
    assert DEALT.ids == ("party-1", "party-2", "party-3", "dealer", "office")
    assert DEALT.linked == (*DEALT.parties, DEALT.dealer)
    assert DEALT.without_dealer.members == (*DEALT.parties, DEALT.coordinator)
    assert ROSTER.without_dealer == ROSTER
    assert [member.id for member in DEALT.parties] == ["party-1", "party-2", "party-3"]
    assert Roster.from_plain(from_canonical(canonical_bytes(DEALT.to_plain()))) == DEALT


def test_a_dealer_changes_the_digest_and_is_not_to_be_had_by_renaming_a_party() -> None:
    assert DEALT.dealer is not None
    as_party = replace(DEALT.dealer, role=Role.PARTY)
    others = [Roster((*DEALT.parties, as_party, DEALT.coordinator)), DEALT]
    others.append(Roster((*DEALT.parties, DEALT.coordinator)))
    assert len({other.digest for other in others}) == 3


@pytest.mark.parametrize(
    ("organization", "shared"),
    [
        ("Organization of party-1", True),
        ("ORGANIZATION  of Party-3", True),
        ("Organization\u00a0of office", True),
        ("Organization of ofﬁce", True),  # a ligature
        ("Organization of nobody else", False),
    ],
)
def test_a_dealer_of_anybodys_organization_is_found(organization: str, shared: bool) -> None:
    assert DEALT.dealer is not None
    dealer = replace(DEALT.dealer, organization=organization)
    roster = Roster((*DEALT.parties, dealer, DEALT.coordinator))

    assert bool(dealer_colleagues(roster)) is shared
    assert not dealer_colleagues(ROSTER)


def test_whoever_is_of_the_dealers_organization_is_named_and_the_dealer_itself_is_not() -> None:
    assert DEALT.dealer is not None
    assert dealer_colleagues(ROSTER) == dealer_colleagues(DEALT) == ()
    second, office = DEALT.parties[1], DEALT.coordinator
    members = (*DEALT.parties, replace(DEALT.dealer, organization=second.organization),
               replace(office, organization=second.organization.upper()))  # fmt: skip

    assert [each.id for each in dealer_colleagues(Roster(members))] == [second.id, office.id]


def test_canonical_form_goes_round_and_keeps_the_digest() -> None:
    plain = from_canonical(canonical_bytes(ROSTER.to_plain()))

    again = Roster.from_plain(plain)

    assert again == ROSTER
    assert again.digest == ROSTER.digest == sha256_hex(canonical_bytes(ROSTER.to_plain()))


def test_digest_depends_on_every_field_and_on_the_order() -> None:
    first, second, *rest = ROSTER.members
    others = [
        Roster((second, first, *rest)),
        Roster((replace(first, organization="Another"), second, *rest)),
        Roster((replace(first, tls_certificate=b"x"), second, *rest)),
        Roster((replace(first, signing_certificate=b"x"), second, *rest)),
        Roster((second, *rest)),
    ]
    assert len({ROSTER.digest, *(other.digest for other in others)}) == len(others) + 1


def test_fingerprint_is_over_both_certificates_tls_first() -> None:
    member = FIRST.member
    expected = sha256_hex(member.tls_certificate + member.signing_certificate)
    assert member.fingerprint == f"sha256:{expected}"


@pytest.mark.parametrize(
    "roles",
    [
        (),
        (Role.COORDINATOR,),
        (Role.PARTY, Role.PARTY),
        (Role.COORDINATOR, Role.PARTY),
        (Role.PARTY, Role.COORDINATOR, Role.COORDINATOR),
        (Role.DEALER, Role.COORDINATOR),
        (Role.PARTY, Role.DEALER),
        (Role.PARTY, Role.COORDINATOR, Role.DEALER),
        (Role.PARTY, Role.DEALER, Role.DEALER, Role.COORDINATOR),
        (Role.DEALER, Role.PARTY, Role.COORDINATOR),
        (Role.PARTY, Role.DEALER, Role.PARTY, Role.COORDINATOR),
        (Role.PARTY,) * (PARTIES_MAX + 1) + (Role.COORDINATOR,),
    ],
)
def test_other_shape_than_parties_and_one_coordinator_last_is_refused(
    roles: tuple[Role, ...],
) -> None:
    members = tuple(
        Member(f"m-{i}", role, "Org", b"t%d" % i, b"s%d" % i)  # type: ignore[arg-type]
        for i, role in enumerate(roles)
    )
    with pytest.raises(
        IntegrityError, match="1 to 16 parties, at most one dealer, and then the one coordinator"
    ):
        Roster(members)


def test_one_id_twice_is_refused() -> None:
    twin = replace(FIRST.member, tls_certificate=b"other", signing_certificate=b"another")
    with pytest.raises(IntegrityError, match="one id twice"):
        Roster((FIRST.member, twin, ROSTER.coordinator))


@pytest.mark.parametrize("field", ["tls_certificate", "signing_certificate"])
def test_one_certificate_twice_is_refused(field: str) -> None:
    second = replace(ROSTER.members[1], **{field: getattr(FIRST.member, field)})
    with pytest.raises(IntegrityError, match="one certificate twice"):
        Roster((FIRST.member, second, ROSTER.coordinator))


def test_certificate_in_both_places_of_a_member_is_refused() -> None:
    both = replace(FIRST.member, signing_certificate=FIRST.member.tls_certificate)
    with pytest.raises(IntegrityError, match="one certificate twice"):
        Roster((both, *ROSTER.members[1:]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Party 1"),
        ("id", ""),
        ("role", "owner"),
        ("organization", ""),
        ("organization", "x" * 65),
        ("organization", "two\nlines"),
        ("tls_certificate", ""),
        ("tls_certificate", "zz"),
        ("signing_certificate", "00" * 8193),
    ],
)
def test_member_of_another_form_is_refused(field: str, value: str) -> None:
    plain = FIRST.member.to_plain()
    plain[field] = value
    with pytest.raises(IntegrityError, match="a member of the roster"):
        Member.from_plain(plain)


@pytest.mark.parametrize("plain", [None, {}, "roster", [None], [[]]])
def test_roster_of_another_form_is_refused(plain: object) -> None:
    with pytest.raises(IntegrityError):
        Roster.from_plain(plain)  # type: ignore[arg-type]


def test_long_list_of_members_is_refused_before_it_is_read() -> None:
    with pytest.raises(IntegrityError, match="at most 18 members"):
        Roster.from_plain([None] * 19)


def test_unknown_member_is_refused_without_an_echo() -> None:
    with pytest.raises(IntegrityError) as caught:
        ROSTER.member("canary")
    assert "canary" not in str(caught.value)


def test_own_signature_holds() -> None:
    FIRST.member.verify("parley/x/v1", b"message", FIRST.sign("parley/x/v1", b"message"))


@pytest.mark.parametrize(
    ("context", "message"),
    [("parley/y/v1", b"message"), ("parley/x/v1", b"massage"), ("parley/x/v1", b"")],
)
def test_signature_holds_in_its_context_over_its_message_alone(
    context: str, message: bytes
) -> None:
    signature = FIRST.sign("parley/x/v1", b"message")
    with pytest.raises(IntegrityError, match=f"party-1: its signature on {context}"):
        FIRST.member.verify(context, message, signature)


def test_signature_of_another_member_is_refused_naming_who_should_have_signed() -> None:
    signature = PARTICIPANTS[1].sign("parley/x/v1", b"message")
    with pytest.raises(IntegrityError, match="party-1: its signature"):
        FIRST.member.verify("parley/x/v1", b"message", signature)


@pytest.mark.parametrize("signature", [b"", b"x" * 63, bytes(64), b"x" * 65])
def test_signature_of_impossible_form_is_refused(signature: bytes) -> None:
    with pytest.raises(IntegrityError, match="party-1: its signature"):
        FIRST.member.verify("parley/x/v1", b"message", signature)


def test_context_and_message_cannot_be_moved_into_each_other() -> None:
    assert signed_bytes("ab", b"c") != signed_bytes("a", b"bc")
    for context in ("", "a\0b", "é"):
        with pytest.raises(ValueError, match=r"context|ascii"):
            signed_bytes(context, b"")


def test_signing_certificate_that_is_none_is_refused_naming_the_member() -> None:
    broken = replace(FIRST.member, signing_certificate=b"nothing")
    with pytest.raises(IntegrityError, match="party-1: its signing certificate cannot be read"):
        broken.verify("parley/x/v1", b"", bytes(64))


def test_tls_certificate_in_the_place_of_the_signing_one_is_refused() -> None:
    member = Federation(1).parties[0].member  # real certificates: TLS is P-256
    swapped = replace(
        member,
        tls_certificate=member.signing_certificate,
        signing_certificate=member.tls_certificate,
    )
    with pytest.raises(IntegrityError, match="alpha: its signing certificate is not for Ed25519"):
        swapped.verify("parley/x/v1", b"", bytes(64))


def test_real_certificates_fit_the_size_limits() -> None:
    member = Federation(1).parties[0].member
    assert Member.from_plain(member.to_plain()) == member
