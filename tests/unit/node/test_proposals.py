"""Planning for coordinators: bounded for each, and not done twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from receipts import federation, study

from mpc.canonical import canonical_bytes
from mpc.errors import Busy, IntegrityError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.study.canonical import study_to_plain
from mpc.study.model import Study
from mpc.units import PartyId
from parties.node import proposals
from parties.node.proposals import WAITING_MAX, Planner, Proposed


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    members = federation(tmp_path_factory.mktemp("members"))
    return plan_study(study(members.parties), members.roster)


def proposed(plan: Plan, asker: str = "", title: str = "") -> Proposed:
    plain = study_to_plain(plan.study) | ({"title": title} if title else {})
    return Proposed(
        canonical_bytes(plain),
        canonical_bytes(plan.roster.to_plain()),
        plan.digest,
        PartyId(asker or plan.roster.coordinator.id),
    )


def test_roster_of_another_coordinator_is_refused_before_planning(plan: Plan) -> None:
    with pytest.raises(IntegrityError, match="another coordinator"):
        proposed(plan, asker="stranger").read_roster()


def test_proposal_with_another_study_than_its_digest_is_refused(plan: Plan) -> None:
    with pytest.raises(IntegrityError, match="proposed digest"):
        Planner().plan(proposed(plan, title="Another title"))


def test_proposal_asked_again_is_not_planned_again(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals._planned.cache_clear()
    calls = []

    def counted(study: Study, roster: Roster) -> Plan:
        calls.append(study.id)
        return plan_study(study, roster)

    monkeypatch.setattr(proposals, "plan_study", counted)
    planner = Planner()
    assert planner.plan(proposed(plan)) == planner.plan(proposed(plan)) == plan
    assert calls == [plan.study.id]


def test_coordinator_with_many_proposals_is_told_to_wait_and_another_is_served(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals._planned.cache_clear()
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(study: Study, roster: Roster) -> Plan:
        if study.title.startswith("Slow"):
            begun.release()
            assert go_on.wait(30)
        return plan_study(study, roster)

    monkeypatch.setattr(proposals, "plan_study", slow)
    planner = Planner()
    with ThreadPoolExecutor(WAITING_MAX + 1) as pool:
        asked = [
            pool.submit(planner.plan, proposed(plan, title=f"Slow {number}"))
            for number in range(WAITING_MAX + 1)
        ]
        assert begun.acquire(timeout=30)
        wait(asked, 30, return_when="FIRST_COMPLETED")
        assert not begun.acquire(blocking=False)  # one at a time
        refused = [each for each in asked if each.done()]
        assert [type(each.exception()) for each in refused] == [Busy]
        assert planner.plan(proposed(plan, asker="another")) == plan
        go_on.set()
        ended = [type(each.exception(30)) for each in asked if each not in refused]
        assert ended == [IntegrityError] * WAITING_MAX  # planned: titles are in the digest
