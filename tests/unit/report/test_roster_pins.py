"""The roster file."""

from __future__ import annotations

import json

import pytest
from receipts import Federation

from mpc.errors import ConfigFaults, UsageError
from parties.report.pins import load_pins, pins_json

PRINT = "sha256:" + "ab" * 32


def test_pins_in_json_are_read(members: Federation) -> None:
    assert load_pins(json.dumps(members.pins).encode(), "roster.json") == members.pins


def test_fingerprints_of_a_receipt_are_no_roster(members: Federation) -> None:
    written = pins_json(members.roster)
    assert json.loads(written) == {
        "claimed_by_receipt": {member.id: member.fingerprint for member in members.roster}
    }
    with pytest.raises(UsageError, match=r"f\.json holds what a receipt says of its own keys"):
        load_pins(written, "f.json")


def test_yaml_is_read_as_well() -> None:
    assert load_pins(f"north: {PRINT}\nsouth: {PRINT}\n".encode(), "r.yaml") == {
        "north": PRINT,
        "south": PRINT,
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "roster.yaml"),
        ("[1, 2]", "not a mapping"),
        ("just text", "not a mapping"),
        ("{}", "not a mapping"),
        (f"North: {PRINT}", "entry 1: not an id"),
        ("north: sha256:abc", "not a fingerprint"),
        (f"north: [{PRINT}]", "not a fingerprint"),
        (f"north: {PRINT.upper()}", "not a fingerprint"),
        (f"north: {PRINT}\nnorth: {PRINT}", "north"),
        (f"a: &x {PRINT}\nb: *x", "roster.yaml"),
    ],
)
def test_other_content_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigFaults, match=what):
        load_pins(text.encode(), "roster.yaml")


def test_every_fault_is_reported_with_its_line() -> None:
    with pytest.raises(ConfigFaults) as raised:
        load_pins(f"north: x\nsouth: {PRINT}\nwest: y\n".encode(), "roster.yaml")
    assert [fault.line for fault in raised.value.faults] == [1, 3]
