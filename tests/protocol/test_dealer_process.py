"""A dealer as its own process among three party processes: right, and with everything going wrong.

Real certificates, mutual TLS on loopback, SIGKILL and SIGSTOP.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dealer_processes import DEALER, OFFICE, Dealt
from dealing_zygote import COUNT
from dealt_worker import values_of
from typer.testing import CliRunner

from mpc.errors import IdentityError, IntegrityError, ParleyError, PolicyRefusal, UsageError
from mpc.protocols.compare import less
from mpc.protocols.rehearsal import rehearse
from mpc.roster import Roster
from mpc.units import PartyId
from parties.cli import app
from parties.coordinator.client import PartyClient
from parties.identity.store import load_identity
from protos import control_pb2 as wire

REHEARSED = rehearse(less, (COUNT,), (COUNT,))
BOTH_LANES = pytest.mark.parametrize("direct", [True, False], ids=["direct", "gRPC"])


@pytest.fixture
def dealt(tmp_path: Path) -> Iterator[Dealt]:
    federation = Dealt(tmp_path).build()
    yield federation
    federation.close()


@BOTH_LANES
def test_three_processes_compare_a_hundred_thousand_pairs_at_the_rehearsed_cost(
    dealt: Dealt, direct: bool
) -> None:
    dealt.direct = direct
    dealt.start_dealer()

    ends = dealt.run(COUNT)

    left, right = values_of(COUNT)
    assert [end["message"] for end in ends.values()] == [""] * 3
    assert (dealt.answer() == (left < right)).all()
    for party, end in ends.items():
        assert (end["rounds"], end["bytes"]) == (4, REHEARSED.cost.bytes_to_each)
        assert set(end["sent"]) == set(ends) - {party}
        assert set(end["sent"].values()) == {REHEARSED.cost.bytes_to_each}
    assert [stage.name for stage in dealt.stages] == ["started", "compute", "over"]
    assert not dealt.stages[-1].HasField("problem")
    assert "Traceback" not in dealt.log
    for identity in dealt.identities.values():
        assert not any(
            line in dealt.log for line in identity.tls_key_pem().decode().splitlines()[1:-1]
        )


@BOTH_LANES
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("dies", "ended without BYE"),
        ("stalls", ""),
        ("too little", "has left the session"),
        ("too much", "at another step"),
        ("wrong size", "bytes where"),
        ("another list", "its plan deals other randomness"),
    ],
)
def test_a_dealer_that_fails_is_named_by_everyone_and_nothing_is_opened_afterwards(
    dealt: Dealt, fault: str, words: str, direct: bool
) -> None:
    dealt.direct = direct
    dealt.start_dealer(fault)
    begun = time.time()

    ends = dealt.run(COUNT)

    for end in ends.values():
        assert end["party"] == DEALER, end["message"]
        assert end["rounds"] < REHEARSED.cost.rounds
        assert end["at"] - begun < 30
    assert dealt.stages[-1].HasField("problem")
    told = [end["message"] for end in ends.values()] + [dealt.stages[-1].problem.message]
    assert any(words in message for message in told), told
    assert not list(dealt.root.glob("*.npy"))


# --- how long one waits for the other --------------------------------------------------------

PINGS = {"keepalive_s": 1, "timeout_s": 2}
PAUSE_S = 6.0


def waiting(folder: Path, direct: bool, dealer_s: int, party_s: int) -> Dealt:
    """A federation that notices a frozen peer after 3 s and waits so long for all others."""
    lines = (*(f"{name}: {value}" for name, value in PINGS.items()), f"wait_s: {dealer_s}")
    exchange = {**PINGS, "wait_s": party_s}
    return Dealt(folder, direct=direct, dealer_exchange=lines, exchange=exchange).build()


@pytest.mark.long
@pytest.mark.parametrize(
    ("direct", "who"), [(True, "everyone"), (False, "everyone"), (True, "the last party alone")]
)
def test_parties_compute_between_two_draws_for_longer_than_a_frozen_peer_is_borne(
    tmp_path: Path, direct: bool, who: str
) -> None:
    dealt = waiting(tmp_path, direct, dealer_s=3600, party_s=30)
    try:
        parties = list(dealt.study.parties)
        slow = parties if who == "everyone" else parties[-1:]
        dealt.pauses_s = dict.fromkeys(slow, PAUSE_S)
        dealt.start_dealer()

        ends = dealt.run(COUNT)

        left, right = values_of(COUNT)
        assert [end["message"] for end in ends.values()] == [""] * 3
        assert (dealt.answer() == (left < right)).all()
        assert not dealt.stages[-1].HasField("problem")
    finally:
        dealt.close()


@BOTH_LANES
def test_a_dealer_waits_for_the_last_party_as_long_as_its_file_says_and_names_it(
    tmp_path: Path, direct: bool
) -> None:
    dealt = waiting(tmp_path, direct, dealer_s=3, party_s=30)
    try:
        *others, last = dealt.study.parties
        dealt.pauses_s = dict.fromkeys(dealt.study.parties, PAUSE_S)
        dealt.start_dealer()

        ends = dealt.run(COUNT)

        assert dealt.stages[-1].problem.party == last
        assert dealt.stages[-1].problem.message == "sent nothing for 3 s"
        assert {ends[party]["party"] for party in others} == {last}
        assert ends[PartyId(last)]["party"]
        assert not list(dealt.root.glob("*.npy"))
    finally:
        dealt.close()


@BOTH_LANES
def test_a_dealer_that_lives_and_deals_nothing_is_named_by_all_before_they_lose_patience(
    tmp_path: Path, direct: bool
) -> None:
    """Others wait for the last party, which waits for the dealer: three quarters of their time."""
    dealt = waiting(tmp_path, direct, dealer_s=3600, party_s=8)
    try:
        dealt.start_dealer("thinks")

        ends = dealt.run(COUNT)

        assert {end["party"] for end in ends.values()} == {DEALER}
        last = list(ends.values())[-1]
        assert last["message"].endswith("dealing-house: sent nothing for 6 s")
        assert not list(dealt.root.glob("*.npy"))
    finally:
        dealt.close()


# --- its health ---------------------------------------------------------------------------


def test_operator_asks_the_dealer_for_its_health_as_itself_and_is_told_whom_it_deals_for(
    dealt: Dealt,
) -> None:
    asked = ["dealer", "health", "--config", str(dealt.config)]
    assert CliRunner().invoke(app, asked).exit_code == 5
    dealt.start_dealer()
    told = CliRunner().invoke(app, asked)
    assert (told.exit_code, told.output) == (0, "dealing-house: ready; studies under way: 0\n")
    said = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["data"]
    assert (said["dealer"], said["ready"], said["runs"]) == (DEALER, True, 0)
    assert "insurer-north Ltd" in said["organizations"]
    own = load_identity(dealt.root / DEALER / "identity")
    client = PartyClient(own, own.member, dealt.address)
    with client, pytest.raises(IdentityError, match="not pinned"):
        client.start(dealt.request(*dealt.approved()))


# --- whom it deals for -----------------------------------------------------------------------


def refused(dealt: Dealt, roster: Roster | None = None, **changes: object) -> ParleyError:
    dealt.start_dealer()
    request = dealt.request(*dealt.approved(roster))
    for name, value in changes.items():
        setattr(request, name, value)
    with dealt.client() as client, pytest.raises(ParleyError) as caught:
        client.start(request)
    assert dealt.client().health().runs == 0
    return caught.value


def test_a_dealer_that_lists_no_organization_deals_for_nobody(tmp_path: Path) -> None:
    dealt = Dealt(tmp_path, organizations=()).build()
    try:
        error = refused(dealt)
    finally:
        dealt.close()
    assert isinstance(error, PolicyRefusal)
    assert error.party == DEALER
    assert "insurer-north Ltd" in error.message
    assert "deals for nobody" in dealt.log


def test_an_organization_that_is_not_listed_is_refused_by_name(tmp_path: Path) -> None:
    parties = Dealt(tmp_path / "names").build().study.parties
    listed = tuple(f"{name} LTD " for name in parties)  # spelled otherwise, and no coordinator
    dealt = Dealt(tmp_path / "dealt", organizations=listed).build()
    try:
        error = refused(dealt)
    finally:
        dealt.close()
    assert isinstance(error, PolicyRefusal)
    assert error.what == "it does not deal for office Ltd"


def test_a_party_that_is_not_pinned_is_refused(dealt: Dealt) -> None:
    lines = dealt.config.read_text().splitlines()
    first = next(iter(dealt.study.parties))
    dealt.config.write_text("\n".join(x for x in lines if not x.startswith(f"  {first}:")) + "\n")

    assert isinstance(refused(dealt), IdentityError)


def test_another_plan_than_the_one_named_is_refused(dealt: Dealt) -> None:
    assert isinstance(refused(dealt, plan_digest="5" * 64), IntegrityError)


def test_a_roster_in_which_it_has_no_part_is_refused(dealt: Dealt) -> None:
    without = Roster((*dealt.roster.parties, dealt.roster.coordinator))
    assert isinstance(refused(dealt, without), IdentityError)


def test_a_party_may_not_start_the_dealer_and_a_dealer_is_no_party(dealt: Dealt) -> None:
    dealt.start_dealer()
    first = PartyId(next(iter(dealt.study.parties)))
    with dealt.client(first) as client, pytest.raises(IdentityError):
        client.start(dealt.request(*dealt.approved()))
    with dealt.client(OFFICE) as client:
        with pytest.raises(UsageError, match="a dealer has no table"):
            client.describe()
        with pytest.raises(UsageError, match="a dealer approves no plan"):
            client.propose(wire.Proposal())
