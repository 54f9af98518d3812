"""Room for runs at a node, shared between its coordinators."""

from __future__ import annotations

import pytest
from receipts import federation, study

from mpc.errors import Busy, IntegrityError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.session.agreement import Phase
from mpc.units import PartyId, RunId
from parties.node.runs import WATCHERS_MAX, Run, Runs, share_of
from parties.node.workers import Worker
from parties.phases import phase_of
from protos import control_pb2 as wire

ONE, OTHER = PartyId("one"), PartyId("other")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    members = federation(tmp_path_factory.mktemp("members"))
    return plan_study(study(members.parties), members.roster)


def begun(runs: Runs, plan: Plan, number: int, coordinator: PartyId) -> Run:
    worker = Worker.__new__(Worker)  # no process is needed to count runs
    run = Run(RunId(f"{number:064x}"), coordinator, plan, worker)
    with runs.place(run.id, coordinator):
        runs.add(run)
    return run


@pytest.mark.parametrize(
    ("at_once", "coordinators", "share"), [(4, 1, 4), (4, 2, 2), (5, 2, 3), (1, 3, 1), (2, 0, 2)]
)
def test_every_coordinator_has_a_share_of_the_room(
    at_once: int, coordinators: int, share: int
) -> None:
    assert share_of(at_once, coordinators) == share


def test_a_coordinator_with_its_share_leaves_room_for_another(plan: Plan) -> None:
    runs = Runs(4, coordinators=2)
    mine = [begun(runs, plan, number, ONE) for number in range(2)]
    with pytest.raises(Busy, match="2 studies of this coordinator"):
        begun(runs, plan, 2, ONE)
    assert len(runs.active()) == 2
    begun(runs, plan, 3, OTHER)
    mine[0].end(None)
    begun(runs, plan, 2, ONE)
    begun(runs, plan, 4, OTHER)
    with pytest.raises(Busy, match="this node runs 4 studies"):
        begun(runs, plan, 5, OTHER)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_run_that_was_prepared_goes_on_once_when_that_is_over(plan: Plan, phase: Phase) -> None:
    runs, id = Runs(4, coordinators=1), RunId("a" * 64)  # noqa: A001
    prepared = Run(id, ONE, plan, Worker.__new__(Worker), Phase.PREPARING)
    with runs.place(id, ONE, Phase.PREPARING):
        runs.add(prepared)
    with pytest.raises(IntegrityError, match="started before"), runs.place(id, ONE, phase):
        pass
    prepared.end(None)
    if phase is Phase.PREPARING:
        with pytest.raises(IntegrityError, match="started before"), runs.place(id, ONE, phase):
            pass
        return
    run = Run(id, ONE, plan, Worker.__new__(Worker), phase)
    with runs.place(id, ONE, phase):
        runs.add(run)
    run.end(None)
    for again in Phase:
        with pytest.raises(IntegrityError, match="started before"), runs.place(id, ONE, again):
            pass
    assert runs.get(id) is run


def test_a_start_that_names_no_phase_is_refused() -> None:
    assert phase_of(wire.StartRequest()) is Phase.WHOLE
    assert phase_of(wire.StartRequest(phase=wire.PREPARED)) is Phase.PREPARED
    with pytest.raises(IntegrityError, match="names no phase"):
        phase_of(wire.StartRequest(phase=7))


def test_a_place_whose_start_fails_is_given_back(plan: Plan) -> None:
    runs = Runs(1, coordinators=1)
    with pytest.raises(IntegrityError, match="approval"), runs.place(RunId("a" * 64), ONE):
        raise IntegrityError("this party's approval is unknown")
    begun(runs, plan, 1, ONE)


def test_a_run_is_placed_once(plan: Plan) -> None:
    runs = Runs(4, coordinators=1)
    begun(runs, plan, 1, ONE).end(None)
    with pytest.raises(IntegrityError, match="started before"):
        begun(runs, plan, 1, ONE)
    with (
        runs.place(RunId("b" * 64), ONE),
        pytest.raises(IntegrityError, match="started before"),
        runs.place(RunId("b" * 64), ONE),
    ):
        pass


def test_calls_that_watch_are_counted_for_each_coordinator_over_all_its_runs() -> None:
    runs = Runs(2, coordinators=2)
    held = [runs.watched(ONE) for _ in range(WATCHERS_MAX)]
    for each in held:
        each.__enter__()
    with pytest.raises(Busy, match=f"{WATCHERS_MAX} calls of this coordinator"):
        runs.watched(ONE).__enter__()
    with runs.watched(OTHER):
        held[0].__exit__(None, None, None)
    with runs.watched(ONE):
        pass
