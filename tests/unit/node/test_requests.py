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
OFFICE = PartyId("coordinator")
RIVAL = PartyId("rival-office")
ANN, BOB = "Ann Example", "Bob Example"


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


def begun(run: str, plan: PlanDigest = PLAN, coordinator: PartyId = OFFICE) -> BegunRun:
    return BegunRun(RunId(run * 64), plan, coordinator, "population")


def plan_of(number: int) -> PlanDigest:
    return PlanDigest(f"{number:064x}")


def test_an_approval_is_used_by_one_start_only(store: RequestStore) -> None:
    store.promise("n1", PLAN, OFFICE, "policy", 2_000)
    assert store.use_up("n1", begun("1"), manual=False) == "policy"
    with pytest.raises(IntegrityError, match="used by an earlier start"):
        store.use_up("n1", begun("2"), manual=False)
    assert store.runs_of(PLAN) == (RunId("1" * 64),)


def test_an_approval_that_is_looked_at_is_not_used_up(store: RequestStore) -> None:
    store.promise("n1", PLAN, OFFICE, "policy", 2_000)
    for _ in range(2):
        store.check_open("n1", begun("1"), manual=False)
    with pytest.raises(IntegrityError, match="a person decides here now"):
        store.check_open("n1", begun("1"), manual=True)
    assert store.runs_of(PLAN) == ()
    assert store.use_up("n1", begun("1"), manual=False) == "policy"
    with pytest.raises(IntegrityError, match="used by an earlier start"):
        store.check_open("n1", begun("1"), manual=False)


@pytest.mark.parametrize(
    ("nonce", "plan", "coordinator", "now"),
    [
        ("unknown", PLAN, OFFICE, 1_000),
        ("n1", OTHER, OFFICE, 1_000),
        ("n1", PLAN, RIVAL, 1_000),
        ("n1", PLAN, OFFICE, 2_000),
    ],
    ids=["unknown", "of another plan", "of another coordinator", "expired"],
)
def test_a_wrong_approval_starts_nothing(
    store: RequestStore,
    clock: StillClock,
    nonce: str,
    plan: PlanDigest,
    coordinator: PartyId,
    now: int,
) -> None:
    store.promise("n1", PLAN, OFFICE, "policy", 2_000)
    clock.now = now
    for ask in (store.check_open, store.use_up):
        with pytest.raises(IntegrityError):
            ask(nonce, begun("1", plan, coordinator), manual=False)
    assert store.runs_of(plan) == ()


def test_a_persons_yes_is_good_for_one_run_and_asked_for_again_after_it(
    store: RequestStore,
) -> None:
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    store.promise("n1", PLAN, OFFICE, "M. Okafor", 2_000)
    store.promise("n2", PLAN, RIVAL, "M. Okafor", 2_000)
    assert store.use_up("n1", begun("1"), manual=True) == "M. Okafor"
    with pytest.raises(IntegrityError):
        store.use_up("n2", begun("2", coordinator=RIVAL), manual=True)
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
    store.promise("n1", plan_of(1), OFFICE, "policy", 2_000)
    store.promise("n2", plan_of(2), OFFICE, "policy", 2_000)
    with pytest.raises(Busy, match="wait for a start"):
        store.promise("n3", plan_of(3), OFFICE, "policy", 3_000)
    clock.now = 2_000
    store.promise("n3", plan_of(3), OFFICE, "policy", 3_000)  # the others expired
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


def test_what_the_policy_approved_starts_nothing_once_a_person_decides(
    store: RequestStore,
) -> None:
    store.promise("n1", PLAN, OFFICE, "policy", 2_000)
    for state in ("not asked", RequestState.PENDING, RequestState.APPROVED):
        if state is RequestState.PENDING:
            store.ask(PLAN, "study", "coordinator", "{}", 100)
        if state is RequestState.APPROVED:
            store.decide(PLAN, RequestState.APPROVED, ANN, "")
        with pytest.raises(IntegrityError, match="a person decides here now") as refused:
            store.use_up("n1", begun("1"), manual=True)
        assert refused.value.hint == "propose the plan again"
    assert store.runs_of(PLAN) == ()
    (request,) = store.list()
    assert (request.state, request.decided_by) == (RequestState.APPROVED, ANN)  # not used up by it
    store.promise("n2", PLAN, OFFICE, ANN, 2_000)
    assert store.use_up("n2", begun("2"), manual=True) == ANN
    assert store.runs_of(PLAN) == (RunId("2" * 64),)


def test_refusal_or_reconsidering_withdraws_what_the_policy_approved_of_that_plan_alone(
    store: RequestStore,
) -> None:
    for take_back, others in ((True, "o1"), (False, "o2")):
        store.ask(PLAN, "study", "coordinator", "{}", 100)
        if take_back:
            store.decide(PLAN, RequestState.APPROVED, ANN, "")
        store.promise("n1", PLAN, OFFICE, "policy", 2_000)
        store.promise(others, OTHER, OFFICE, "policy", 2_000)
        if take_back:
            store.reconsider(PLAN, ANN, "to be thought over")
        else:
            store.decide(PLAN, RequestState.REFUSED, ANN, "no ethics vote")
        with pytest.raises(IntegrityError, match="unknown, expired, or was used"):
            store.use_up("n1", begun("1"), manual=False)
        assert store.runs_of(PLAN) == ()
        assert store.use_up(others, begun(others[1], OTHER), manual=False) == "policy"
    said = [each.state for each in store.decisions(PLAN)]
    assert said == ["approved", "pending", "refused"]


def test_what_the_policy_signs_while_a_person_refuses_is_not_promised(store: RequestStore) -> None:
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    store.decide(PLAN, RequestState.REFUSED, ANN, "no ethics vote")
    with pytest.raises(IntegrityError, match="or it was refused"):
        store.promise("n1", PLAN, OFFICE, "policy", 2_000)
    with pytest.raises(IntegrityError, match="unknown, expired, or was used"):
        store.use_up("n1", begun("1"), manual=False)
    assert store.runs_of(PLAN) == ()


def test_one_plan_proposed_again_and_again_holds_one_open_approval_the_latest(
    store: RequestStore,
) -> None:
    store.promise("other", OTHER, OFFICE, "policy", 2_000)
    for number in range(1_000):
        store.promise(f"n{number}", PLAN, OFFICE, "policy", 2_000)
    for earlier in ("n0", "n998"):
        with pytest.raises(IntegrityError, match="unknown, expired, or was used"):
            store.use_up(earlier, begun("1"), manual=False)
    assert store.runs_of(PLAN) == ()
    assert store.use_up("n999", begun("1"), manual=False) == "policy"
    store.promise("more", PLAN, OFFICE, "policy", 2_000)
    with pytest.raises(IntegrityError, match="used by an earlier start"):
        store.use_up("n999", begun("2"), manual=False)  # used once and for ever
    assert store.use_up("other", begun("2", OTHER), manual=False) == "policy"


def test_coordinator_whose_approvals_are_all_open_leaves_the_room_of_another(
    store: RequestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.node.requests.APPROVALS_OPEN_MAX", 2)
    store.promise("r1", plan_of(1), RIVAL, "policy", 2_000)
    store.promise("r2", plan_of(2), RIVAL, "policy", 2_000)
    with pytest.raises(Busy, match="2 approvals for it wait for a start"):
        store.promise("r3", plan_of(3), RIVAL, "policy", 2_000)
    store.promise("r4", plan_of(2), RIVAL, "policy", 2_000)  # instead of r2, so none more
    store.promise("n1", PLAN, OFFICE, "policy", 2_000)
    assert store.use_up("n1", begun("1"), manual=False) == "policy"
    for number, nonce in ((1, "r1"), (2, "r4")):
        mine = begun(str(1 + number), plan_of(number), RIVAL)
        assert store.use_up(nonce, mine, manual=False) == "policy"


@pytest.mark.parametrize("now_by", ["nobody", "refused", BOB])
def test_approval_is_not_promised_as_of_a_person_who_took_it_back(
    store: RequestStore, now_by: str
) -> None:
    store.ask(PLAN, "study", "coordinator", "{}", 100)
    store.decide(PLAN, RequestState.APPROVED, ANN, "")
    store.promise("n1", PLAN, OFFICE, ANN, 2_000)
    store.reconsider(PLAN, ANN, "wrong study")
    if now_by == BOB:
        store.decide(PLAN, RequestState.APPROVED, BOB, "")
        store.promise("n2", PLAN, OFFICE, BOB, 2_000)
    if now_by == "refused":
        store.decide(PLAN, RequestState.REFUSED, ANN, "no ethics vote")
    before, decisions = store.list(), store.decisions(PLAN)
    with pytest.raises(IntegrityError, match="just taken back"):
        store.promise("n3", PLAN, OFFICE, ANN, 2_000)
    for nonce in ("n1", "n3"):
        with pytest.raises(IntegrityError, match="unknown"):
            store.use_up(nonce, begun("1"), manual=True)
    assert (store.list(), store.decisions(PLAN)) == (before, decisions)
    assert store.runs_of(PLAN) == ()
    if now_by == BOB:
        assert store.use_up("n2", begun("1"), manual=True) == BOB  # his is still there
