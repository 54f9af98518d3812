"""Studies with a dealer, as they are run: released, and with the dealer gone at every moment.

A dealer that is lost ends a study that still needs it, by name, and costs nobody's budget; one
that is lost when all parties committed ends nothing.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from crash_points import Fate, Point
from federation import STOPPED_S, Consortium, build, serving, wait_until

from mpc.errors import EngineFailed, IdentityError, ParleyError, PeerError, UsageError
from mpc.ports import ChargeState
from mpc.units import PartyId
from parties.config import load_coordinator_config
from parties.coordinator.client import PartyClient
from parties.coordinator.office import Office, plan_file_bytes
from parties.coordinator.state import Charged, RunState

HOUSE = "dealing-house"
COMMITTED = (ChargeState.COMMITTED,)
ENDED_S = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    root = tmp_path_factory.mktemp("dealt")
    parties = ("alpha", "bravo", "charlie")
    with serving(build(root, parties, module="crashing_node", dealer=HOUSE)) as consortium:
        yield consortium


@pytest.fixture
def dealt(shared: Consortium) -> Iterator[Consortium]:
    """Everyone up, no crash ordered: before the test and after it."""
    yield shared
    shared.mend()


def unpinned(file: Path, member: str) -> str:
    """``file`` without its pin of ``member``."""
    lines = file.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.strip().startswith(f"{member}:")]
    assert len(kept) == len(lines) - 1
    return "".join(kept)


# --- released --------------------------------------------------------------------------------


def test_study_with_a_dealer_is_released_and_its_receipt_needs_the_dealers_pin(
    dealt: Consortium, tmp_path: Path
) -> None:
    plan, out = dealt.plan(), tmp_path / "results"
    entered: list[tuple[str, str]] = []
    finished = dealt.office.run(
        plan, ENDED_S, lambda *stage: entered.append(stage), lambda *_: None
    )
    assert [stage for member, stage in entered if member == HOUSE] == [
        "started", "compute", "dealt",
    ]  # fmt: skip
    assert {member for member, stage in entered if stage == "committed"} == set(dealt.parties)
    assert dealt.charges(plan) == dict.fromkeys(dealt.parties, COMMITTED)
    assert dealt.record(plan).state is RunState.RELEASED
    assert [share.party for share in finished.verified.shares] == list(dealt.parties)
    wait_until(lambda: dealt.runs_under_way(HOUSE) == 0, STOPPED_S, "the dealer's run is over")

    out.mkdir()
    receipt, roster = out / "receipt.json", dealt.federation.roster_file
    receipt.write_bytes(finished.receipt)
    verified = dealt.command("verify", receipt, "--roster", roster)
    assert verified.returncode == 0, verified.stderr
    assert "all 3 parties and the dealer and the coordinator have the keys" in verified.stdout
    pins = json.loads(roster.read_text())
    del pins[HOUSE]
    (out / "roster.json").write_text(json.dumps(pins))
    refused = dealt.command("verify", receipt, "--roster", out / "roster.json")
    assert refused.returncode == 7
    assert f"{HOUSE}: not in the roster file" in refused.stderr
    assert dealt.run(plan).repeated


def test_health_shows_the_dealer_and_who_is_missing(dealt: Consortium) -> None:
    survey = ("coordinator", "health", "--config", dealt.federation.coordinator_config)
    told = dealt.command(*survey)
    assert told.returncode == 0, told.stderr
    assert f"{HOUSE}  dealer, Simulated dealer, software" in told.stdout
    assert HOUSE not in dealt.command("coordinator", "tables", *survey[2:]).stdout
    dealt.kill(HOUSE)
    said = json.loads(dealt.command(*survey, "--json").stdout)
    assert (said["status"], said["party"]) == ("error", HOUSE)
    assert said["data"]["dealers"][HOUSE]["ready"] is False
    assert all(each["ready"] for each in said["data"]["parties"].values())


# --- lost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [Point.DEAL, Point.CORRECT])
@pytest.mark.parametrize("fate", [Fate.PARTY_KILLED, Fate.WORKER_KILLED, Fate.PARTY_FROZEN])
def test_dealer_lost_before_it_dealt_everything_is_named_and_costs_nobody(
    dealt: Consortium, point: Point, fate: Fate
) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    dealt.crash(HOUSE, point, fate)
    with pytest.raises(ParleyError) as failed:
        dealt.run(plan)
    assert dealt.crashed(HOUSE)
    assert failed.value.party == HOUSE, failed.value.message
    if fate is Fate.WORKER_KILLED:
        assert isinstance(failed.value, EngineFailed)
    record = dealt.record(plan)
    assert (record.state, record.charged) == (RunState.FAILED, Charged.NO)
    assert record.receipt is None
    after = dealt.ledgers()
    for party in dealt.parties:
        assert after[party].balance == before[party].balance
        assert dealt.charges(plan)[party] in ((), (ChargeState.RELEASED,))
        assert dealt.outbox(party, record.run) is None
        assert dealt.runs_under_way(party) == 0


def test_dealer_lost_when_all_parties_committed_does_not_lose_the_result(
    dealt: Consortium,
) -> None:
    plan = dealt.plan()
    dealt.crash(HOUSE, Point.DEALT, Fate.HELD)
    running = dealt.run_beside(plan)
    dealt.wait_crashed(HOUSE)
    all_committed = dict.fromkeys(dealt.parties, COMMITTED)
    wait_until(lambda: dealt.charges(plan) == all_committed, ENDED_S, "all parties committed")
    dealt.kill(HOUSE)
    finished = running.result(ENDED_S)
    assert [share.party for share in finished.verified.shares] == list(dealt.parties)
    assert dealt.record(plan).state is RunState.RELEASED
    assert dealt.charges(plan) == all_committed


def test_dealer_that_is_down_is_named_and_nothing_is_proposed(dealt: Consortium) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    dealt.kill(HOUSE)
    proposed: list[object] = []
    noting = patch.object(PartyClient, "propose", lambda *call: proposed.append(call))
    with noting, pytest.raises(PeerError, match=f"{HOUSE}: cannot be reached") as refused:
        dealt.run(plan)
    assert proposed == []
    assert refused.value.hint.startswith("nothing was proposed or spent")
    assert dealt.ledgers() == before
    assert dealt.office.state.runs(plan.digest) == ()
    assert plan.digest not in {each.plan_digest for each in dealt.office.state.proposals()}


def test_plan_says_that_the_dealer_gives_no_answer(dealt: Consortium, tmp_path: Path) -> None:
    plan, before, file = dealt.plan(), dealt.ledgers(), tmp_path / "plan.json"
    file.write_bytes(plan_file_bytes(plan))
    asked = ("plan", file, "--config", dealt.federation.coordinator_config)
    assert dealt.command(*asked).returncode == 0
    dealt.kill(HOUSE)
    shown = dealt.command(*asked)
    assert shown.returncode == 5, shown.stderr
    assert f"no answer of the dealer: PLY-N002 {HOUSE}: cannot be reached" in shown.stdout
    assert f"{HOUSE}: gave no answer; nothing was proposed or spent" in shown.stderr
    said = json.loads(dealt.command(*asked, "--json").stdout)
    assert (said["party"], said["data"]["runnable"]) == (HOUSE, False)
    assert {each["verdict"] for each in said["data"]["verdicts"]} == {"allow"}
    assert dealt.ledgers() == before


def test_interrupted_command_ends_the_dealers_run_too(dealt: Consortium, tmp_path: Path) -> None:
    plan, before, file = dealt.plan(), dealt.ledgers(), tmp_path / "plan.json"
    file.write_bytes(plan_file_bytes(plan))
    dealt.crash(HOUSE, Point.DEAL, Fate.HELD)
    config = dealt.federation.coordinator_config
    command = dealt.start_command("run", file, "--config", config, "--out", tmp_path / "results")
    dealt.wait_crashed(HOUSE)
    assert dealt.runs_under_way(HOUSE) == 1
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=ENDED_S)
    assert command.returncode == 130, told
    for member in (*dealt.parties, HOUSE):
        wait_until(lambda m=member: dealt.runs_under_way(m) == 0, STOPPED_S, f"{member} ended")
    record = dealt.record(plan)
    assert (record.state, record.charged) == (RunState.CANCELLED, Charged.NO)
    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in dealt.parties)


# --- not pinned ------------------------------------------------------------------------------


def test_dealer_that_the_coordinator_has_not_pinned_is_in_no_plan(
    dealt: Consortium, tmp_path: Path
) -> None:
    study, file = dealt.plan().study, tmp_path / "coordinator.yaml"
    text = dealt.federation.coordinator_config.read_text()
    kept, _, _ = text.partition("dealers:")
    folder = dealt.federation.coordinator_config.parent
    kept = kept.replace("identity: identity", f"identity: {folder / 'identity'}")
    file.write_text(kept)
    assert load_coordinator_config(file).dealers == {}
    with pytest.raises(UsageError, match=f"has no address of the dealer {HOUSE}"):
        Office.open(file).plan(study)


def test_party_that_has_not_pinned_the_dealer_takes_no_part_and_nothing_is_spent(
    dealt: Consortium,
) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    file = dealt.node("bravo").config
    pinned = file.read_text()
    file.write_text(unpinned(file, HOUSE))
    dealt.kill("bravo")
    dealt.restart("bravo")
    try:
        with pytest.raises(IdentityError, match=f"dealer {HOUSE} is not pinned here") as refused:
            dealt.run(plan)
    finally:
        file.write_text(pinned)
        dealt.kill("bravo")
        dealt.restart("bravo")
    assert refused.value.party == "bravo"
    assert dealt.ledgers() == before
    assert dealt.office.state.runs(plan.digest) == ()


def test_dealer_that_has_not_pinned_a_party_deals_nothing_and_nothing_is_charged(
    dealt: Consortium,
) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    file = dealt.server(HOUSE).config
    pinned = file.read_text()
    file.write_text(unpinned(file, "charlie"))
    dealt.kill(HOUSE)
    dealt.restart(HOUSE)
    try:
        with pytest.raises(IdentityError, match="party charlie is not pinned here") as refused:
            dealt.run(plan)
    finally:
        file.write_text(pinned)
        dealt.kill(HOUSE)
        dealt.restart(HOUSE)
    assert refused.value.party == PartyId(HOUSE)
    record = dealt.record(plan)
    assert (record.state, record.charged) == (RunState.FAILED, Charged.NO)
    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in dealt.parties)
    assert [dealt.runs_under_way(party) for party in dealt.parties] == [0, 0, 0]
