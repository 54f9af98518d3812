"""Requests for a person, and approvals that are good once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mpc.errors import Busy, IntegrityError, UsageError
from mpc.units import PartyId, PlanDigest, RunId
from parties.node.requests import BegunRun, RequestState, RequestStore

PLAN = PlanDigest("ab" * 32)
OTHER = PlanDigest("cd" * 32)


@dataclass
class StillClock:
    now: int = 1_000

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store(tmp_path: Path, clock: StillClock) -> RequestStore:
    return RequestStore(tmp_path / "requests.db", clock)


def begun(run: str, plan: PlanDigest = PLAN) -> BegunRun:
    return BegunRun(RunId(run * 64), plan, PartyId("coordinator"), "population")


def test_an_approval_is_used_by_one_start_only(store: RequestStore) -> None:
    store.promise("n1", PLAN, "policy", 2_000)
    assert store.use_up("n1", begun("1")) == "policy"
    with pytest.raises(IntegrityError, match="used by an earlier start"):
        store.use_up("n1", begun("2"))
    assert store.runs_of(PLAN) == (RunId("1" * 64),)


@pytest.mark.parametrize(
    ("nonce", "plan", "now"),
    [("unknown", PLAN, 1_000), ("n1", OTHER, 1_000), ("n1", PLAN, 2_000)],
    ids=["unknown", "of another plan", "expired"],
)
def test_a_wrong_approval_starts_nothing(
    store: RequestStore, clock: StillClock, nonce: str, plan: PlanDigest, now: int
) -> None:
    store.promise("n1", PLAN, "policy", 2_000)
    clock.now = now
    with pytest.raises(IntegrityError):
        store.use_up(nonce, begun("1", plan))
    assert store.runs_of(plan) == ()


def test_a_persons_yes_is_good_for_one_run_and_asked_for_again_after_it(
    store: RequestStore,
) -> None:
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    store.promise("n1", PLAN, "M. Okafor", 2_000)
    store.promise("n2", PLAN, "M. Okafor", 2_000)
    assert store.use_up("n1", begun("1")) == "M. Okafor"
    with pytest.raises(IntegrityError):
        store.use_up("n2", begun("2"))
    assert store.ask(PLAN, "study", "coordinator", "{}", 100).state is RequestState.PENDING


def test_a_decision_is_made_once(store: RequestStore) -> None:
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    store.decide(PLAN, RequestState.REFUSED, "M. Okafor", "no ethics vote")
    with pytest.raises(UsageError, match="refused already"):
        store.decide(PLAN, RequestState.APPROVED, "somebody else", "")
    request = store.ask(PLAN, "study", "coordinator", "{}", 100)
    assert (request.state, request.reason) == (RequestState.REFUSED, "no ethics vote")


def test_open_approvals_and_requests_have_limits(
    store: RequestStore, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.node.requests.APPROVALS_OPEN_MAX", 2)
    monkeypatch.setattr("parties.node.requests.REQUESTS_PENDING_MAX", 1)
    store.promise("n1", PLAN, "policy", 2_000)
    store.promise("n2", PLAN, "policy", 2_000)
    with pytest.raises(Busy, match="wait for a start"):
        store.promise("n3", PLAN, "policy", 3_000)
    clock.now = 2_000
    store.promise("n3", PLAN, "policy", 3_000)  # the others expired
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    with pytest.raises(Busy, match="wait for a decision"):
        store.ask(OTHER, "study", "coordinator", "{}", 100)
    assert [request.plan_digest for request in store.list()] == [PLAN]


def test_a_persons_yes_is_old_after_its_time_and_one_coordinator_does_not_crowd_out_another(
    store: RequestStore, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.node.requests.REQUESTS_PENDING_MAX", 1)
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    clock.now += 99
    assert store.ask(PLAN, "study", "coordinator", "{}", 100).state is RequestState.APPROVED
    clock.now += 1
    assert store.ask(PLAN, "study", "coordinator", "{}", 100).state is RequestState.PENDING
    assert store.ask(OTHER, "study", "other-office", "{}", 100).state is RequestState.PENDING
