"""Hellos: one of every participant, for this very agreement, fresh and signed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from session_federation import SessionFederation

from mpc.errors import IntegrityError
from mpc.naming import joined
from mpc.plan.cost import HELLO_BYTES_MAX
from mpc.plan.model import MECHANISM
from mpc.session.agreement import BUILD, Agreement, Phase, hello_context
from mpc.session.hello import Hello, check_hellos, session_id
from mpc.testing.sessions import NOW_UNIX_S

FEDERATION = SessionFederation(3, "hello")
MEETING = FEDERATION.meeting()
AGREEMENT = MEETING.agreement
SAID = tuple(MEETING.said)


def signed(who: str, /, **changes: object) -> bytes:
    """A Hello that ``who`` signs itself, in the real context, with these changes."""
    place = AGREEMENT.roster.ids.index(who)  # type: ignore[arg-type]
    changed = replace(Hello.from_bytes(SAID[place]), **changes)  # type: ignore[arg-type]
    signer = FEDERATION.participant(who).sign
    signature = signer("parley/hello/v1", changed._message())
    return replace(changed, signature=signature).to_bytes()


def with_second(hello: bytes) -> tuple[bytes, ...]:
    return (SAID[0], hello, *SAID[2:])


def test_hellos_of_all_participants_are_accepted() -> None:
    read = check_hellos(AGREEMENT, SAID)
    assert [hello.participant for hello in read] == list(AGREEMENT.roster.ids)
    assert tuple(hello.to_bytes() for hello in read) == SAID


def test_hello_names_everything_that_was_agreed() -> None:
    hello = Hello.from_bytes(SAID[0])
    assert hello.protocol == Phase.WHOLE == "parley/1"
    assert hello.build == BUILD == MECHANISM
    assert hello.plan_digest == FEDERATION.plan.digest
    assert hello.roster_digest == FEDERATION.plan.roster.digest
    assert hello.run == AGREEMENT.run
    assert len(hello.key) == len(hello.nonce) == 32


def test_hello_is_smaller_than_its_limit_at_the_longest_names() -> None:
    longest = replace(Hello.from_bytes(SAID[0]), participant="x" * 40, build="x" * 100)  # type: ignore[arg-type]
    assert len(longest.to_bytes()) < HELLO_BYTES_MAX / 3


def test_session_is_the_hash_of_all_hellos_in_order() -> None:
    expected = hashlib.sha256(joined(b"parley/session/v1", *SAID)).digest()
    assert session_id(SAID) == expected
    assert session_id(SAID[::-1]) != expected
    assert session_id(SAID[:3]) != expected


def test_two_handshakes_of_one_run_are_two_sessions() -> None:
    assert session_id(FEDERATION.meeting().said) != session_id(SAID)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"protocol": "parley/2"}, "another protocol"),
        ({"build": "no-noise/1"}, "another mechanism"),
        ({"plan_digest": "ab" * 32}, "another plan"),
        ({"roster_digest": "ab" * 32}, "another roster"),
        ({"run": "ab" * 32}, "other approvals"),
        ({"participant": "party-3"}, "another participant's Hello"),
    ],
)
def test_signed_hello_that_differs_in_one_field_is_refused_naming_whose_and_what(
    changes: dict[str, object], what: str
) -> None:
    with pytest.raises(IntegrityError, match=f"party-2: its Hello is refused: it has {what}"):
        check_hellos(AGREEMENT, with_second(signed("party-2", **changes)))


@pytest.mark.parametrize("changes", [{"key": bytes(32)}, {"nonce": bytes(32)}])
def test_changed_hello_does_not_hold(changes: dict[str, object]) -> None:
    changed = replace(Hello.from_bytes(SAID[1]), **changes)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="party-2: its signature on parley/hello/v1"):
        check_hellos(AGREEMENT, with_second(changed.to_bytes()))


def test_hello_signed_by_another_member_is_refused() -> None:
    hello = Hello.from_bytes(SAID[1])
    signature = FEDERATION.participant("party-1").sign("parley/hello/v1", hello._message())
    forged = replace(hello, signature=signature).to_bytes()
    with pytest.raises(IntegrityError, match="party-2: its signature"):
        check_hellos(AGREEMENT, with_second(forged))


@pytest.mark.parametrize("field", ["key", "nonce"])
def test_repeated_key_or_nonce_is_refused_naming_both(field: str) -> None:
    taken = getattr(Hello.from_bytes(SAID[0]), field)
    with pytest.raises(IntegrityError, match=r"party-2: its Hello repeats .* of party-1"):
        check_hellos(AGREEMENT, with_second(signed("party-2", **{field: taken})))


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_other_number_of_hellos_is_refused(count: int) -> None:
    with pytest.raises(IntegrityError, match=f"{count} Hellos where the session has 4"):
        check_hellos(AGREEMENT, (SAID * 2)[:count])


def test_hellos_in_another_order_are_refused() -> None:
    with pytest.raises(IntegrityError, match=r"party-1: .* another participant's Hello"):
        check_hellos(AGREEMENT, (SAID[1], SAID[0], *SAID[2:]))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff", b"[]", SAID[1] + b" ", SAID[1][:-1], b"9" * 5000]
)
def test_hello_of_another_form_is_refused_naming_whose(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="party-2: its Hello is refused"):
        check_hellos(AGREEMENT, with_second(data))


def test_build_with_another_mechanism_signs_in_another_context() -> None:
    """Even if it then claims to be the real one, its signature does not hold."""
    other = FEDERATION.meeting(build="no-noise-for-tests/1")
    real = replace(other.agreement, build=BUILD)
    claimed = [replace(Hello.from_bytes(each), build=BUILD).to_bytes() for each in other.said]

    check_hellos(other.agreement, other.said)
    with pytest.raises(IntegrityError, match=r"party-1: .* another mechanism"):
        check_hellos(real, other.said)
    with pytest.raises(IntegrityError, match="party-1: its signature on parley/hello/v1 "):
        check_hellos(real, claimed)
    with pytest.raises(IntegrityError, match=r"office: .* another mechanism"):
        check_hellos(other.agreement, (*other.said[:3], SAID[3]))


def test_build_that_lies_about_its_mechanism_is_given_away_by_its_context() -> None:
    context = hello_context("no-noise-for-tests/1")
    assert context != hello_context(BUILD) == "parley/hello/v1"
    hello = Hello.from_bytes(SAID[1])  # says that it is the real build
    signature = FEDERATION.participant("party-2").sign(context, hello._message())
    with pytest.raises(IntegrityError, match="party-2: its signature on parley/hello/v1"):
        check_hellos(AGREEMENT, with_second(replace(hello, signature=signature).to_bytes()))


def test_agreement_of_one_party_is_refused() -> None:
    alone = SessionFederation(1)
    with pytest.raises(IntegrityError, match="two or more parties"):
        alone.meeting()


def test_agreement_takes_checked_approvals_only() -> None:
    made = Agreement.of(FEDERATION.plan, MEETING.approvals, NOW_UNIX_S)
    assert made == AGREEMENT
    with pytest.raises(IntegrityError, match="expired"):
        Agreement.of(FEDERATION.plan, MEETING.approvals, NOW_UNIX_S + 10**6)
