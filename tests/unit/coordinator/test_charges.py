"""What a run without a result cost, as its coordinator can know it: yes, no, or not yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import (
    EngineFailed,
    NotCommitted,
    ParleyError,
    PeerError,
    StudyAborted,
    StudyUnderWay,
    UnknownStudy,
)
from mpc.units import PartyId, PlanDigest, RunId
from parties.coordinator.charging import FREE_ENDS, charges_of, charges_text, together
from parties.coordinator.state import Charged, CoordinatorState, RunState
from parties.system import SystemClock
from protos import control_pb2 as wire

RUN, PLAN = RunId("c" * 64), PlanDigest("a" * 64)


@dataclass
class Party:
    """A party's word on a run: what it committed, and the stages that it went through."""

    committed: bool = False
    collecting: ParleyError = field(default_factory=lambda: NotCommitted("nothing"))
    watching: ParleyError | None = None
    stages: tuple[str, ...] = ()
    ended: str = StudyAborted.code

    def collect(self, _run: RunId) -> wire.Collected:
        if self.committed:
            return wire.Collected()
        raise self.collecting

    def watch(self, _run: RunId) -> Iterator[wire.Stage]:
        if self.watching is not None:
            raise self.watching
        for name in self.stages:
            yield wire.Stage(name=name)
        yield wire.Stage(name="over", final=True, problem=wire.Problem(code=self.ended))


def asked(party: Party, *, watched: bool = True) -> Charged:
    clients: Any = {PartyId("west"): party}
    return charges_of(clients, RUN, watched=watched, wait_s=5.0)[PartyId("west")]


@pytest.mark.parametrize(
    ("party", "charged"),
    [
        (Party(committed=True), Charged.YES),
        (Party(stages=("started", "compute")), Charged.NO),
        (Party(stages=("started", "compute"), ended=EngineFailed.code), Charged.YES),
        (Party(stages=("started",), ended=EngineFailed.code), Charged.NO),
        (Party(collecting=StudyUnderWay("not over")), Charged.UNKNOWN),
        (Party(collecting=PeerError("west", "is away")), Charged.UNKNOWN),
        (Party(watching=PeerError("west", "is away")), Charged.UNKNOWN),
    ],
)
def test_charge_follows_from_what_was_committed_and_how_the_run_ended(
    party: Party, charged: Charged
) -> None:
    assert asked(party) is charged


def test_node_that_started_again_kept_no_charge_if_it_was_heard_until_it_was_lost() -> None:
    party = Party(watching=UnknownStudy("no such run"))
    assert asked(party, watched=True) is Charged.NO
    assert asked(party, watched=False) is Charged.UNKNOWN


def test_ends_that_cost_nothing_are_those_of_the_nodes() -> None:
    from parties.node import studies

    assert FREE_ENDS == studies.FREE_ENDS


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
