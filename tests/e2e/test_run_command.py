"""``parley run`` and ``plan`` where something is missing: a usable folder, or a party."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from federation import Consortium

from mpc.errors import PeerError
from parties.coordinator.client import PartyClient
from parties.coordinator.scenarios import plan_file_bytes
from protos import control_pb2 as wire


def test_run_into_a_file_or_over_another_run_proposes_and_charges_nothing(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "receipt.json").write_text("{}")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "report.html").write_text("kept")
    config = consortium.federation.coordinator_config
    for name, why in (
        ("file", "no folder to write into"),
        ("folder", "of another run"),
        ("foreign", "report.html without a receipt.json of this run"),
    ):
        done = consortium.command(
            "run", tmp_path / "plan.json", "--config", config, "--out", tmp_path / name, "--json"
        )
        assert done.returncode == 2, done.stdout
        assert why in json.loads(done.stdout)["message"]
    assert consortium.ledgers() == before
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, ())
    assert consortium.office.state.runs(plan.digest) == ()
    assert (tmp_path / "file").read_text() == "kept"
    assert (tmp_path / "foreign" / "report.html").read_text() == "kept"


def test_folder_of_a_run_takes_its_repetition_and_nothing_of_a_run_still_to_be_charged(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, folder = consortium.plan(), tmp_path / "results"
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    config = consortium.federation.coordinator_config
    command = ("run", tmp_path / "plan.json", "--config", config, "--out", folder, "--json")
    assert consortium.command(*command).returncode == 0
    receipt, paid = (folder / "receipt.json").read_bytes(), consortium.ledgers()
    again = consortium.command(*command)
    assert again.returncode == 0, again.stdout
    assert (folder / "receipt.json").read_bytes() == receipt
    assert consortium.ledgers() == paid

    first = consortium.record(plan)
    consortium.forget_receipts(plan)
    assert consortium.run(plan).repeated is False  # the parties would repeat this one now
    consortium.forget_receipts(plan)
    consortium.office.state.begin(first.run, plan.digest, first.study, first.agreement)
    consortium.office.state.released(first.run, receipt)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    paid = consortium.ledgers()
    refused = consortium.command(*command)
    assert refused.returncode == 2, refused.stdout
    said = json.loads(refused.stdout)
    assert "another run of this plan" in said["message"]
    assert "nothing was proposed or spent" in said["hint"]
    assert consortium.ledgers() == paid
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_run_with_parties_down_names_all_of_them_and_proposes_to_nobody(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    consortium.kill("alpha")
    consortium.kill("charlie")
    proposed: list[object] = []
    noting = patch.object(PartyClient, "propose", lambda *call: proposed.append(call))
    with noting, pytest.raises(PeerError) as refused:
        consortium.run(plan)
    assert proposed == []
    assert refused.value.party == "alpha, charlie"
    for party in ("alpha", "charlie"):
        assert f"\n{party}: cannot be reached at 127.0.0.1:" in refused.value.message
    assert refused.value.hint.startswith("nothing was proposed or spent")
    assert consortium.ledgers() == before
    assert plan.digest not in {each.plan_digest for each in consortium.office.state.proposals()}


def test_party_lost_while_the_study_is_proposed_leaves_a_trace_in_status(
    consortium: Consortium,
) -> None:
    plan, propose = consortium.plan(), PartyClient.propose

    def lost(client: PartyClient, proposal: wire.Proposal) -> wire.Judgement:
        if client.peer.id == "charlie":
            raise PeerError("charlie", "cannot be reached at nowhere:1")
        return propose(client, proposal)

    with patch.object(PartyClient, "propose", lost), pytest.raises(PeerError, match="charlie"):
        consortium.run(plan)
    config = consortium.federation.coordinator_config
    told = json.loads(consortium.command("status", "--config", config, "--json").stdout)["data"]
    (trace,) = [each for each in told["proposals"] if each["plan_digest"] == plan.digest]
    assert trace["state"] == "proposed"
    assert "charlie: cannot be reached at nowhere:1" in trace["said"]
    assert consortium.run(plan).repeated is False
    assert plan.digest not in {each.plan_digest for each in consortium.office.state.proposals()}


def test_plan_with_a_silent_party_shows_cost_and_error_and_who_gave_no_answer(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    config = consortium.federation.coordinator_config
    consortium.kill("alpha")
    asked = ("plan", tmp_path / "plan.json", "--config", config)
    shown = consortium.command(*asked)
    words = " ".join(shown.stdout.split())
    assert shown.returncode == 5, shown.stderr
    for part in ("±", "no answer", "alpha: PLY-N002 cannot be reached at", plan.digest):
        assert part in words
    assert "alpha: gave no answer" in shown.stderr
    told = consortium.command(*asked, "--json")
    said = json.loads(told.stdout)
    assert (told.returncode, said["status"], said["party"]) == (5, "error", "alpha")
    verdicts = {each["party"]: each["verdict"] for each in said["data"]["verdicts"]}
    assert verdicts == {"alpha": "no answer", "bravo": "allow", "charlie": "allow"}
    assert said["data"]["runnable"] is False
    assert consortium.ledgers() == before
