"""``parley verify``: what it did not check, it does not tick."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from receipts import Run
from typer.testing import CliRunner, Result

from parties.cli import app
from parties.report.pins import pins_json
from parties.report.receipt import receipt_bytes


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


@pytest.fixture
def receipt(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "receipt.json"
    path.write_bytes(receipt_bytes(run.plain()))
    return path


def test_keys_that_were_compared_with_nothing_are_not_ticked(receipt: Path) -> None:
    told = verify(receipt)
    assert told.exit_code == 0
    assert "– roster: not checked" in told.output
    last = told.output.strip().splitlines()[-1]
    assert last == "the receipt is consistent; whose keys these are was not checked"
    said = json.loads(verify(receipt, "--json").stdout)["data"]
    states = {check["name"]: check["state"] for check in said["checks"]}
    assert states.pop("roster") == "skipped"
    assert set(states.values()) == {"passed"}
    assert said["pinned"] is False


def test_reader_is_told_who_approved_at_each_owner(run: Run, receipt: Path) -> None:
    who = json.loads(verify(receipt, "--json").stdout)["data"]["approved_by"]
    assert set(who) == {member.id for member in run.plan.roster.parties}
    text = verify(receipt).output
    for party, name in who.items():
        assert f"{party}: approved by {name}" in text


def test_keys_of_the_readers_own_roster_are_ticked(run: Run, receipt: Path, tmp_path: Path) -> None:
    roster = tmp_path / "owners.json"
    roster.write_text(json.dumps({each.id: each.fingerprint for each in run.plan.roster}))
    told = verify(receipt, "--roster", roster)
    assert "✓ roster: " in told.output
    assert "have the keys pinned in the roster file" in told.output
    assert "the receipt holds" in told.output
    said = json.loads(verify(receipt, "--roster", roster, "--json").stdout)["data"]
    assert {check["state"] for check in said["checks"]} == {"passed"}


def test_receipt_is_not_verified_against_its_own_fingerprints(
    run: Run, receipt: Path, tmp_path: Path
) -> None:
    own = tmp_path / "receipt-fingerprints.json"
    own.write_bytes(pins_json(run.plan.roster))
    told = verify(receipt, "--roster", own)
    assert told.exit_code == 2
    assert "what a receipt says of its own keys: it is no roster" in " ".join(told.output.split())
    assert "✓" not in told.output


@pytest.mark.parametrize("content", ["<!DOCTYPE html><html></html>", "[]", '{"format": "other"}'])
def test_another_kind_of_file_is_a_usage_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.html").write_text(content)
    told = verify(tmp_path / "report.html")
    assert told.exit_code == 2
    assert "this is no receipt" in told.output


def test_receipt_that_was_changed_is_an_integrity_error(receipt: Path) -> None:
    receipt.write_bytes(receipt.read_bytes() + b" ")
    assert verify(receipt).exit_code == 7
