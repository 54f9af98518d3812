"""Parties that end between any two durable steps: budgets, outboxes and what left always agree."""

from __future__ import annotations

from collections import Counter

import pytest
from crashing_parties import (
    RUNS_PAID,
    CrashingLedger,
    Point,
    Step,
    check,
    check_again,
    run_again,
    run_points,
    run_seed,
    scenario,
)
from noises import gaussian_source
from planted_sources import CachedSource

from mpc.accounting.event import Noise, price
from mpc.errors import BudgetRefusal
from mpc.ports import ChargeState, Witness
from mpc.testing.ledger import MemoryLedger
from mpc.testing.parties import DOMAIN
from mpc.units import PartyId, RunId

SEEDS_EACH = 25
BLOCKS = 5
AUDITED = 10_000
COUNTS, QUANTILE = scenario(2, searches=False), scenario(3, searches=True)
STUDIES = {
    "counts": COUNTS,
    "quantile": QUANTILE,
    "dealt": scenario(3, searches=False, noise=Noise.DEALT),
    "joint": scenario(3, searches=False, noise=Noise.JOINT),
}
ALL = [(name, step, after) for name, each in STUDIES.items() for step in each.steps
       for after in (False, True)]  # fmt: skip
FIRST = PartyId("alpha")


def run_seeds(seeds: range) -> Counter[str]:
    """All of ``seeds``, each held to what may be; how often what came of it."""
    ended: Counter[str] = Counter()
    for seed in seeds:
        crashed = run_seed(seed)
        try:
            check(crashed)
            check_again(crashed)
        except AssertionError as error:
            error.add_note(f"seed {seed}: {crashed.points}, {crashed.faults}")
            raise
        ended["result" if crashed.released else "no result"] += 1
        ended.update(f"{point.step} {point.after}" for point in crashed.points.values())
        ended.update(str(ledger.state(crashed.attempt.run)) for ledger in crashed.ledgers.values())
    return ended


@pytest.mark.parametrize("block", range(BLOCKS))
def test_whoever_crashes_wherever_is_charged_once_for_what_left_and_for_nothing_else(
    block: int,
) -> None:
    ended = run_seeds(range(block * SEEDS_EACH, (block + 1) * SEEDS_EACH))
    assert ended["result"]
    assert ended["no result"]
    assert all(ended[state] for state in ("None", "committed", "released", "forfeited"))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_seeded_crashes_leave_budgets_and_outboxes_right() -> None:
    ended = run_seeds(range(10**6, 10**6 + AUDITED))
    print(dict(ended))
    assert ended["result"] + ended["no result"] == AUDITED
    assert min(ended[f"{step} {after}"] for _, step, after in ALL) > AUDITED // 50


@pytest.mark.parametrize(("name", "step", "after"), ALL)
def test_one_party_that_crashes_at_a_step_is_charged_as_far_as_it_went(
    name: str, step: Step, after: bool
) -> None:
    crashed = run_points(STUDIES[name], {FIRST: Point(step, after)}, seed=f"{step} {after}")
    check(crashed)
    committed = step is Step.COLLECT or (step is Step.COMMIT and after)
    assert (crashed.collected[FIRST] is not None) == committed
    assert crashed.released or step is not Step.COLLECT
    check_again(crashed)


@pytest.mark.parametrize("after", [False, True])
def test_everyone_that_crashes_over_its_outbox_is_collected_from_when_it_is_back(
    after: bool,
) -> None:
    point = Point(Step.COLLECT, after)
    crashed = run_points(QUANTILE, dict.fromkeys(QUANTILE.parties.ledgers, point))
    assert crashed.released
    check(crashed)


def test_a_budget_that_crashes_used_up_refuses_and_nothing_is_drawn() -> None:
    crashed = run_points(QUANTILE, {FIRST: Point(Step.SHARED, after=True)})
    check(crashed)
    for _ in range(1, RUNS_PAID):
        check_again(crashed)
    for source in crashed.sources.values():
        source.drawn.clear()
    again = run_again(crashed)
    assert isinstance(again.ends.errors[FIRST], BudgetRefusal)
    assert crashed.ledgers[FIRST].outbox(again.run) is None
    assert crashed.sources[FIRST].drawn == []
    balance = crashed.ledgers[FIRST].balance(DOMAIN)
    assert balance.rho_spent == balance.rho_cap == RUNS_PAID * price(QUANTILE.parties.plan.event)[0]


class LateCharge(MemoryLedger):
    """A planted fault: the message is out before the charge is committed."""

    view: CrashingLedger | None = None

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        self._charges[run].message = message
        assert self.view is not None
        self.view.end_at(Point(Step.COMMIT, after=True))
        super().commit(run, message, shown)


class Unmarked(MemoryLedger):
    """A planted fault: that shares left is not written down."""

    def mark_shared(self, run: RunId, shown: tuple[Witness, ...] = ()) -> None:
        assert self.state(run) is ChargeState.RESERVED


class Refunding(MemoryLedger):
    """A planted fault: what failed is given back."""

    def fail(self, run: RunId) -> bool:
        return self._settle(run, ChargeState.RELEASED)


@pytest.mark.parametrize(
    ("kept", "point"),
    [
        (LateCharge, Point(Step.COMMIT, after=True)),
        (Unmarked, Point(Step.SHARED, after=True)),
        (Refunding, Point(Step.RESERVE, after=True)),
    ],
    ids=["charge after opening", "shares not marked", "rows for nothing"],
)
def test_a_planted_fault_of_the_ledger_is_caught(kept: type[MemoryLedger], point: Point) -> None:
    check(run_points(QUANTILE, {FIRST: point}))
    with pytest.raises(AssertionError, match="alpha"):
        check(run_points(QUANTILE, {FIRST: point}, kept=kept))


def test_noise_that_a_retry_uses_again_is_caught() -> None:
    crashed = run_points(
        COUNTS,
        {FIRST: Point(Step.COMMIT, after=True)},
        source=lambda seed: CachedSource(gaussian_source(seed)),
    )
    check(crashed)
    with pytest.raises(AssertionError, match="used its noise again"):
        check_again(crashed)
