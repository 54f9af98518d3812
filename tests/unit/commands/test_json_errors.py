"""What ``--json`` says of an error: the same as the text, in parts that a program can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mpc.errors import BudgetRefusal, ParleyError, PolicyRefusal, RefusalReason
from mpc.units import PartyId
from parties.cli import app
from parties.commands.output import details
from parties.coordinator.asking import raise_if_refused, refusal
from parties.report.standing import Decision, PartyVerdict, VerdictReason
from protos import control_pb2 as wire

BUDGET = VerdictReason("PLY-B010", "budget exceeded")
POLICY = VerdictReason("PLY-R014", "recipient not allowed", "coordinator")


def refused(party: str, *reasons: VerdictReason) -> PartyVerdict:
    return PartyVerdict(PartyId(party), Decision.REFUSE, reasons)


def test_every_fault_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("version: 1\nid: BAD ID\ntitle: T\nparties: {}\n")
    arguments = ["simulate", str(scenario), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(app, [*arguments, "--json"])
    said = json.loads(told.stdout)
    assert told.exit_code == 2
    assert len(said["faults"]) > 1
    assert set(said["faults"][0]) == {"file", "line", "column", "code", "path", "what", "allowed"}
    bad = next(fault for fault in said["faults"] if fault["path"] == "id")
    assert (bad["file"], bad["line"], bad["column"] > 0) == (str(scenario), 2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan"], "Missing argument"),
        (["coordinator", "health"], "Missing option '--config'"),
        (["plan", "s.yaml", "--config", "c.yaml", "--unknown"], "No such option"),
        (["nonsense"], "No such command"),
    ],
)
def test_command_line_that_cannot_be_read_is_told_in_json_where_asked(
    arguments: list[str], words: str
) -> None:
    told = CliRunner().invoke(app, [*arguments, "--json"])
    said = json.loads(told.stdout)
    assert told.exit_code == 2
    assert (said["status"], said["code"]) == ("error", "PLY-U001")
    assert words in said["message"]
    assert said["hint"].endswith("--help")
    plain = CliRunner().invoke(app, arguments)
    assert plain.exit_code == 2
    assert words in plain.output


def test_refusal_names_each_party_and_reason_apart() -> None:
    error = refusal([refused("north", BUDGET), refused("south", POLICY), refused("west")])
    assert isinstance(error, PolicyRefusal)
    assert details(error) == {
        "party": "north",
        "reasons": [
            {"party": "north", "code": "PLY-B010", "what": "budget exceeded", "allowed": ""},
            {"party": "south", "code": "PLY-R014", "what": "recipient not allowed",
             "allowed": "coordinator"},
            {"party": "west", "code": "", "what": "refused without a reason", "allowed": ""},
        ],
    }  # fmt: skip
    assert "south: PLY-R014 recipient not allowed (allowed: coordinator)" in error.message


def test_only_a_refusal_by_budgets_alone_has_the_exit_code_of_budgets() -> None:
    allowed = PartyVerdict(PartyId("east"), Decision.ALLOW)
    budget = refusal([allowed, refused("north", BUDGET), refused("south", BUDGET)])
    both = refusal([refused("north", BUDGET, POLICY)])
    assert isinstance(budget, BudgetRefusal)
    assert (budget.exit_code, both.exit_code if both else 0) == (4, 3)
    assert refusal([allowed]) is None


def test_run_and_plan_read_one_refusal_from_the_same_judgements() -> None:
    reason = wire.Reason(code="PLY-B010", what="budget exceeded")
    judgement = wire.Judgement(verdict=wire.Judgement.REFUSED, reasons=[reason])
    with pytest.raises(BudgetRefusal) as raised:
        raise_if_refused({PartyId("north"): judgement})
    assert raised.value.reasons == (RefusalReason("north", "PLY-B010", "budget exceeded"),)


def test_error_of_one_party_names_it_in_a_field_of_its_own() -> None:
    assert details(ParleyError("gone", party="north")) == {"party": "north"}
    assert details(ParleyError("gone")) == {}
