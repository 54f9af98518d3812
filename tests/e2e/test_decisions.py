"""People and policies decide: refusals, approvals by hand, and budgets that run out.

Two parties: alpha's policy decides by itself and has little budget; at bravo a person decides.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from by_hand import ByHand
from federation import Consortium, build, changed, serving, wait_until

from mpc.errors import AwaitingApproval, IntegrityError
from mpc.plan.model import Plan
from mpc.ports import ChargeState
from parties.coordinator.scenarios import plan_file_bytes
from parties.node.parts import REQUESTS
from parties.node.requests import RequestState, RequestStore
from parties.report.receipt import load_receipt
from parties.report.verify import verify_receipt
from parties.simulated_files import COORDINATOR, DOMAIN
from parties.system import SystemClock
from protos import control_pb2 as wire

COMMITTED = (ChargeState.COMMITTED,)
DELTA = 0.000001


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    federation = build(tmp_path_factory.mktemp("strict"), ("alpha", "bravo"))
    policies = {party: node.directory / "policy.yaml" for party, node in federation.nodes.items()}
    small = {DOMAIN: {"epsilon": 0.7, "delta": DELTA}}
    policies["alpha"].write_text(changed(policies["alpha"].read_text(), {"domains": small}))
    manual = {"approval": "manual", "study_budget": {"epsilon": 1, "delta": DELTA}}
    policies["bravo"].write_text(changed(policies["bravo"].read_text(), manual))
    with serving(federation) as consortium:
        yield consortium


def run_command(
    consortium: Consortium, plan: Plan, folder: Path, wait_s: int = 0
) -> CompletedProcess[str]:
    file = folder / "plan.json"
    file.write_bytes(plan_file_bytes(plan))
    config, to = consortium.federation.coordinator_config, folder / "results"
    return consortium.command(
        "run", file, "--config", config, "--out", to, "--wait-s", wait_s, "--json"
    )


def requests(consortium: Consortium, action: str, *more: object) -> CompletedProcess[str]:
    return consortium.command(
        "requests", action, *more, "--config", consortium.node("bravo").config, "--json"
    )


def test_refusal_by_one_policy_ends_the_study_with_nothing_done_anywhere(
    strict: Consortium, tmp_path: Path
) -> None:
    plan, before = strict.plan("2"), strict.ledgers()  # more than bravo allows a study
    done = run_command(strict, plan, tmp_path)
    assert done.returncode == 3
    said = json.loads(done.stdout)
    assert said["code"] == "PLY-R001"
    assert "bravo" in said["message"]
    assert "PLY-R022" in said["message"]
    assert strict.ledgers() == before
    assert strict.office.state.runs(plan.digest) == ()
    assert not (tmp_path / "results").exists()
    assert [strict.runs_under_way(party) for party in strict.parties] == [0, 0]


def test_study_waits_for_a_person_and_the_receipt_names_who_approved(
    strict: Consortium, tmp_path: Path
) -> None:
    plan, before = strict.plan("0.05"), strict.ledgers()
    pending = run_command(strict, plan, tmp_path)
    assert pending.returncode == 6
    assert "bravo" in json.loads(pending.stdout)["message"]
    assert strict.ledgers() == before

    listed = json.loads(requests(strict, "list").stdout)["data"]["requests"]
    (asked,) = [each for each in listed if each["plan_digest"] == plan.digest]
    assert asked["state"] == "pending"
    assert asked["summary"]["title"] == plan.study.title
    assert asked["summary"]["questions"]["places"].startswith("count of rows by place (town,")
    assert float(asked["left_after"]["epsilon"]) > 0
    approved = requests(strict, "approve", plan.digest[:12], "--by", "M. Okafor")
    assert approved.returncode == 0, approved.stderr

    done = run_command(strict, plan, tmp_path)
    assert done.returncode == 0, done.stdout
    receipt = load_receipt((tmp_path / "results" / "receipt.json").read_bytes())
    verified = verify_receipt(receipt, strict.office.config.pins)
    assert {each.party: each.approved_by for each in verified.approvals} == {
        "alpha": "policy",
        "bravo": "M. Okafor",
    }
    assert strict.charges(plan) == dict.fromkeys(strict.parties, COMMITTED)
    for approval in verified.approvals:
        recorded = strict.ledger(approval.party).history(DOMAIN).charges[-1]
        assert (recorded.run, recorded.plan_digest) == (verified.run, plan.digest)
        assert recorded.approved_by == approval.approved_by
        coordinator = plan.roster.coordinator
        assert (recorded.coordinator, recorded.partner) == (
            coordinator.id,
            coordinator.organization,
        )
        lead = plan.study.lead
        assert (recorded.lead, recorded.lead_organization) == (lead.name, lead.organization)
        assert (recorded.study, recorded.purpose) == (plan.study.id, plan.study.purpose)
        assert recorded.event == plan.event.canonical()
        assert recorded.rho == plan.rho_total


def proposals(consortium: Consortium) -> dict[str, dict[str, str]]:
    """What ``parley status`` says of plans that have no run, by digest."""
    config = consortium.federation.coordinator_config
    told = consortium.command("status", "--config", config, "--json")
    return {each["plan_digest"]: each for each in json.loads(told.stdout)["data"]["proposals"]}


def planned(consortium: Consortium, folder: Path) -> str:
    """What ``parley plan`` shows of the plan file in ``folder``."""
    config = consortium.federation.coordinator_config
    done = consortium.command("plan", folder / "plan.json", "--config", config)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_person_who_refuses_ends_the_study_with_their_reason(
    strict: Consortium, tmp_path: Path
) -> None:
    plan, before = strict.plan("0.05"), strict.ledgers()
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    assert "not proposed yet: parley run proposes it" in planned(strict, tmp_path)
    assert run_command(strict, plan, tmp_path).returncode == 6
    asked = planned(strict, tmp_path)
    assert "not proposed yet" not in asked
    assert ": a person at bravo has yet to decide" in asked
    assert "parley run asks again" in asked
    waits = proposals(strict)[plan.digest]
    assert (waits["state"], waits["study"]) == ("waiting", plan.study.id)
    assert waits["said"] == "a person at bravo has yet to decide"
    refused = requests(
        strict, "refuse", plan.digest[:12], "--by", "M. Okafor", "--reason", "no ethics vote"
    )
    assert refused.returncode == 0, refused.stderr
    second = requests(strict, "approve", plan.digest[:12], "--by", "M. Okafor")
    assert second.returncode == 2  # decided is decided
    done = run_command(strict, plan, tmp_path)
    assert done.returncode == 3
    said = json.loads(done.stdout)
    message = said["message"]
    assert "bravo: ask Simulated owner <owner@simulation.example>" in said["hint"]
    assert "bravo" in message
    assert "refused by M. Okafor: no ethics vote" in message
    assert strict.ledgers() == before
    assert strict.office.state.runs(plan.digest) == ()
    told = proposals(strict)[plan.digest]
    assert told["state"] == "refused"
    asked = planned(strict, tmp_path)
    assert "not proposed yet" not in asked
    assert "refused by M. Okafor: no ethics vote" in asked
    assert "no ethics vote" in told["said"]


def test_run_interrupted_while_a_person_decides_says_that_nothing_was_charged(
    strict: Consortium, tmp_path: Path
) -> None:
    plan, before = strict.plan("0.05"), strict.ledgers()
    file = tmp_path / "plan.json"
    file.write_bytes(plan_file_bytes(plan))
    config, to = strict.federation.coordinator_config, tmp_path / "results"
    command = strict.start_command("run", file, "--config", config, "--out", to, "--json")
    store = RequestStore(strict.node("bravo").directory / "state" / REQUESTS, SystemClock())
    wait_until(lambda: plan.digest in str(store.list(RequestState.PENDING)), 30.0, "bravo is asked")
    command.send_signal(signal.SIGINT)
    out, _ = command.communicate(timeout=30.0)
    said = json.loads(out)
    assert (command.returncode, said["code"]) == (130, "PLY-Q001")
    assert said["message"] == "interrupted before the run began; nothing was computed or charged"
    assert "approvals stay as they are" in said["hint"]
    assert proposals(strict)[plan.digest]["state"] in ("proposed", "waiting")
    assert strict.ledgers() == before
    assert strict.office.state.runs(plan.digest) == ()


def test_person_decides_on_one_run_and_not_on_those_after_it(strict: Consortium) -> None:
    plan = strict.plan("0.05")
    with ByHand(strict) as hand:
        assert hand.propose("bravo", plan).verdict == wire.Judgement.PENDING
        strict.approve("bravo", plan, "M. Okafor")
        spare = hand.approval("bravo", plan)
        strict.run(plan)
        paid = strict.ledgers()
        assert hand.propose("bravo", plan, fresh=True).verdict == wire.Judgement.PENDING
        # An approval that was signed before and kept is good for nothing either.
        with pytest.raises(IntegrityError, match=r"bravo: .*unknown, expired, or was used"):
            hand.start("bravo", plan.digest, [hand.approval("alpha", plan, fresh=True), spare])
    strict.forget_receipts(plan)
    with pytest.raises(AwaitingApproval, match="bravo"):
        strict.run(plan, wait_s=0.0)
    assert strict.ledgers() == paid


def decides(consortium: Consortium, party: str, approval: str) -> None:
    """The owner changes its policy's ``approval``, and starts its node again."""
    policy = consortium.node(party).directory / "policy.yaml"
    consortium.kill(party)
    policy.write_text(changed(policy.read_text(), {"approval": approval}))
    consortium.restart(party)


def test_what_a_policy_approved_starts_nothing_once_a_person_decides_there(
    strict: Consortium,
) -> None:
    plan = strict.plan("0.05")
    try:
        with ByHand(strict) as hand:
            assert hand.propose("bravo", plan).verdict == wire.Judgement.PENDING
            strict.approve("bravo", plan, "M. Okafor")
            spare = hand.approval("bravo", plan)
            kept = [hand.approval("alpha", plan) for _ in range(3)]  # by policy, hours to go
        decides(strict, "alpha", "manual")
        with ByHand(strict) as hand:
            assert hand.propose("alpha", plan).verdict == wire.Judgement.PENDING
            strict.approve("alpha", plan, "A. Example")
            strict.run(plan)  # the one run that a person said yes to
            paid = strict.ledgers()
            for verdict in (wire.Judgement.PENDING, wire.Judgement.REFUSED):
                if verdict == wire.Judgement.REFUSED:
                    state = strict.node("alpha").directory / "state" / REQUESTS
                    store = RequestStore(state, SystemClock())
                    store.decide(plan.digest, RequestState.REFUSED, "A. Example", "once is enough")
                assert hand.propose("alpha", plan, fresh=True).verdict == verdict
                for approval in kept:
                    with pytest.raises(IntegrityError, match="alpha: "):
                        hand.start("alpha", plan.digest, [approval, spare])
                assert strict.runs_under_way("alpha") == 0
        assert strict.ledgers() == paid
        assert strict.charges(plan) == dict.fromkeys(strict.parties, COMMITTED)
        by = [entry.approved_by for entry in strict.ledger("alpha").history(DOMAIN).charges]
        assert by[-1] == "A. Example"
    finally:
        decides(strict, "alpha", "automatic")


def test_spent_budget_refuses_the_next_study_and_a_cheaper_one_still_runs(
    strict: Consortium, tmp_path: Path
) -> None:
    dear, dearer, cheap = strict.plan("0.5"), strict.plan("0.6"), strict.plan("0.05")
    with pytest.raises(AwaitingApproval, match="bravo"):
        strict.run(dear, wait_s=0.0)
    strict.approve("bravo", dear, "M. Okafor")
    strict.run(dear)
    before = strict.ledgers()
    done = run_command(strict, dearer, tmp_path)
    assert done.returncode == 4
    said = json.loads(done.stdout)
    assert said["code"] == "PLY-B001"
    assert "alpha: PLY-B010" in said["message"]
    assert {(each["party"], each["code"]) for each in said["reasons"]} == {("alpha", "PLY-B010")}
    config = strict.federation.coordinator_config
    asked = strict.command("plan", tmp_path / "plan.json", "--config", config, "--json")
    assert (asked.returncode, json.loads(asked.stdout)["status"]) == (4, "refused")
    shown = strict.command("plan", tmp_path / "plan.json", "--config", config)
    assert "not proposed yet" not in shown.stdout  # it is not runnable
    forecast = ("budget", "forecast", tmp_path / "plan.json", "--json", "--config")
    spent, free = (
        strict.command(*forecast, strict.node(party).config, "--coordinator", COORDINATOR)
        for party in ("alpha", "bravo")
    )
    unsaid = strict.command(*forecast, strict.node("alpha").config)
    assert unsaid.returncode == 2
    assert "say who asks" in unsaid.stdout
    assert (spent.returncode, free.returncode) == (4, 0)
    foreseen = json.loads(spent.stdout)
    assert (foreseen["status"], foreseen["data"]["fits"]) == ("refused", 0)
    assert json.loads(free.stdout)["data"]["fits"] > 0
    assert strict.ledgers() == before
    assert strict.charges(dearer) == dict.fromkeys(strict.parties, ())
    with pytest.raises(AwaitingApproval, match="bravo"):
        strict.run(cheap, wait_s=0.0)
    assert cheap.digest in proposals(strict)
    strict.approve("bravo", cheap, "M. Okafor")
    assert strict.run(cheap).repeated is False
    assert cheap.digest not in proposals(strict)
    assert strict.charges(cheap) == dict.fromkeys(strict.parties, COMMITTED)
