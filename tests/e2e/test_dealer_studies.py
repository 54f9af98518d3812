"""Studies with a dealer, as they are run: released, and with the dealer gone at every moment.

A dealer that is lost ends a study that still needs it, by name, and costs nobody's budget; one
that is lost when all parties committed ends nothing.
"""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from crash_points import Fate, Point
from federation import (
    STOPPED_S,
    Consortium,
    build,
    changed,
    rows_of,
    scenario_of,
    serving,
    wait_until,
)
from ruamel.yaml import YAML
from typer.testing import CliRunner

from mpc.errors import (
    EngineFailed,
    IdentityError,
    ParleyError,
    PeerError,
    PolicyRefusal,
    UsageError,
)
from mpc.ports import ChargeState
from mpc.units import PartyId
from parties.cli import app
from parties.config import load_coordinator_config
from parties.coordinator.client import PartyClient
from parties.coordinator.office import Office
from parties.coordinator.scenarios import plan_file_bytes
from parties.coordinator.state import Charged, RunState
from parties.dealer.config import load_dealer_config
from parties.report.receipt import load_receipt
from parties.report.verify import verify_receipt
from parties.simulated_files import COORDINATOR

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


@contextmanager
def unpinned(dealt: Consortium, member: str, by: str) -> Iterator[None]:
    """``by`` serves from a file without its pin of ``member``, for as long as the block lasts."""
    file = dealt.server(by).config
    pinned = file.read_text()
    peers = dict(YAML(typ="safe").load(pinned)["peers"])
    del peers[member]
    file.write_text(changed(pinned, {"peers": peers}))
    try:
        dealt.kill(by)
        dealt.restart(by)
        yield
    finally:
        file.write_text(pinned)
        dealt.kill(by)
        dealt.restart(by)


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


def test_simulation_of_a_scenario_with_a_dealer_runs_and_leaves_no_process(tmp_path: Path) -> None:
    parties, data, kept = ("alpha", "bravo"), tmp_path / "data", tmp_path / "kept"
    data.mkdir()
    for party in parties:
        (data / f"{party}.csv").write_text(rows_of(party))
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(scenario_of(dict.fromkeys(parties, 1), "1", HOUSE))
    folders = ("--data", data, "--out", tmp_path / "out", "--keep", kept)
    asked = ["simulate", scenario, *folders, "--truth", "--json"]
    done = CliRunner().invoke(app, [str(each) for each in asked])
    assert done.exit_code == 0, done.output
    assert (kept / HOUSE / "dealer.log").read_text().endswith(" dealt\n")
    receipt = load_receipt((tmp_path / "out" / "receipt.json").read_bytes())
    pins = load_coordinator_config(kept / COORDINATOR / "coordinator.yaml").pins
    assert verify_receipt(receipt, pins).plan.roster.dealer is not None
    host, _, port = load_dealer_config(kept / HOUSE / "dealer.yaml").listen.rpartition(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


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


@pytest.mark.parametrize(
    ("point", "own"),
    [(Point.SHARE, ChargeState.RELEASED), (Point.SHARED, ChargeState.FORFEITED)],
)
def test_party_lost_while_secrets_are_compared_is_charged_once_its_shares_may_have_left(
    dealt: Consortium, point: Point, own: ChargeState
) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    dealt.crash("bravo", point, Fate.WORKER_KILLED)
    with pytest.raises(ParleyError) as failed:
        dealt.run(plan)
    assert failed.value.party == "bravo", failed.value.message
    record, charges = dealt.record(plan), dealt.charges(plan)
    assert record.state is RunState.FAILED
    assert record.receipt is None
    assert charges["bravo"] == (own,)
    spent = {
        party: after.balance.rho_spent - before[party].balance.rho_spent
        for party, after in dealt.ledgers().items()
    }
    for party in dealt.parties:
        assert charges[party] in ((ChargeState.RELEASED,), (ChargeState.FORFEITED,))
        kept = charges[party] == (ChargeState.FORFEITED,)
        assert spent[party] == (plan.rho_total if kept else 0)
        assert dealt.outbox(party, record.run) is None
    if own is ChargeState.FORFEITED:
        assert record.charged is Charged.YES


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


def test_party_that_is_lost_is_named_and_the_dealers_run_ends_too(
    dealt: Consortium,
) -> None:
    plan = dealt.plan()
    dealt.crash("bravo", Point.RESERVED, Fate.WORKER_KILLED)
    with pytest.raises(EngineFailed, match="bravo: its worker ended without a word"):
        dealt.run(plan)
    wait_until(lambda: dealt.runs_under_way(HOUSE) == 0, STOPPED_S, "the dealer's run is over")
    assert dealt.record(plan).state is RunState.FAILED
    for survivor in ("alpha", "charlie"):
        assert dealt.charges(plan)[survivor] in ((), (ChargeState.RELEASED,))


def test_study_whose_coordinator_was_killed_is_completed_by_status_without_its_dealer(
    dealt: Consortium, tmp_path: Path
) -> None:
    plan, file = dealt.plan(), tmp_path / "plan.json"
    file.write_bytes(plan_file_bytes(plan))
    dealt.crash(HOUSE, Point.DEAL, Fate.HELD)
    config = dealt.federation.coordinator_config
    command = dealt.start_command("run", file, "--config", config, "--out", tmp_path / "results")
    dealt.wait_crashed(HOUSE)
    command.kill()
    command.communicate()
    dealt.let_go(HOUSE)
    all_committed = dict.fromkeys(dealt.parties, COMMITTED)
    wait_until(lambda: dealt.charges(plan) == all_committed, ENDED_S, "all parties committed")
    dealt.kill(HOUSE)
    wait_until(lambda: dealt.runs_under_way("bravo") == 0, STOPPED_S, "its run is over")
    settled = dealt.office.settle(dealt.record(plan))
    assert settled.state is RunState.RELEASED
    assert settled.receipt is not None
    assert dealt.office.verify(settled.receipt).run == settled.run
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


def test_released_study_is_answered_again_while_its_dealer_is_down(dealt: Consortium) -> None:
    plan = dealt.plan()
    first = dealt.run(plan)
    paid = dealt.ledgers()
    dealt.kill(HOUSE)
    again = dealt.run(plan)
    assert (again.repeated, again.receipt) == (True, first.receipt)
    assert dealt.ledgers() == paid

    dealt.forget_receipts(plan)
    with pytest.raises(PeerError, match="cannot be reached") as refused:
        dealt.run(plan)
    assert refused.value.party == HOUSE
    assert dealt.ledgers() == paid


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
    told = f"dealer {HOUSE} is not pinned here"
    with unpinned(dealt, HOUSE, "bravo"), pytest.raises(PolicyRefusal, match=told) as refused:
        dealt.run(plan)
    assert refused.value.party == "bravo"
    assert "whom its operator pinned (parley pki trust)" in refused.value.message
    assert dealt.ledgers() == before
    assert dealt.office.state.runs(plan.digest) == ()


def test_dealer_that_has_not_pinned_a_party_deals_nothing_and_nothing_is_charged(
    dealt: Consortium,
) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    told = "party charlie is not pinned here"
    with unpinned(dealt, "charlie", HOUSE), pytest.raises(IdentityError, match=told) as refused:
        dealt.run(plan)
    assert refused.value.party == PartyId(HOUSE)
    assert "no approval was used: run the same command again" in (refused.value.hint or "")
    record = dealt.record(plan)
    assert (record.state, record.charged) == (RunState.FAILED, Charged.NO)
    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in dealt.parties)
    assert [dealt.runs_under_way(party) for party in dealt.parties] == [0, 0, 0]
    assert not dealt.run(plan).repeated
