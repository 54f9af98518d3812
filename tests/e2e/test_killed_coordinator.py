"""``parley run`` killed: the parties go on, and ``parley status`` says what came of it.

The commands run as a person runs them, as processes of their own.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from subprocess import Popen
from unittest.mock import patch

import pytest
from by_hand import ByHand
from crash_points import Fate, Point
from federation import STOPPED_S, Consortium, wait_until

from mpc.plan.model import Plan
from mpc.ports import ChargeState
from mpc.session.establish import OwnHello
from parties.coordinator.client import PartyClient
from parties.coordinator.scenarios import plan_file_bytes
from parties.coordinator.state import Charged, RunState
from parties.report.receipt import load_receipt
from parties.report.verify import verify_receipt
from protos import control_pb2 as wire

COMMITTED = (ChargeState.COMMITTED,)
RESERVED = (ChargeState.RESERVED,)
RELEASED = (ChargeState.RELEASED,)
FORFEITED = (ChargeState.FORFEITED,)


def run_command(consortium: Consortium, plan: Plan, folder: Path) -> Popen[str]:
    file = folder / "plan.json"
    file.write_bytes(plan_file_bytes(plan))
    config = consortium.federation.coordinator_config
    return consortium.start_command("run", file, "--config", config, "--out", folder / "results")


def status_of(consortium: Consortium, plan: Plan, *more: object) -> dict[str, object]:
    """What ``parley status`` says of the run of ``plan``."""
    config = consortium.federation.coordinator_config
    run = consortium.record(plan).run
    done = consortium.command("status", run, "--config", config, "--json", *more)
    assert done.returncode == 0, done.stderr
    (said,) = json.loads(done.stdout)["data"]["runs"]
    assert said["run"] == run
    return dict(said)


@pytest.mark.parametrize("point", [Point.RESERVED, Point.COMMITTED])
def test_study_whose_coordinator_was_killed_is_completed_by_status(
    consortium: Consortium, tmp_path: Path, point: Point
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", point, Fate.HELD)
    command = run_command(consortium, plan, tmp_path)
    consortium.wait_crashed("bravo")
    command.kill()
    command.communicate()
    assert not (tmp_path / "results").exists()

    # Not over yet: status says so, and neither ends it nor gives it up.
    if point is Point.RESERVED:
        assert status_of(consortium, plan)["state"] == RunState.STARTED
        assert consortium.charges(plan)["bravo"] == RESERVED
    consortium.let_go("bravo")
    all_committed = dict.fromkeys(consortium.parties, COMMITTED)
    wait_until(lambda: consortium.charges(plan) == all_committed, STOPPED_S, "all committed")
    wait_until(lambda: consortium.runs_under_way("bravo") == 0, STOPPED_S, "its run is over")

    said = status_of(consortium, plan, "--out", tmp_path / "results")
    assert said["state"] == RunState.RELEASED
    receipt = load_receipt((tmp_path / "results" / "receipt.json").read_bytes())
    verified = verify_receipt(receipt, consortium.office.config.pins)
    assert verified.run == said["run"]
    for share in verified.shares:
        assert share.to_bytes() == consortium.outbox(share.party, verified.run)
    assert consortium.charges(plan) == all_committed
    assert status_of(consortium, plan)["state"] == RunState.RELEASED


def test_study_that_ended_without_its_coordinator_is_reported_with_who_did_not_commit(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.HELD)
    command = run_command(consortium, plan, tmp_path)
    consortium.wait_crashed("bravo")
    command.kill()
    command.communicate()
    consortium.kill("bravo")
    for party in ("alpha", "charlie"):
        wait_until(lambda p=party: consortium.runs_under_way(p) == 0, STOPPED_S, f"{party} stops")
    said = status_of(consortium, plan)
    assert said["state"] == RunState.FAILED
    assert "nothing was committed here for this run" in str(said["problem"])
    assert said["charged"] == "unknown"  # bravo has not answered
    consortium.restart("bravo")
    # Bravo's node died while its worker read rows: nobody can say that they are not why.
    assert consortium.charges(plan) == {"alpha": RELEASED, "bravo": FORFEITED, "charlie": RELEASED}
    for party in ("alpha", "charlie"):
        assert consortium.ledgers()[party].balance == before[party].balance
    assert consortium.record(plan).receipt is None


def test_run_interrupted_by_its_user_is_cancelled_everywhere(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.HELD)
    command = run_command(consortium, plan, tmp_path)
    consortium.wait_crashed("bravo")
    command.send_signal(signal.SIGINT)
    _out, said = command.communicate(timeout=STOPPED_S)
    assert command.returncode == 130, said
    run = consortium.record(plan).run[:12]
    told = " ".join(said.split())
    assert f"interrupted; run {run} was cancelled and nothing was charged" in told
    assert "approvals are used" in told
    assert f"parley status {run} --config" in told
    for party in consortium.parties:
        assert consortium.runs_under_way(party) == 0
        assert consortium.charges(plan)[party] in (RELEASED, ())
        assert consortium.ledgers()[party].balance == before[party].balance
    said_later = status_of(consortium, plan)
    assert (said_later["state"], said_later["charged"]) == (RunState.CANCELLED, "no")


def test_run_interrupted_while_parties_start_it_is_known_and_was_not_charged(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()

    def stopped(_client: PartyClient, _request: wire.ConnectRequest) -> wire.Connected:
        raise AssertionError("nobody is connected")

    def interrupt(own: OwnHello, hellos: object) -> object:
        raise KeyboardInterrupt

    seen = []

    def start(client: PartyClient, request: wire.StartRequest) -> wire.Started:
        seen.extend(record.state for record in consortium.office.state.runs(plan.digest))
        return started(client, request)

    started = PartyClient.start
    with (
        patch.object(PartyClient, "start", start),
        patch.object(PartyClient, "connect", stopped),
        patch.object(OwnHello, "agree_as_coordinator", interrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        consortium.run(plan)
    assert seen == [RunState.STARTED] * 3  # written down before any party was told to start
    record = consortium.record(plan)
    assert (record.state, record.charged) == (RunState.CANCELLED, Charged.NO)
    assert consortium.ledgers() == before
    assert [consortium.runs_under_way(party) for party in consortium.parties] == [0, 0, 0]


def test_run_that_was_started_and_never_connected_ends_and_frees_its_place(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        hand.start("alpha", plan.digest, hand.approvals(plan))
        assert consortium.runs_under_way("alpha") == 1
        # The worker waits a minute for its Hellos; when it goes, by itself or not, so does the run.
        consortium.end_workers("alpha")
        wait_until(lambda: consortium.runs_under_way("alpha") == 0, STOPPED_S, "the run ends")
    assert consortium.ledgers() == before
