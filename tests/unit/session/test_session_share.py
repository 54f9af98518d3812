"""Released shares: signed by their party, for one opening of one session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from session_federation import COMMITMENT, SessionFederation

from mpc.errors import IntegrityError
from mpc.session.share import ReleasedShare, check_shares, opening_id
from mpc.units import PartyId, PlanDigest, RunId, SessionId

FEDERATION = SessionFederation(3, "share")
ROSTER = FEDERATION.plan.roster
RUN = RunId("ab" * 32)
SESSION = SessionId(bytes(range(32)))
OPENING = opening_id(SESSION)
WORDS = np.array([0, 1, -1, 2**63 - 1, -(2**63)], dtype=np.int64)


def share(party: str, words: NDArray[np.int64] = WORDS, **changes: object) -> ReleasedShare:
    fields: dict[str, object] = {
        "run": RUN,
        "session": SESSION,
        "opening": OPENING,
        "plan_digest": FEDERATION.plan.digest,
        "commitment": COMMITMENT,
        "software": "parley/0",
        **changes,
    }
    signer = FEDERATION.participant(party).sign
    return ReleasedShare.sign(party=PartyId(party), words=words, signer=signer, **fields)  # type: ignore[arg-type]


SHARES = tuple(share(party) for party in FEDERATION.parties)


def check(shares: tuple[ReleasedShare, ...]) -> None:
    check_shares(ROSTER, FEDERATION.plan.digest, RUN, SESSION, OPENING, shares)


def test_share_goes_round_as_bytes_with_every_word() -> None:
    again = ReleasedShare.from_bytes(SHARES[0].to_bytes())
    assert again == SHARES[0]
    assert again.words.tolist() == WORDS.tolist()
    assert again.to_bytes() == SHARES[0].to_bytes()


def test_largest_planned_vector_fits() -> None:
    words = np.arange(200_000, dtype=np.int64)
    large = share("party-1", words)
    assert np.array_equal(ReleasedShare.from_bytes(large.to_bytes()).words, words)


def test_commitment_is_shown_as_a_digest() -> None:
    assert SHARES[0].commitment_text == f"sha256:{COMMITMENT.hex()}"


def test_one_share_of_every_party_is_accepted() -> None:
    check(SHARES)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s[:2],
        lambda s: (),
        lambda s: (s[1], s[0], s[2]),
        lambda s: (s[0], s[0], s[2]),
        lambda s: (*s, s[0]),
    ],
)
def test_shares_that_are_not_one_of_every_party_in_order_are_refused(
    change: Callable[[tuple[ReleasedShare, ...]], tuple[ReleasedShare, ...]],
) -> None:
    with pytest.raises(IntegrityError, match="one share of each party, in roster order"):
        check(change(SHARES))


@pytest.mark.parametrize(
    "changes",
    [
        {"run": RunId("cd" * 32)},
        {"session": SessionId(bytes(32))},
        {"opening": opening_id(SESSION, b"another")},
        {"opening": opening_id(SessionId(bytes(32)))},
        {"plan_digest": PlanDigest("cd" * 32)},
    ],
)
def test_share_of_another_session_opening_run_or_plan_is_refused_naming_the_party(
    changes: dict[str, object],
) -> None:
    with pytest.raises(IntegrityError, match="party-2: its share is of another"):
        check((SHARES[0], share("party-2", **changes), SHARES[2]))


@pytest.mark.parametrize(
    "changes",
    [
        {"masked": bytes(40)},
        {"commitment": bytes(32)},
        {"software": "parley/1"},
        {"signature": bytes(64)},
        {"signature": SHARES[1].signature},
    ],
)
def test_changed_or_unsigned_share_is_refused_naming_the_party(
    changes: dict[str, object],
) -> None:
    forged = replace(SHARES[0], **changes)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="party-1: its signature on parley/share/v1"):
        check((forged, *SHARES[1:]))


def test_share_of_a_stranger_is_refused() -> None:
    stranger = replace(SHARES[0], party=PartyId("stranger"))
    with pytest.raises(IntegrityError):
        stranger.verify(ROSTER)
    with pytest.raises(IntegrityError):
        check((stranger, *SHARES[1:]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run", "00"),
        ("session", "00" * 31),
        ("opening", "00" * 15),
        ("masked", ""),
        ("masked", "00" * 7),
        ("masked", "00" * 12),
        ("masked", 5),
        ("commitment", "00"),
        ("software", "a\nb"),
        ("signature", ""),
    ],
)
def test_share_of_another_form_is_refused(field: str, value: object) -> None:
    plain = SHARES[0].to_plain()
    plain[field] = value  # type: ignore[assignment]
    with pytest.raises(IntegrityError, match="a released share"):
        ReleasedShare.from_plain(plain)


def test_text_of_a_share_shows_no_word_of_it() -> None:
    text = repr(share("party-1", np.array([471147114711], dtype=np.int64)))
    assert text == f"ReleasedShare(party-1, run {RUN[:12]}, 1 words)"
