"""Approvals: one of every party, of this plan, in time, signed by the party itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from session_federation import SessionFederation

from mpc.errors import IntegrityError
from mpc.session.approval import Approval, check_approvals, run_id
from mpc.testing.sessions import NOW_UNIX_S, approvals_of

FEDERATION = SessionFederation(3, "approval")
PLAN = FEDERATION.plan
APPROVALS = approvals_of(PLAN, FEDERATION.participants, FEDERATION.randomness)


def signed(party: str, **fields: object) -> Approval:
    """An approval that ``party`` signs itself, with other ``fields`` than the good one."""
    good = next(approval for approval in APPROVALS if approval.party == party)
    plain = {
        "plan_digest": good.plan_digest,
        "party": good.party,
        "nonce": bytes.fromhex(good.nonce),
        "expires_unix_s": good.expires_unix_s,
        "approved_by": good.approved_by,
        **fields,
    }
    return Approval.sign(**plain, signer=FEDERATION.participant(party).sign)  # type: ignore[arg-type]


def test_approvals_of_all_parties_make_the_run() -> None:
    run = check_approvals(PLAN, APPROVALS, NOW_UNIX_S)
    assert run == run_id(PLAN.digest, APPROVALS)
    assert len(bytes.fromhex(run)) == 32


def test_approval_goes_round_as_bytes() -> None:
    assert Approval.from_bytes(APPROVALS[0].to_bytes()) == APPROVALS[0]
    assert Approval.from_plain(APPROVALS[0].to_plain()) == APPROVALS[0]


def test_every_part_of_an_approval_changes_the_run() -> None:
    first, *rest = APPROVALS
    runs = {run_id(PLAN.digest, APPROVALS), run_id(FEDERATION.planned("other").digest, APPROVALS)}
    for other in (
        signed("party-1", nonce=bytes(32)),
        signed("party-1", expires_unix_s=NOW_UNIX_S + 7),
        signed("party-1", approved_by="A. Person"),
        replace(first, signature=bytes(64)),
    ):
        runs.add(run_id(PLAN.digest, [other, *rest]))
    assert len(runs) == 6


@pytest.mark.parametrize(
    ("change", "about"),
    [
        (lambda a: a[:2], "missing: party-3"),
        (lambda a: (), "missing: party-1, party-2, party-3"),
        (lambda a: (a[1], a[0], a[2]), "out of order"),
        (lambda a: (a[0], a[0], a[2]), "missing: party-2"),
        (lambda a: (*a, a[0]), "repeated"),
    ],
)
def test_approvals_that_are_not_one_of_every_party_in_order_are_refused(
    change: Callable[[tuple[Approval, ...]], tuple[Approval, ...]], about: str
) -> None:
    with pytest.raises(IntegrityError, match=about):
        check_approvals(PLAN, change(APPROVALS), NOW_UNIX_S)


def test_approval_of_another_plan_is_refused_naming_the_party() -> None:
    other = signed("party-2", plan_digest=FEDERATION.planned("other").digest)
    with pytest.raises(IntegrityError, match="party-2: its approval is of another plan"):
        check_approvals(PLAN, (APPROVALS[0], other, APPROVALS[2]), NOW_UNIX_S)


@pytest.mark.parametrize("late_s", [0, 1, 10**9])
def test_expired_approval_is_refused_naming_the_party(late_s: int) -> None:
    expiring = signed("party-3", expires_unix_s=NOW_UNIX_S - late_s)
    with pytest.raises(IntegrityError, match="party-3: its approval has expired"):
        check_approvals(PLAN, (*APPROVALS[:2], expiring), NOW_UNIX_S)


def test_approval_holds_until_its_last_second() -> None:
    check_approvals(PLAN, APPROVALS, APPROVALS[0].expires_unix_s - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "00" * 32},
        {"expires_unix_s": NOW_UNIX_S + 10**6},
        {"approved_by": "somebody else"},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_changed_or_unsigned_approval_is_refused_naming_the_party(
    changes: dict[str, object],
) -> None:
    forged = replace(APPROVALS[1], **changes)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="party-2: its signature on parley/approval/v1"):
        check_approvals(PLAN, (APPROVALS[0], forged, APPROVALS[2]), NOW_UNIX_S)


def test_approval_signed_by_another_member_is_refused() -> None:
    unsigned = replace(APPROVALS[0], signature=b"")
    office = FEDERATION.participant("office")
    forged = replace(unsigned, signature=office.sign("parley/approval/v1", unsigned._message()))
    with pytest.raises(IntegrityError, match="party-1: its signature"):
        check_approvals(PLAN, (forged, *APPROVALS[1:]), NOW_UNIX_S)


def test_two_approvals_with_one_nonce_are_refused() -> None:
    twin = signed("party-2", nonce=bytes.fromhex(APPROVALS[0].nonce))
    with pytest.raises(IntegrityError, match="one nonce"):
        check_approvals(PLAN, (APPROVALS[0], twin, APPROVALS[2]), NOW_UNIX_S)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plan_digest", "00"),
        ("party", ""),
        ("nonce", "00" * 31),
        ("nonce", "AB" * 32),
        ("expires_unix_s", -1),
        ("expires_unix_s", True),
        ("expires_unix_s", "1"),
        ("approved_by", "two\nlines"),
        ("approved_by", "x" * 201),
        ("signature", "00" * 63),
    ],
)
def test_approval_of_another_form_is_refused(field: str, value: object) -> None:
    plain = APPROVALS[0].to_plain()
    plain[field] = value  # type: ignore[assignment]
    with pytest.raises(IntegrityError, match="an approval"):
        Approval.from_plain(plain)


def test_party_signs_no_approval_that_others_would_refuse_for_its_form() -> None:
    with pytest.raises(IntegrityError, match="an approval: nonce"):
        signed("party-1", nonce=bytes(16))
