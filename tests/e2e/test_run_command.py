"""``parley run`` and ``plan`` where something is missing: a usable folder, or a party."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from federation import Consortium

from mpc.errors import PeerError
from parties.coordinator.client import PartyClient
from parties.coordinator.office import plan_file_bytes
from protos import control_pb2 as wire


def test_run_into_a_file_or_over_another_run_proposes_and_charges_nothing(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "receipt.json").write_text("{}")
    config = consortium.federation.coordinator_config
    for name, why in (("file", "no folder to write into"), ("folder", "of another run")):
        done = consortium.command(
            "run", tmp_path / "plan.json", "--config", config, "--out", tmp_path / name, "--json"
        )
        assert done.returncode == 2, done.stdout
        assert why in json.loads(done.stdout)["message"]
    assert consortium.ledgers() == before
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, ())
    assert consortium.office.state.runs(plan.digest) == ()
    assert (tmp_path / "file").read_text() == "kept"


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
