"""What a coordinator tells of parties that refuse."""

from __future__ import annotations

import pytest

from mpc.errors import PolicyRefusal
from mpc.units import PartyId
from parties.coordinator.asking import raise_if_refused
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
    with pytest.raises(PolicyRefusal) as refusal:
        raise_if_refused(judgements)
    assert "clinic-a: ask Data protection officer <dpo@clinic.example>" in refusal.value.hint
    assert "clinic-b" not in refusal.value.hint
    assert "clinic-c" not in refusal.value.hint


@pytest.mark.parametrize("contact", ["\x1b[2J", "line\nbreak", "x" * 2000])
def test_contact_that_is_no_line_of_text_is_not_shown(contact: str) -> None:
    with pytest.raises(PolicyRefusal) as refusal:
        raise_if_refused({PartyId("clinic-a"): refused(contact)})
    assert refusal.value.hint == "nothing was computed or spent"
