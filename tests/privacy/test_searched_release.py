"""A quantile's release: found in sums that every party had noised, and in nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
import pytest
from joint_release import SilentSource, WatchedSource
from scipy import stats
from searched_study import searched_study, tables_of, true_sums
from seeded_randomness import SeededRandomness

from mpc.accounting.event import price
from mpc.plan.model import Plan
from mpc.plan.programs import released_plainly
from mpc.privacy.sampler import DiscreteGaussian
from mpc.ring.words import WORD_BYTES
from mpc.session.share import ReleasedShare
from mpc.testing.parties import DOMAIN, InProcessParties, Released

FALSE_ALARM = 1e-6


def watched(run: InProcessParties, seed: str) -> dict[str, WatchedSource]:
    return {
        party: WatchedSource(DiscreteGaussian(SeededRandomness(f"noise {seed} {party}")))
        for party in run.ledgers
    }


def noised(plan: Plan, sums: list[int], sources: Mapping[str, WatchedSource]) -> list[int]:
    drawn = [source.drawn for source in sources.values()]
    assert all(len(own) == plan.event.size for own in drawn)
    return [total + sum(noises) for total, *noises in zip(sums, *drawn, strict=True)]


def released(parties: int, seed: str, epsilon: str = "4") -> tuple[
    InProcessParties, Released, list[int], dict[str, WatchedSource]
]:  # fmt: skip
    names = ("alpha", "bravo", "charlie", "delta", "echo")[:parties]
    study = searched_study(names, epsilon)
    tables = tables_of(study, 100)
    run = InProcessParties(study, tables, SeededRandomness(f"keys {seed}"))
    sources = watched(run, seed)
    outcome = run.run({**sources})
    return run, outcome, true_sums(run.plan, tables), sources


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_what_is_released_is_found_in_the_sums_that_every_party_noised(parties: int) -> None:
    run, outcome, sums, sources = released(parties, "found")
    layouts = [question.layout for question in run.plan.questions]
    assert list(outcome.totals) == released_plainly(noised(run.plan, sums, sources), layouts)
    assert list(outcome.totals) != released_plainly(sums, layouts)


def test_one_charge_pays_for_every_node_that_a_search_may_look_at() -> None:
    run, _outcome, _sums, _sources = released(3, "charged")
    rho, _delta = price(run.plan.event)
    nodes = sum(question.layout.size for question in run.plan.questions)
    assert run.plan.event.size == nodes > run.plan.size
    assert rho == run.plan.rho_total
    for ledger in run.ledgers.values():
        assert ledger.balance(DOMAIN).rho_spent == rho


def test_of_a_search_only_its_end_leaves_a_party() -> None:
    run, outcome, _sums, _sources = released(3, "left")
    for message in outcome.messages.values():
        assert len(ReleasedShare.from_bytes(message).masked) == run.plan.size * WORD_BYTES
    searched = sum(2 * q.layout.cells for q in run.plan.questions if q.layout.search)
    assert run.plan.size == 1 + 2 + searched


def test_without_noise_the_search_ends_at_the_exact_quantile() -> None:
    study = searched_study()
    tables = tables_of(study, 100)
    run = InProcessParties(study, tables, SeededRandomness("keys exact"))
    build = SilentSource.build
    outcome = run.run({party: SilentSource() for party in run.ledgers}, build=build)
    layouts = [question.layout for question in run.plan.questions]
    assert list(outcome.totals) == released_plainly(true_sums(run.plan, tables), layouts)


def test_the_rank_lies_within_the_stated_bounds_as_often_as_stated() -> None:
    """40 runs of 3 searches; a bound of 95 % that held for 95 % would fail once in 10^6 seeds."""
    trials = hits = 0
    for seed in range(40):
        run, outcome, sums, _sources = released(3, f"ranks {seed}", epsilon="8")
        start = 0
        for question, answer in zip(run.plan.questions, outcome.answers, strict=True):
            layout, search = question.layout, question.layout.search
            own = np.array(sums[start : start + layout.size])
            start += layout.size
            if search is None:
                continue
            for place, cell in enumerate(answer.cells):
                reach = sqrt(2 * np.log(80 * search.levels) * question.blocks[1].total_variance)
                index = outcome.totals[question.offset + layout.cells + place]
                trials += 1
                hits += _within(own, layout.cells, search.levels, place, index, reach)
                rank = cell.estimate("rank")
                assert rank.value is None or (rank.low or 0) <= rank.value <= (rank.high or 0)
    assert hits >= stats.binom.ppf(FALSE_ALARM, trials, 0.95)


def _within(own: np.ndarray, cells: int, levels: int, place: int, index: int, reach: float) -> bool:
    """Whether no turn on the way to ``index`` was wrong by more than ``reach``."""
    start, node = cells, 0
    for level in range(levels):
        up = index >> (levels - 1 - level) & 1
        total = own[start + (place << level) + node]
        if (total >= reach) if up else (total < -reach):
            return False
        start, node = start + (cells << level), 2 * node + up
    return True
