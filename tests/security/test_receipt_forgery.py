"""Attacks on receipts: by an outsider, by the coordinator, and by a coordinator with its own CA.

The outsider can change bytes but sign nothing. The coordinator signs whatever it likes as itself.
A coordinator that makes up all parties is caught by the reader's roster file and by nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from receipts import (
    DEALER,
    PARTIES,
    Federation,
    Run,
    dealt_study,
    federation,
    run_of,
    shares_of,
    study,
)

from mpc.canonical import canonical_bytes
from mpc.errors import IntegrityError
from mpc.plan.build import plan_study
from mpc.ring.words import to_bytes
from mpc.session.agreement import Agreement, Phase
from mpc.session.approval import Approval
from mpc.session.hello import Hello
from mpc.session.share import ReleasedShare
from mpc.study.model import Privacy
from mpc.units import Adjacency
from parties.report.receipt import CONTEXT, load_receipt, receipt_bytes
from parties.report.verify import NO_PINS, ReceiptRefused, verify_receipt

Steps = tuple[str | int, ...]
Plain = dict[str, Any]

COORDINATORS_OWN = {("started_at",), ("released_at",), ("software",), ("signature",)}
"""What the coordinator alone says in a receipt; nobody else signs it."""


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return federation(tmp_path_factory.mktemp("federation"))


@pytest.fixture(scope="module")
def run(members: Federation) -> Run:
    return run_of(members)


def leaves(value: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def changed(value: Any) -> Any:
    """A near value of the same form."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return 1
    if not value:
        return "x"
    last = "1" if value[-1] == "0" else "0" if value[-1].isdigit() else "b"
    return value[:-1] + ("c" if last == value[-1] else last)


def with_change(plain: Plain, path: Steps, value: Any) -> Plain:
    forged = copy.deepcopy(plain)
    target: Any = forged
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return forged


def signed_again(members: Federation, plain: Plain) -> Plain:
    """The coordinator signs what it forged."""
    content = {key: value for key, value in plain.items() if key != "signature"}
    return {
        **content,
        "signature": members.office.sign(CONTEXT, canonical_bytes(content)).hex(),
    }


def refused(plain: Plain, members: Federation) -> str:
    """Why a reader with a roster file refuses ``plain``."""
    with pytest.raises(IntegrityError) as raised:
        verify_receipt(load_receipt(canonical_bytes(plain)), members.pins)
    return str(raised.value)


def by_the_coordinator(run: Run, **changes: Any) -> str:
    """Why a receipt is refused that the coordinator forged so and signed."""
    return refused(signed_again(run.members, {**run.plain(), **changes}), run.members)


# --- an outsider -----------------------------------------------------------------------------


def test_any_changed_byte_is_refused(run: Run) -> None:
    data = receipt_bytes(run.plain())
    load_receipt(data)
    stride = max(1, len(data) // 250)
    for position in range(0, len(data), stride):
        forged = bytearray(data)
        forged[position] ^= 1
        with pytest.raises(IntegrityError):
            verify_receipt(load_receipt(bytes(forged)), run.members.pins)


def test_any_changed_field_is_refused(run: Run) -> None:
    plain = run.plain()
    count = 0
    for path, value in leaves(plain):
        count += 1
        refused(with_change(plain, path, changed(value)), run.members)
    assert count > 150


def test_outsider_cannot_sign_for_the_coordinator(run: Run, tmp_path: Any) -> None:
    stranger = federation(tmp_path, ["north"])
    plain = {**run.plain(), "released_at": run.started_at + 100}
    assert "coordinator's signature: office" in refused(signed_again(stranger, plain), run.members)


# --- the coordinator -------------------------------------------------------------------------


def test_coordinator_can_change_nothing_that_a_party_signed_or_the_plan_says(run: Run) -> None:
    plain = run.plain()
    for path, value in leaves(plain):
        if path in COORDINATORS_OWN:
            continue
        forged = signed_again(run.members, with_change(plain, path, changed(value)))
        refused(forged, run.members)


def test_coordinator_cannot_publish_other_numbers(run: Run) -> None:
    released = [str(total) for total in run.totals]
    released[0] = str(run.totals[0] + 1000)
    assert "sum: the shares do not add up" in by_the_coordinator(run, released=released)


def test_coordinator_cannot_change_a_share_to_fit_other_numbers(run: Run) -> None:
    words = run.shares[1].words.copy()
    words[0] += 1000
    forged = replace(run.shares[1], masked=to_bytes(words))
    shares = [run.shares[0].to_plain(), forged.to_plain(), run.shares[2].to_plain()]
    released = [str(total) for total in run.totals]
    released[0] = str(run.totals[0] + 1000)
    reason = by_the_coordinator(run, shares=shares, released=released)
    assert "south: its signature on parley/share/v1 does not hold" in reason
    assert "sum:" not in reason


def test_swapped_shares_are_refused(run: Run) -> None:
    first, second, third = (share.to_plain() for share in run.shares)
    assert "shares:" in by_the_coordinator(run, shares=[second, first, third])
    relabelled = [
        replace(run.shares[1], party=run.shares[0].party).to_plain(),
        replace(run.shares[0], party=run.shares[1].party).to_plain(),
        third,
    ]
    assert "north: its signature" in by_the_coordinator(run, shares=relabelled)


def test_share_of_another_session_is_refused_and_its_party_named(run: Run) -> None:
    other = run_of(run.members)
    shares = [share.to_plain() for share in run.shares]
    shares[2] = other.shares[2].to_plain()
    assert "west: its share is of another plan, run or opening" in by_the_coordinator(
        run, shares=shares
    )


def test_share_of_another_opening_of_the_session_is_refused(run: Run) -> None:
    share = run.shares[0]
    other = ReleasedShare.sign(
        run=share.run,
        session=share.session,
        opening=bytes(16),
        party=share.party,
        plan_digest=share.plan_digest,
        words=share.words,
        commitment=share.commitment,
        software=share.software,
        signer=run.members.identities["north"].sign,
    )
    shares = [other.to_plain(), *(each.to_plain() for each in run.shares[1:])]
    assert "north: its share is of another plan, run or opening" in by_the_coordinator(
        run, shares=shares
    )


def test_missing_party_is_refused(run: Run) -> None:
    plain: Any = run.plain()
    assert "one share of each party" in by_the_coordinator(run, shares=plain["shares"][:2])
    assert "missing: west" in by_the_coordinator(run, approvals=plain["approvals"][:2])
    assert "3 Hellos where the session has 4" in by_the_coordinator(run, hellos=plain["hellos"][:3])
    two: Any = copy.deepcopy(plain["plan"])
    del two["roster"][2]
    assert "plan:" in by_the_coordinator(run, plan=two)


def test_extra_party_is_refused(run: Run, tmp_path: Any) -> None:
    plain: Any = run.plain()
    twice = [*plain["shares"], plain["shares"][0]]
    assert "one share of each party" in by_the_coordinator(run, shares=twice)
    four = run_of(federation(tmp_path, [*PARTIES, "east"]))
    extra: Any = four.plain()
    for part in ("shares", "approvals", "hellos"):
        reason = by_the_coordinator(run, **{part: [*plain[part], extra[part][-1]]})
        assert "the receipt does not hold" in reason


def test_approvals_of_an_earlier_run_are_refused(run: Run) -> None:
    earlier = run_of(run.members)
    reason = by_the_coordinator(
        run, approvals=[approval.to_plain() for approval in earlier.approvals]
    )
    assert "approvals: the run is not the one that these approvals make" in reason


def test_expired_approval_is_refused_and_its_party_named(run: Run) -> None:
    late = run.started_at + 3600
    assert "north: its approval has expired" in by_the_coordinator(
        run, started_at=late, released_at=late
    )


def test_hello_of_another_session_is_refused_and_its_participant_named(run: Run) -> None:
    other = run_of(run.members)
    plain: Any = run.plain()
    foreign: Any = other.plain()
    hellos = [plain["hellos"][0], foreign["hellos"][1], *plain["hellos"][2:]]
    assert "south: its Hello is refused" in by_the_coordinator(run, hellos=hellos)


def test_coordinator_cannot_say_hello_anew_after_the_shares_were_signed(run: Run) -> None:
    agreement = Agreement.of(run.plan, run.approvals, run.started_at)
    fresh = Hello.sign(
        agreement, run.plan.roster.coordinator.id, bytes(32), bytes(32), run.members.office.sign
    )
    hellos = (*run.hellos[:-1], fresh.to_bytes())
    forged = run.plain(hellos=hellos)
    assert "its share is of another plan, run or opening" in refused(forged, run.members)


def test_build_without_noise_cannot_pass_for_a_real_one(run: Run) -> None:
    agreement = Agreement.of(run.plan, run.approvals, run.started_at, build="no-noise/1")
    hellos = tuple(
        Hello.sign(
            agreement, member.id, bytes([i] * 32), bytes([i] * 32),
            run.members.identities[member.id].sign,
        ).to_bytes()
        for i, member in enumerate(run.plan.roster)
    )  # fmt: skip
    shares = shares_of(run.members, run.plan, run.approvals, hellos, run.totals)
    forged = run.plain(hellos=hellos, shares=shares)
    assert "north: its Hello is refused: it has another mechanism" in refused(forged, run.members)
    receipt = load_receipt(receipt_bytes(forged))
    assert verify_receipt(receipt, run.members.pins, build="no-noise/1").pinned


def test_plan_with_a_smaller_epsilon_than_the_parties_agreed_to_is_refused(run: Run) -> None:
    """The coordinator plans a stricter study and presents the looser one's result as its own."""
    privacy = Privacy(
        epsilon=Decimal("0.1"),
        delta=Decimal("0.000001"),
        adjacency=Adjacency.ADD_OR_REMOVE_ONE,
    )
    stricter = plan_study(study(privacy=privacy), run.members.roster)
    reason = by_the_coordinator(run, plan=stricter.to_plain(), plan_digest=stricter.digest)
    assert "north: its approval is of another plan" in reason
    assert "north: its share is of another plan" in reason


def test_plan_that_does_not_follow_from_its_study_is_refused(run: Run) -> None:
    plan: Any = copy.deepcopy(run.plan.to_plain())
    plan["epsilon"] = "0.100000"
    assert "worked out again from its study and roster, the plan is another one" in (
        by_the_coordinator(run, plan=plan)
    )


def test_nothing_after_a_false_plan_is_believed(run: Run) -> None:
    receipt = load_receipt(
        receipt_bytes(signed_again(run.members, {**run.plain(), "plan_digest": "0" * 64}))
    )
    with pytest.raises(ReceiptRefused) as raised:
        verify_receipt(receipt, run.members.pins)
    assert raised.value.passed == ()
    assert "sum" in raised.value.unreached
    assert raised.value.exit_code == 7


@pytest.mark.parametrize(
    ("shift", "word"), [(-4000 * 86400, "not valid before"), (40000 * 86400, "expired")]
)
def test_certificates_must_have_been_valid_at_the_time(run: Run, shift: int, word: str) -> None:
    time = max(0, run.started_at + shift)
    reason = by_the_coordinator(run, started_at=time, released_at=time)
    assert word in reason
    for party in PARTIES:
        assert f"{party}: " in reason


def test_times_that_run_backwards_are_refused(run: Run) -> None:
    assert "released before the study started" in by_the_coordinator(
        run, released_at=run.started_at - 1
    )


def test_authority_that_issued_nothing_here_is_refused(run: Run, tmp_path: Any) -> None:
    other: Any = run_of(federation(tmp_path, ["north", "south"])).plain()
    reason = by_the_coordinator(run, authority=other["authority"])
    assert "north: " in reason
    assert "was not issued by this federation's authority" in reason


# --- a coordinator with its own authority ----------------------------------------------------


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All parties forged under an authority of the coordinator's, with numbers of its choice."""
    return run_of(federation(tmp_path_factory.mktemp("made-up")))


def test_made_up_parties_pass_without_a_roster_file_but_never_without_a_warning(
    made_up: Run,
) -> None:
    verified = verify_receipt(made_up.receipt(), None)
    assert not verified.pinned
    assert NO_PINS in verified.warnings


def test_made_up_parties_are_refused_with_the_roster_file_and_each_is_named(
    run: Run, made_up: Run
) -> None:
    with pytest.raises(ReceiptRefused) as raised:
        verify_receipt(made_up.receipt(), run.members.pins)
    (failure,) = raised.value.failures
    assert failure.name == "roster"
    for party in PARTIES:
        assert f"{party}: its certificates have the fingerprint" in failure.detail


def test_one_made_up_party_among_real_ones_is_named(run: Run, made_up: Run) -> None:
    pins = {**made_up.members.pins, "south": run.members.pins["south"]}  # type: ignore[dict-item]
    with pytest.raises(ReceiptRefused, match="roster: south: ") as raised:
        verify_receipt(made_up.receipt(), pins)
    assert "north: " not in str(raised.value)


def test_party_that_is_not_in_the_roster_file_is_refused(run: Run) -> None:
    pins = {name: pin for name, pin in run.members.pins.items() if name != "west"}
    with pytest.raises(ReceiptRefused, match="west: not in the roster file"):
        verify_receipt(run.receipt(), pins)


def test_empty_roster_file_trusts_nobody(run: Run) -> None:
    with pytest.raises(ReceiptRefused, match="north: not in the roster file"):
        verify_receipt(run.receipt(), {})


def test_refusals_carry_no_numbers_of_the_result(run: Run) -> None:
    forged: list[Callable[[], str]] = [
        lambda: by_the_coordinator(run, released=["12345678901"] * len(run.totals)),
        lambda: by_the_coordinator(run, shares=[s.to_plain() for s in run.shares[:2]]),
    ]
    for attempt in forged:
        reason = attempt()
        assert "12345678901" not in reason
        assert not any(str(total) in reason for total in run.totals if total > 10**5)


def test_approval_that_its_party_did_not_sign_is_refused(run: Run) -> None:
    forged = Approval.sign(
        plan_digest=run.plan.digest,
        party=run.approvals[1].party,
        nonce=bytes(32),
        expires_unix_s=run.started_at + 600,
        approved_by="policy",
        signer=run.members.office.sign,
    )
    approvals = [run.approvals[0].to_plain(), forged.to_plain(), run.approvals[2].to_plain()]
    assert "south: its signature on parley/approval/v1" in by_the_coordinator(
        run, approvals=approvals
    )


def test_words_beyond_the_proven_range_are_refused_and_the_question_named(run: Run) -> None:
    totals = list(run.totals)
    totals[0] = 2**61
    shares = shares_of(run.members, run.plan, run.approvals, run.hellos, totals)
    plain = {
        **run.plain(),
        "shares": [share.to_plain() for share in shares],
        "released": [str(total) for total in totals],
    }
    assert "people: a total of n lies outside" in refused(
        signed_again(run.members, plain), run.members
    )


# --- phases ----------------------------------------------------------------------------------


def prepared_run(members: Federation) -> Run:
    return run_of(members, dealt_study(members.parties), phase=Phase.PREPARED)


def test_receipt_of_a_prepared_run_holds_and_says_so(members: Federation) -> None:
    verified = prepared_run(members).verified()
    (said,) = [check.detail for check in verified.checks if check.name == "handshake"]
    assert said.endswith("prepared beforehand and run without the dealer")
    whole = run_of(members, dealt_study(members.parties)).verified()
    assert not any("prepared" in check.detail for check in whole.checks)


def test_receipt_of_a_prepared_run_is_refused_without_its_dealer_in_the_roster_file(
    members: Federation,
) -> None:
    pins = {party: pin for party, pin in members.pins.items() if party != DEALER}
    with pytest.raises(ReceiptRefused, match=f"{DEALER}"):
        verify_receipt(prepared_run(members).receipt(), pins)


def test_hellos_of_two_phases_are_refused_whoever_says_which(members: Federation) -> None:
    run, whole = prepared_run(members), run_of(members, dealt_study(members.parties))
    told = "Hellos where the session has"
    assert told in by_the_coordinator(run, hellos=run.plain()["hellos"][:-1])
    plain: Any = run.plain()
    foreign: Any = whole.plain()
    mixed = [foreign["hellos"][0], *plain["hellos"][1:]]
    assert told in by_the_coordinator(run, hellos=mixed)  # the dealer's is missing in the whole
    mixed = [plain["hellos"][0], foreign["hellos"][1], *plain["hellos"][2:]]
    said = by_the_coordinator(run, hellos=mixed)
    assert "south: its Hello is refused: it has another protocol" in said


def test_preparing_session_is_no_receipt_whatever_was_signed(members: Federation) -> None:
    run = run_of(members, dealt_study(members.parties), phase=Phase.PREPARING)
    said = refused(run.plain(), members)
    assert "north: its Hello is refused: it has another protocol" in said


def test_dealer_cannot_be_left_out_of_a_run_that_was_not_prepared(members: Federation) -> None:
    run = run_of(members, dealt_study(members.parties))
    hellos = [hello for hello in run.plain()["hellos"] if hello["participant"] != DEALER]
    assert "Hellos where the session has" in by_the_coordinator(run, hellos=hellos)


def test_run_without_a_dealer_cannot_pass_for_a_prepared_one(members: Federation) -> None:
    run = run_of(members)
    plain: Any = run.plain()
    hello = {**plain["hellos"][0], "protocol": Phase.PREPARED.value}
    said = by_the_coordinator(run, hellos=[hello, *plain["hellos"][1:]])
    assert "the plan's roster has no dealer, so nothing is prepared for it" in said
