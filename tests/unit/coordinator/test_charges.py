"""What a run without a result cost, as its coordinator can know it: yes, no, or not yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import (
    ChargeKept,
    NotCommitted,
    ParleyError,
    PeerError,
    StudyAborted,
    StudyUnderWay,
)
from mpc.units import PartyId, PlanDigest, RunId
from parties.coordinator.charging import charges_of, charges_text, together
from parties.coordinator.state import Charged, CoordinatorState, RunState
from parties.system import SystemClock
from protos import control_pb2 as wire

RUN, PLAN = RunId("c" * 64), PlanDigest("a" * 64)


@dataclass
class Party:
    """A party's word on a run: what it committed, or why there is nothing."""

    why_nothing: ParleyError | None = None

    def collect(self, _run: RunId) -> wire.Collected:
        if self.why_nothing is not None:
            raise self.why_nothing
        return wire.Collected()


@pytest.mark.parametrize(
    ("party", "charged"),
    [
        (Party(), Charged.YES),
        (Party(NotCommitted("nothing")), Charged.NO),
        (Party(ChargeKept("nothing")), Charged.YES),
        (Party(StudyUnderWay("not over")), Charged.UNKNOWN),
        (Party(PeerError("west", "is away")), Charged.UNKNOWN),
    ],
)
def test_charge_is_what_the_party_says_of_its_ledger_and_unknown_until_it_says(
    party: Party, charged: Charged
) -> None:
    clients: Any = {PartyId("west"): party}
    assert charges_of(clients, RUN, wait_s=5.0) == {PartyId("west"): charged}


def test_one_charge_makes_the_run_charged_and_one_silence_makes_it_unknown() -> None:
    north, west = PartyId("north"), PartyId("west")
    assert together({north: Charged.YES, west: Charged.UNKNOWN}) is Charged.YES
    assert together({north: Charged.NO, west: Charged.UNKNOWN}) is Charged.UNKNOWN
    assert together({north: Charged.NO, west: Charged.NO}) is Charged.NO
    assert charges_text({north: Charged.NO}) == "nothing was charged"
    said = charges_text({north: Charged.YES, west: Charged.UNKNOWN})
    assert said == "charged at north; whether it was charged is unknown until west answers"


@pytest.fixture
def state(tmp_path: Path) -> CoordinatorState:
    return CoordinatorState(tmp_path / "coordinator.db", SystemClock())


def test_proposal_that_waited_is_gone_once_its_plan_has_a_run(state: CoordinatorState) -> None:
    with state.remembering(PLAN, "stays", lambda _parties: None) as said:
        said((PartyId("west"),))
        assert [each.state.value for each in state.proposals()] == ["waiting"]
    assert [each.said for each in state.proposals()] == ["all agreed; no run was begun"]
    state.begin(RUN, PLAN, "stays")
    assert state.proposals() == ()


def test_run_that_was_given_up_takes_no_agreement_any_more(state: CoordinatorState) -> None:
    state.begin(RUN, PLAN, "stays")
    state.failed(RUN, "given up")
    with pytest.raises(StudyAborted, match="given up meanwhile"):
        state.agreed(RUN, b"agreement")
    assert (state.run(RUN).state, state.run(RUN).charged) == (RunState.FAILED, Charged.UNKNOWN)
