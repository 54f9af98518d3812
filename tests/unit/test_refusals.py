"""What a coordinator tells of parties that refuse."""

from __future__ import annotations

from typing import Any

import pytest

from mpc.errors import PolicyRefusal
from mpc.units import PartyId
from parties.coordinator.asking import budget_of, raise_if_refused, refusal, verdict
from parties.report.standing import VerdictReason
from protos import control_pb2 as wire


def refused(contact: str) -> wire.Judgement:
    return wire.Judgement(
        verdict=wire.Judgement.REFUSED,
        reasons=[wire.Reason(code="PLY-R012", what="purpose planning is not granted")],
        contact=contact,
    )


def test_refusal_says_whom_each_refusing_party_names_to_be_asked() -> None:
    judgements = {
        PartyId("clinic-a"): refused("Data protection officer <dpo@clinic.example>"),
        PartyId("clinic-b"): wire.Judgement(verdict=wire.Judgement.PENDING),
        PartyId("clinic-c"): refused(""),
    }
    with pytest.raises(PolicyRefusal) as raised:
        raise_if_refused(judgements)
    assert "clinic-a: ask Data protection officer <dpo@clinic.example>" in raised.value.hint
    assert "clinic-b" not in raised.value.hint
    assert "clinic-c" not in raised.value.hint


@pytest.mark.parametrize("contact", ["\x1b[2J", "line\nbreak", "x" * 2000])
def test_contact_that_is_no_line_of_text_is_not_shown(contact: str) -> None:
    with pytest.raises(PolicyRefusal) as raised:
        raise_if_refused({PartyId("clinic-a"): refused(contact)})
    assert raised.value.hint == "nothing was computed or spent"


HOSTILE = "no\x1b]0;owned\x07\x1b[2J\r\u202eno\nclinic-b: PLY-R001 refuses"


def test_reasons_of_a_party_reach_people_as_bounded_printable_lines_of_its_own() -> None:
    hostile = wire.Reason(code=HOSTILE, what=HOSTILE, allowed=HOSTILE)
    long = wire.Reason(code="C" * 10_000, what="w" * 10_000, allowed="a" * 10_000)
    honest = wire.Reason(code="PLY-R012", what="purpose “ä” is not granted", allowed="planning")
    judged = wire.Judgement(verdict=wire.Judgement.REFUSED, reasons=[hostile, long, honest])
    first, second, third = verdict(PartyId("clinic-a"), judged).reasons
    for said in (first, second):
        for words in (said.code, said.what, said.allowed):
            assert words.isprintable()
            assert len(words) <= 2000
    assert first.what.startswith("no\ufffd]0;owned")
    assert first.what.endswith("; clinic-b: PLY-R001 refuses")
    assert len(second.code) == 40
    assert second.what.endswith("w…")
    assert third == VerdictReason("PLY-R012", "purpose “ä” is not granted", "planning")


def test_reasons_without_end_are_cut_and_still_refuse() -> None:
    reasons = [wire.Reason(code="PLY-R012", what="no")] * 10_000
    said = verdict(PartyId("a"), wire.Judgement(verdict=wire.Judgement.REFUSED, reasons=reasons))
    assert len(said.reasons) == 100
    assert isinstance(refusal([said]), PolicyRefusal)


@pytest.mark.parametrize(
    "budget",
    [
        {"delta": "NaN"},
        {"delta": "Infinity"},
        {"delta": "1e-9999999"},
        {"delta": "0." + "1" * 10_000},
        {"rho_left_pico": 2**63 - 1},
        {"rho_left_pico": -(2**63)},
        {"rho_cap_pico": 2**63 - 1},
        {"rho_cap_pico": -1},
    ],
)
def test_budget_that_no_ledger_has_is_taken_as_not_published(budget: dict[str, Any]) -> None:
    said = {"published": True, "rho_cap_pico": 5, "rho_left_pico": -2, "delta": "1e-6"}
    known = budget_of(PartyId("a"), wire.Budget(**said))
    assert known is not None
    assert known.to_plain()["delta"] == "0.000001"
    assert budget_of(PartyId("a"), wire.Budget(**{**said, **budget})) is None
