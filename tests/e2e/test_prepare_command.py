"""``parley prepare``, and the runs that need no dealer afterwards."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import pytest
from crash_points import Fate, Point
from federation import STOPPED_S, Consortium, build, serving, study_of, wait_until

from mpc.errors import EngineFailed, ParleyError, PeerError, StorageError, UsageError
from mpc.plan.model import Plan
from mpc.ports import ChargeState
from mpc.units import PartyId, RunId
from parties.coordinator.client import PartyClient
from parties.coordinator.office import Finished, Office
from parties.coordinator.prepared_runs import PreparedRecord, PreparedState
from parties.coordinator.preparing import Preparation
from parties.coordinator.scenarios import plan_file_bytes
from parties.coordinator.state import Charged, CoordinatorState, RunState
from parties.prepared.store import FOLDER
from parties.system import SystemClock

HOUSE = "dealing-house"
PARTIES = ("alpha", "bravo", "charlie")
COMMITTED = dict.fromkeys(PARTIES, (ChargeState.COMMITTED,))
NOTHING: dict[str, tuple[ChargeState, ...]] = dict.fromkeys(PARTIES, ())
EXPIRES_S = 600  # as the federation's policies say
ENDED_S = 60.0


def served(
    root: Path, approval: str = "automatic", parties: tuple[str, ...] = PARTIES
) -> Iterator[Consortium]:
    policy = {"approval": approval, "approval_expires_s": EXPIRES_S}
    with serving(build(root, parties, policy, "crashing_node", HOUSE)) as consortium:
        yield consortium


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    yield from served(tmp_path_factory.mktemp("prepare"))


@pytest.fixture
def dealt(shared: Consortium) -> Iterator[Consortium]:
    yield shared
    shared.mend()


@pytest.fixture
def manual(tmp_path: Path) -> Iterator[Consortium]:
    """Two parties, at each of which a person decides."""
    yield from served(tmp_path, "manual", ("alpha", "bravo"))


@dataclass
class Commands:
    """``parley`` as a coordinator types it, on the plan file of one plan."""

    consortium: Consortium
    plan: Plan
    folder: Path

    def __post_init__(self) -> None:
        self.file = self.folder / "plan.json"
        self.file.write_bytes(plan_file_bytes(self.plan))
        self.config = self.consortium.federation.coordinator_config

    def __call__(self, name: str, *more: object) -> CompletedProcess[str]:
        return self.consortium.command(name, self.file, "--config", self.config, *more)

    def status(self) -> dict[str, object]:
        """What ``parley status`` says was prepared for the plan, the latest."""
        done = self.consortium.command("status", "--config", self.config, "--json")
        found = json.loads(done.stdout)["data"]["prepared"]
        return next((dict(e) for e in found if e["plan_digest"] == self.plan.digest), {})


def prepare(consortium: Consortium, plan: Plan, office: Office | None = None) -> Preparation:
    wait_s = 15.0
    asked = office or consortium.office
    return asked.prepare(plan, wait_s, lambda *_: None, lambda *_: None)


def run_prepared(consortium: Consortium, plan: Plan) -> Finished:
    held = consortium.office.state.prepared.holding(plan.digest)
    assert held is not None
    return consortium.office.run_prepared(plan, held, lambda *_: None)


def latest(consortium: Consortium, plan: Plan) -> PreparedRecord:
    record = consortium.office.state.prepared.latest(plan.digest)
    assert record is not None
    return record


def holders(consortium: Consortium, run: RunId) -> list[str]:
    """The parties with a file for ``run``."""
    folders = {p: consortium.node(p).directory / "state" / FOLDER for p in consortium.parties}
    return [party for party, folder in folders.items() if list(folder.glob(f"{run}*"))]


def lose(consortium: Consortium, run: RunId, party: str) -> None:
    (consortium.node(party).directory / "state" / FOLDER / run).unlink()


def test_study_is_prepared_and_run_by_commands_when_the_dealer_is_gone(
    dealt: Consortium, tmp_path: Path
) -> None:
    parley, before = Commands(dealt, dealt.plan(), tmp_path), dealt.ledgers()
    prepared = parley("prepare")
    assert prepared.returncode == 0, prepared.stderr
    record = latest(dealt, parley.plan)
    first, dealing, holds, following = prepared.stdout.splitlines()
    assert first == f"study {parley.plan.study.id} is prepared, as run {record.run[:12]}"
    assert dealing.startswith(f"{HOUSE} dealt ")
    assert dealing.endswith("to charlie; the other parties expand theirs")
    assert holds.endswith("or until a party's machine starts anew; nothing was charged")
    assert following.startswith(f"next: parley run {parley.file} --config {parley.config}")
    assert dealt.ledgers() == before
    assert holders(dealt, record.run) == list(PARTIES)
    assert parley.status()["state"] == "prepared"
    own = f"run {record.run[:12]}"
    assert f"{own} prepared; nothing is charged" in dealt.log("alpha")
    assert f"{own} committed" not in dealt.log("alpha")
    assert f"{own} dealt, beforehand" in dealt.log(HOUSE)

    dealt.kill(HOUSE)
    dealt.kill("bravo")
    dealt.restart("bravo")
    planned = parley("plan")
    assert planned.returncode == 0, planned.stderr
    assert "parley run uses it" in planned.stdout
    results = tmp_path / "results"
    done = parley("run", "--out", results)
    assert done.returncode == 0, done.stderr
    assert "uses the material prepared at " in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[0].endswith("the dealer takes no part")

    assert dealt.charges(parley.plan) == COMMITTED
    assert holders(dealt, record.run) == []
    assert dealt.record(parley.plan).run == record.run
    assert f"{own} committed" in dealt.log("alpha")
    assert parley.status() == {}
    roster = tmp_path / "roster.json"
    roster.write_text(json.dumps({m.id: m.fingerprint for m in parley.plan.roster}))
    verified = dealt.command("verify", results / "receipt.json", "--roster", roster)
    assert verified.returncode == 0, verified.stderr
    assert "prepared beforehand and run without the dealer" in verified.stdout

    again = parley("prepare")
    assert again.returncode == 2
    assert "nothing to prepare: this study was released before" in again.stderr
    assert dealt.charges(parley.plan) == COMMITTED


def test_plan_that_is_prepared_is_not_prepared_again(dealt: Consortium, tmp_path: Path) -> None:
    parley = Commands(dealt, dealt.plan(), tmp_path)
    first = json.loads(parley("prepare", "--json").stdout)["data"]
    assert (first["state"], first["already"], first["dealt_to"]) == ("prepared", False, "charlie")
    assert first["dealt_bytes"] == parley.plan.cost.dealt_bytes > 0
    assert first["expires_unix_s"] - first["begun_unix_s"] == pytest.approx(EXPIRES_S, abs=5)
    dealt.kill(HOUSE)
    second = parley("prepare")
    assert second.returncode == 0, second.stderr
    assert "nothing was done again" in second.stdout
    assert json.loads(parley("prepare", "--json").stdout)["data"] == {**first, "already": True}
    assert [each.run for each in dealt.office.state.prepared.list(parley.plan.digest)] == [
        first["run"]
    ]
    run_prepared(dealt, parley.plan)
    assert dealt.charges(parley.plan) == COMMITTED


def test_study_without_a_dealer_has_nothing_to_prepare(dealt: Consortium, tmp_path: Path) -> None:
    versions = {party: dealt.announced(party) for party in PARTIES}
    parley = Commands(dealt, dealt.office.plan(study_of(versions)), tmp_path)
    refused = parley("prepare", "--json")
    assert refused.returncode == 2
    told = json.loads(refused.stdout)
    assert told["message"].startswith("nothing to prepare: the study ages-")
    assert told["message"].endswith("names no dealer")
    assert dealt.office.state.prepared.list(parley.plan.digest) == ()
    assert dealt.office.state.proposal(parley.plan.digest) is None


def test_party_that_lost_its_material_is_named_and_the_next_run_has_the_dealer(
    dealt: Consortium, tmp_path: Path
) -> None:
    parley, before = Commands(dealt, dealt.plan(), tmp_path), dealt.ledgers()
    run = prepare(dealt, parley.plan).record.run
    lose(dealt, run, "bravo")
    refused = parley("run", "--out", tmp_path / "results", "--json")
    told = json.loads(refused.stdout)
    assert (refused.returncode, told["party"]) == (StorageError.exit_code, "bravo")
    assert "is gone: prepared material is in no backup" in told["message"]
    assert "nothing was charged" in told["message"]
    assert "the same command proposes the study anew, with its dealer" in told["hint"]
    assert dealt.ledgers() == before
    record = dealt.record(parley.plan)
    assert (record.run, record.state, record.charged) == (run, RunState.FAILED, Charged.NO)
    assert latest(dealt, parley.plan).state is PreparedState.USED

    done = parley("run", "--out", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    assert "the dealer takes no part" not in done.stderr
    assert dealt.record(parley.plan).run != run
    assert dealt.charges(parley.plan) == COMMITTED


def test_changed_material_ends_the_run_by_name_and_is_never_tried_again(dealt: Consortium) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    run = prepare(dealt, plan).record.run
    file = dealt.node("charlie").directory / "state" / FOLDER / run
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    with pytest.raises(ParleyError, match="prepared material's file was changed") as ended:
        run_prepared(dealt, plan)
    assert ended.value.party == "charlie"
    assert "nothing was charged" in ended.value.message
    assert "with its dealer" in ended.value.hint
    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in PARTIES)
    assert dealt.office.state.prepared.holding(plan.digest) is None
    assert dealt.charges(plan) == NOTHING


def test_party_that_is_out_of_reach_leaves_what_was_prepared_as_it_is(dealt: Consortium) -> None:
    plan = dealt.plan()
    run = prepare(dealt, plan).record.run
    dealt.kill("bravo")
    with pytest.raises(PeerError, match="bravo: cannot be reached"):
        run_prepared(dealt, plan)
    assert latest(dealt, plan).state is PreparedState.PREPARED
    assert dealt.office.state.runs(plan.digest) == ()
    dealt.restart("bravo")
    dealt.kill(HOUSE)
    assert run_prepared(dealt, plan).verified.run == run
    assert dealt.charges(plan) == COMMITTED


class Later(SystemClock):
    """The time when the approvals have just expired."""

    def unix_s(self) -> int:
        return super().unix_s() + EXPIRES_S + 1


def test_what_was_prepared_and_expired_is_used_by_no_run(dealt: Consortium, tmp_path: Path) -> None:
    parley = Commands(dealt, dealt.plan(), tmp_path)
    run = prepare(dealt, parley.plan).record.run
    office = Office(dealt.office.config)
    office.state = CoordinatorState(office.config.state / "coordinator.db", Later())
    assert office.state.prepared.holding(parley.plan.digest) is None
    (shown,) = office.state.prepared.list(parley.plan.digest)
    assert shown.state is PreparedState.EXPIRED
    anew = prepare(dealt, parley.plan, office).record
    assert anew.run != run
    # The proposal took the place of the one before: what that prepared starts nothing any more.
    office.clock = Later()
    with pytest.raises(ParleyError, match="its approval has expired"):
        office.run_prepared(parley.plan, anew, lambda *_: None)
    assert dealt.office.state.runs(parley.plan.digest) == ()
    assert dealt.charges(parley.plan) == NOTHING


def test_run_says_that_what_was_prepared_expired_and_has_the_dealer(
    dealt: Consortium, tmp_path: Path
) -> None:
    parley, prepared = Commands(dealt, dealt.plan(), tmp_path), dealt.office.state.prepared
    approvals = prepare(dealt, dealt.plan()).record.read_approvals()
    old = [replace(each, expires_unix_s=SystemClock().unix_s() - 60) for each in approvals]
    prepared.begin(RunId("e" * 64), parley.plan.digest, parley.plan.study.id, old)
    assert prepared.done(RunId("e" * 64)).state is PreparedState.EXPIRED
    assert parley.status()["state"] == "expired"
    done = parley("run", "--out", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("what was prepared for run eeeeeeeeeeee expired at ")
    assert done.stderr.splitlines()[0].endswith("; the dealer takes part")
    assert dealt.charges(parley.plan) == COMMITTED


# --- preparing that ends early ---------------------------------------------------------------


def test_dealer_lost_while_it_prepares_is_named_and_nothing_is_prepared(dealt: Consortium) -> None:
    plan, before = dealt.plan(), dealt.ledgers()
    dealt.crash(HOUSE, Point.CORRECT, Fate.WORKER_KILLED)
    with pytest.raises(EngineFailed, match="was not prepared; nothing was charged") as ended:
        prepare(dealt, plan)
    assert ended.value.party == HOUSE
    assert "no approval was used" in ended.value.hint
    record = latest(dealt, plan)
    assert record.state is PreparedState.FAILED
    assert HOUSE in record.problem
    assert dealt.ledgers() == before
    dealt.mend()
    assert not dealt.run(plan).repeated
    assert dealt.charges(plan) == COMMITTED


def held_up(dealt: Consortium, parley: Commands, end: Callable[[int], None]) -> str:
    """``parley prepare`` ended as ``end`` ends a process, when nothing is dealt; what it said."""
    dealt.crash(HOUSE, Point.DEAL, Fate.HELD)
    command = dealt.start_command("prepare", parley.file, "--config", parley.config)
    dealt.wait_crashed(HOUSE)
    assert parley.status()["state"] == "preparing"
    end(command.pid)
    _, told = command.communicate(timeout=ENDED_S)
    dealt.let_go(HOUSE)
    for member in (*PARTIES, HOUSE):
        wait_until(lambda m=member: dealt.runs_under_way(m) == 0, STOPPED_S, f"{member} ended")
    return told


def test_interrupted_command_ends_the_preparing_everywhere(
    dealt: Consortium, tmp_path: Path
) -> None:
    parley, before = Commands(dealt, dealt.plan(), tmp_path), dealt.ledgers()
    told = held_up(dealt, parley, lambda pid: os.kill(pid, signal.SIGINT))
    assert "interrupted; nothing is prepared and nothing was charged" in " ".join(told.split())
    record = latest(dealt, parley.plan)
    assert (record.state, record.problem) == (
        PreparedState.FAILED, "interrupted by whoever ran it",
    )  # fmt: skip
    assert holders(dealt, record.run) == []
    assert dealt.ledgers() == before


def test_coordinator_killed_while_it_prepares_has_nothing_prepared_and_may_run_with_the_dealer(
    dealt: Consortium, tmp_path: Path
) -> None:
    parley, before = Commands(dealt, dealt.plan(), tmp_path), dealt.ledgers()
    held_up(dealt, parley, lambda pid: os.kill(pid, signal.SIGKILL))
    orphan = latest(dealt, parley.plan)
    assert orphan.state is PreparedState.PREPARING
    assert dealt.ledgers() == before
    anew = prepare(dealt, parley.plan).record
    assert anew.run != orphan.run
    dealt.kill(HOUSE)
    assert run_prepared(dealt, parley.plan).verified.run == anew.run
    assert dealt.charges(parley.plan) == COMMITTED


def test_coordinator_killed_in_a_prepared_run_is_completed_by_status_without_the_dealer(
    dealt: Consortium, tmp_path: Path
) -> None:
    parley = Commands(dealt, dealt.plan(), tmp_path)
    run = prepare(dealt, parley.plan).record.run
    dealt.kill(HOUSE)
    dealt.crash("bravo", Point.COMMITTED, Fate.HELD)
    command = dealt.start_command(
        "run", parley.file, "--config", parley.config, "--out", tmp_path / "results"
    )
    dealt.wait_crashed("bravo")
    command.kill()
    command.communicate()
    dealt.let_go("bravo")
    wait_until(lambda: dealt.charges(parley.plan) == COMMITTED, ENDED_S, "all committed")
    wait_until(lambda: dealt.runs_under_way("bravo") == 0, STOPPED_S, "its run is over")
    settled = dealt.office.settle(dealt.record(parley.plan))
    assert (settled.run, settled.state) == (run, RunState.RELEASED)
    assert settled.receipt is not None
    assert dealt.office.verify(settled.receipt).run == run


# --- people ----------------------------------------------------------------------------------


def test_people_are_asked_once_for_preparing_and_run_and_again_if_material_is_lost(
    manual: Consortium, tmp_path: Path
) -> None:
    parley, before = Commands(manual, manual.plan(), tmp_path), manual.ledgers()
    waits = parley("prepare", "--wait-s", 0)
    assert waits.returncode == 6, waits.stderr
    assert "has yet to decide" in waits.stderr
    assert manual.office.state.prepared.list(parley.plan.digest) == ()
    for party in manual.parties:
        manual.approve(party, parley.plan, "M. Okafor")
    assert parley("prepare", "--wait-s", 0).returncode == 0
    assert manual.office.state.proposal(parley.plan.digest) is None
    lose(manual, latest(manual, parley.plan).run, "alpha")
    nobody_asked = patch.object(PartyClient, "propose", side_effect=AssertionError("asked again"))
    with nobody_asked, pytest.raises(StorageError) as lost:
        run_prepared(manual, parley.plan)
    assert lost.value.party == PartyId("alpha")
    assert "people whose approval was used are asked again" in lost.value.hint
    assert manual.ledgers() == before
    assert parley("run", "--out", tmp_path / "results", "--wait-s", 0).returncode == 6
    manual.approve("bravo", parley.plan, "M. Okafor")  # alpha, which lost it, began no run
    assert parley("prepare", "--wait-s", 0).returncode == 0
    manual.kill(HOUSE)
    assert run_prepared(manual, parley.plan).verified.approvals[0].approved_by == "M. Okafor"
    assert set(manual.charges(parley.plan).values()) == {(ChargeState.COMMITTED,)}


def test_results_of_a_run_that_is_only_prepared_cannot_be_written(
    dealt: Consortium, tmp_path: Path
) -> None:
    plan = dealt.plan()
    run = prepare(dealt, plan).record.run
    config = dealt.federation.coordinator_config
    shown = dealt.command("status", run[:12], "--config", config)
    assert shown.returncode == 0, shown.stderr
    assert "prepared" in shown.stdout
    assert "holds until" in shown.stdout
    assert dealt.office.state.runs(plan.digest) == ()
    unknown = dealt.command("status", "zz", "--config", config)
    assert unknown.returncode == UsageError.exit_code
    assert "0 runs start with 'zz'" in unknown.stderr
    written = dealt.command("status", run[:12], "--config", config, "--out", tmp_path / "r")
    assert written.returncode == UsageError.exit_code
    assert "was not begun: there are no results to write" in written.stderr
