"""What the desk signs, for whom, how long it is good, and which plans it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from owner_tables import plan_text, scenario, write_owner
from seeded_randomness import SeededRandomness

from mpc.errors import IntegrityError, UnknownStudy
from mpc.session.approval import Approval
from mpc.units import PartyId, PlanDigest
from parties.data.catalogue import Catalogue
from parties.node.desk import PLANS_KEPT_MAX, SCHEMA, VERSION, Desk, _wire_reason
from parties.node.requests import RequestState, RequestStore
from protos import control_pb2 as wire

VALID_S = 600
OFFICE, RIVAL = PartyId("office"), PartyId("rival-office")
ANN, BOB = "Ann Example", "Bob Example"


class SetClock:
    now = 1_000

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


class InterruptedStore(RequestStore):
    """Something happens right after a request was read."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def ask(self, *about, **more):
        asked = super().ask(*about, **more)
        self.meanwhile()
        return asked


class DeskOf:
    """A desk of this approval mode, and what it signs."""

    def __init__(self, folder: Path, approval: str) -> None:
        self.clock = SetClock()
        self.store = InterruptedStore(folder / "requests.db", self.clock)
        self.policy = SimpleNamespace(approval=approval, approval_expires_s=VALID_S)
        self.desk = Desk(
            SimpleNamespace(
                config=SimpleNamespace(party=PartyId("alpha")),
                trust=SimpleNamespace(
                    identity=SimpleNamespace(sign=lambda _context, _content: bytes(64))
                ),
                policy=SimpleNamespace(value=self.policy),
                catalogue=None,
                ledger=None,
                requests=self.store,
                clock=self.clock,
                randomness=SeededRandomness("desk"),
            )
        )
        self.desk._summary = lambda _plan: "{}"

    def decision(self, plan: SimpleNamespace) -> wire.Judgement:
        return self.desk._decision(plan, plan.roster.coordinator.id, wire.Budget())

    def expires(self, plan: SimpleNamespace) -> int:
        judgement = self.decision(plan)
        assert judgement.verdict == wire.Judgement.APPROVED
        return Approval.from_bytes(judgement.approval).expires_unix_s


def plan(number: int, coordinator: PartyId = OFFICE) -> SimpleNamespace:
    digest = PlanDigest(f"{number:062x}" + ("aa" if coordinator == OFFICE else "bb"))
    roster = SimpleNamespace(coordinator=SimpleNamespace(id=coordinator))
    return SimpleNamespace(digest=digest, roster=roster, study=SimpleNamespace(id="ages-1"))


@pytest.fixture
def manual(tmp_path: Path) -> DeskOf:
    return DeskOf(tmp_path, "manual")


@pytest.fixture
def automatic(tmp_path: Path) -> DeskOf:
    return DeskOf(tmp_path, "automatic")


def test_approval_ends_when_the_persons_yes_does_however_late_it_is_fetched(
    manual: DeskOf,
) -> None:
    asked = plan(1)
    assert manual.decision(asked).verdict == wire.Judgement.PENDING
    manual.store.decide(asked.digest, RequestState.APPROVED, ANN, "")
    assert manual.expires(asked) == 1_000 + VALID_S
    manual.clock.now += VALID_S - 1
    assert manual.expires(asked) == 1_000 + VALID_S
    manual.clock.now += 1
    assert manual.decision(asked).verdict == wire.Judgement.PENDING
    manual.store.decide(asked.digest, RequestState.APPROVED, ANN, "")
    manual.clock.now -= 100  # a clock set back makes no yes longer
    assert manual.expires(asked) == manual.clock.now + VALID_S


def test_approval_by_the_policy_is_good_for_the_whole_time_from_now(automatic: DeskOf) -> None:
    assert automatic.expires(plan(1)) == 1_000 + VALID_S
    automatic.clock.now += VALID_S - 1
    assert automatic.expires(plan(1)) == automatic.clock.now + VALID_S
    assert automatic.store.list() == ()


def test_refusal_by_a_person_stands_when_the_policy_decides_alone_until_it_is_reconsidered(
    automatic: DeskOf,
) -> None:
    """The request is of the time when people decided; it was refused after that time."""
    asked = plan(1)
    automatic.store.ask(asked.digest, "ages-1", OFFICE, "{}", VALID_S)
    automatic.store.decide(asked.digest, RequestState.REFUSED, ANN, "no ethics vote")
    automatic.desk._policy.value.owner = None
    judgement = automatic.decision(asked)
    assert judgement.verdict == wire.Judgement.REFUSED
    assert [each.what for each in judgement.reasons] == [f"refused by {ANN}: no ethics vote"]
    assert judgement.approval == b""
    with pytest.raises(UnknownStudy):
        automatic.desk.agreed_plan(asked.digest)
    assert automatic.expires(plan(2)) == 1_000 + VALID_S
    automatic.store.reconsider(asked.digest, ANN, "vote received")
    assert automatic.expires(asked) == 1_000 + VALID_S


def test_yes_taken_back_while_it_is_signed_is_not_sent_and_the_next_persons_is(
    manual: DeskOf,
) -> None:
    asked = plan(1)
    manual.decision(asked)
    manual.store.decide(asked.digest, RequestState.APPROVED, ANN, "")

    def ann_yields_to_bob() -> None:
        manual.store.reconsider(asked.digest, ANN, "wrong study")
        manual.store.decide(asked.digest, RequestState.APPROVED, BOB, "")

    manual.store.meanwhile = ann_yields_to_bob
    with pytest.raises(IntegrityError, match="just taken back"):
        manual.decision(asked)
    with pytest.raises(UnknownStudy):
        manual.desk.agreed_plan(asked.digest)
    manual.store.meanwhile = lambda: None
    (request,) = manual.store.list()
    assert (request.state, request.decided_by) == (RequestState.APPROVED, BOB)
    signed = Approval.from_bytes(manual.decision(asked).approval)
    assert signed.approved_by == BOB
    assert manual.desk.agreed_plan(asked.digest) is asked


def test_study_that_does_not_fit_a_table_is_told_which_command_shows_what_would(
    tmp_path: Path,
) -> None:
    config = write_owner(
        tmp_path,
        {"age": {"type": "number", "bounds": [0, 9]}, "sex": {"type": "text", "levels": ["f"]}},
        b"age,sex\n1,f\n",
    )
    study = scenario(
        {
            "age": {"type": "number", "bounds": [20, 30], "step": 1},
            "sex": {"type": "category", "levels": ["f", "m"]},
            "pay": {"type": "number", "bounds": [0, 9], "step": 1},
        },
        {"rows": {"kind": "count", "by": ["sex"]}, "pay": {"kind": "mean", "column": "pay"}},
    )
    parts = SimpleNamespace(
        config=config,
        trust=SimpleNamespace(check_roster=lambda _roster: None),
        policy=None,
        catalogue=Catalogue(config),
        ledger=None,
        requests=None,
        clock=SetClock(),
        randomness=SeededRandomness("desk"),
    )
    version, *misfits = map(_wire_reason, Desk(parts)._own_reasons(plan_text(study)))
    assert (version.code, version.allowed) == (VERSION, "none is registered")
    assert [each.what for each in misfits] == [
        "column age lies within [0, 9] here, which the study's bounds miss",
        "column sex has no level m here",
        "table cases has no column pay",
    ]
    assert {(each.code, each.allowed) for each in misfits} == {
        (SCHEMA, "what parley coordinator tables shows of this party")
    }


def test_plans_of_a_rival_do_not_push_out_those_of_another_coordinator(
    automatic: DeskOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.node.requests.APPROVALS_OPEN_MAX", 3 * PLANS_KEPT_MAX)
    mine = plan(1)
    automatic.decision(mine)
    theirs = [plan(number, RIVAL) for number in range(PLANS_KEPT_MAX + 2)]
    for each in (*theirs[:-2], theirs[1], *theirs[-2:]):  # 1 is approved once more
        automatic.decision(each)
    assert automatic.desk.agreed_plan(mine.digest) is mine
    kept = [theirs[1], *theirs[3:]]
    assert [automatic.desk.agreed_plan(each.digest) for each in kept] == kept
    for pushed_out in (theirs[0], theirs[2]):
        with pytest.raises(UnknownStudy, match="approved no such plan"):
            automatic.desk.agreed_plan(pushed_out.digest)
