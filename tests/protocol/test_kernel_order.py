"""Shuffle, sort, ranks and groups: right with ties, and at a cost that rows alone decide."""

from __future__ import annotations

import gc
import tracemalloc
from fractions import Fraction
from math import exp, lgamma, log, log1p
from typing import Any

import numpy as np
import pytest
from kernel_parties import NAMES, run

from mpc.errors import ContractError
from mpc.protocols.group import group_counts, group_sums, segment_sums
from mpc.protocols.opening import Cost
from mpc.protocols.order import SPLIT, _mingled, _pairs_max, _sampled, key_bound, ranked, sort, top
from mpc.protocols.rehearsal import rehearse
from mpc.protocols.shuffle import shuffle

PARTIES = [2, 3, 4, 5]
RNG = np.random.default_rng(20261130)


def keyed(rows: int, spread: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Keys with many ties, and a table that tells equal ones apart."""
    keys = RNG.integers(-spread, spread, rows)
    return keys, np.stack([keys, np.arange(rows)], axis=1)


@pytest.mark.parametrize("parties", PARTIES)
def test_shuffle_keeps_rows_whole_and_takes_one_round_a_party(parties: int) -> None:
    table = np.stack([np.arange(500), np.arange(500) * 7], axis=1)
    ran = run(shuffle, table, parties=parties)
    assert sorted(map(tuple, ran.outputs)) == sorted(map(tuple, table))
    assert (ran.outputs != table).any()
    assert ran.costs[NAMES[0]] == Cost(parties, 0, (parties - 1) * 8 * table.size)


def test_sequence_of_a_shuffle_is_uniform() -> None:
    """Chi-square over the 6 sequences of 3 rows, 1200 shuffles: false alarm 10^-5 (30.86)."""
    seen: dict[tuple[int, ...], int] = {}
    for seed in range(1200):
        order = tuple(
            run(shuffle, np.arange(3).reshape(3, 1), parties=2, seed=str(seed)).outputs[:, 0]
        )
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 6
    assert sum((count - 200) ** 2 / 200 for count in seen.values()) < 30.86


@pytest.mark.parametrize("rows", [1, 2, 3, 63, 96, 97, 400, 3000])
def test_sort_keeps_the_sequence_of_equal_keys(rows: int) -> None:
    keys, table = keyed(rows)
    assert (run(sort, keys, table).outputs == table[np.argsort(keys, kind="stable")]).all()


@pytest.mark.parametrize("parties", PARTIES)
def test_sort_takes_keys_up_to_its_bound(parties: int) -> None:
    bound = key_bound(120)
    keys = RNG.integers(-bound + 1, bound, 120)
    keys[:4] = [bound - 1, -bound + 1, 0, bound - 1]
    table = keys.reshape(-1, 1)
    assert (run(sort, keys, table, parties=parties).outputs[:, 0] == np.sort(keys)).all()


@pytest.mark.parametrize("rows", [1, 10, 97, 2000, 10_000])
def test_row_of_a_rank_is_that_of_the_sorted_table(rows: int) -> None:
    keys, table = keyed(rows, spread=max(3, rows // 2))
    ordered = table[np.argsort(keys, kind="stable")]
    for rank in sorted({0, 1 % rows, rows // 2, rows - 1}):
        ran = run(lambda c, k, t, rank=rank: ranked(c, k, t, [rank]), keys, table)
        assert (ran.outputs == ordered[[rank]]).all()


def test_several_ranks_share_one_shuffle() -> None:
    keys, table = keyed(2000, spread=500)
    ordered = table[np.argsort(keys, kind="stable")]
    ran = run(lambda c, k, t: ranked(c, k, t, [500, 1000, 1500]), keys, table)
    assert (ran.outputs == ordered[[500, 1000, 1500]]).all()
    assert ran.costs[NAMES[0]].bytes_to_one == 2 * 8 * 3 * 2000


@pytest.mark.parametrize("rows", [1, 2, 33, 1000, 5000])
@pytest.mark.parametrize("count", [1, 2, 20, 700])
def test_top_rows_are_the_last_of_the_sorted_table(rows: int, count: int) -> None:
    keys, table = keyed(rows, spread=max(3, rows // 4))
    count = min(rows, count)
    ran = run(lambda c, k, t: top(c, k, t, count), keys, table)
    assert (ran.outputs == table[np.argsort(keys, kind="stable")][-count:]).all()


def test_ranks_of_a_table_that_is_sorted_as_a_whole_take_one_sort() -> None:
    one = rehearse(lambda c, k, t: ranked(c, k, t, [250]), (1000,), (1000, 1)).cost
    assert rehearse(sort, (1000,), (1000, 1)).cost == one
    several = rehearse(lambda c, k, t: ranked(c, k, t, [250, 500, 750]), (1000,), (1000, 1)).cost
    assert several == one


def test_ranks_share_the_sorted_sample() -> None:
    rows = 40_000
    cost = [
        rehearse(lambda c, k, t, ranks=ranks: ranked(c, k, t, ranks), (rows,), (rows, 1)).cost
        for ranks in ([20_000], [20_000, 20_000])
    ]
    sample = rehearse(sort, (_sampled(rows),), (_sampled(rows), 1)).cost
    assert cost[1].bytes_to_each == 2 * cost[0].bytes_to_each - sample.bytes_to_each
    # Both count a shuffle's 3 rounds.
    assert cost[1].rounds == 2 * cost[0].rounds - sample.rounds


@pytest.mark.parametrize(("program", "rows", "comparisons", "rounds"), [
    (sort, 96, 47.7, 4),
    (sort, 1000, 33.6, 68),
    (sort, 10_000, 19.7, 164),
    (lambda c, k, t: ranked(c, k, t, [5000]), 10_000, 14.0, 188),
    (lambda c, k, t: top(c, k, t, 20), 10_000, 10.3, 184),
    (lambda c, k, t: top(c, k, t, 1), 10_000, 16.0, 12),
])  # fmt: skip
def test_comparisons_a_row_and_rounds_of_an_order_are_those_stated(
    program: Any, rows: int, comparisons: float, rounds: int
) -> None:
    cost = rehearse(program, (rows,), (rows, 1)).cost
    assert cost.bytes_to_each / rows / 12.375 == pytest.approx(comparisons, abs=0.1)
    assert cost.rounds == rounds + 3


@pytest.mark.parametrize("count", [-1, 0, 6])
def test_top_of_no_row_or_of_more_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(ContractError, match="1 to all"):
        rehearse(lambda c, k, t: top(c, k, t, count), (5,), (5, 1))


@pytest.mark.parametrize("rows", [2, 5, 64, 333])
def test_segment_sums_take_5_rounds_and_one_a_doubling(rows: int) -> None:
    cost = rehearse(segment_sums, (rows,), (rows,)).cost
    assert cost.rounds == 5 + (rows - 1).bit_length()


def test_largest_of_a_thousand_takes_11_rounds() -> None:
    """CrypTen's takes 139 by its count, a tree of comparisons of 15 rounds each and more."""
    keys, table = keyed(1000)
    assert run(lambda c, k, t: top(c, k, t, 1), keys, table).costs[NAMES[0]].rounds == 11


@pytest.mark.parametrize(("one", "other"), [(5, 5), (301, 99), (1500, 700), (7, 0)])
def test_candidates_come_in_one_sequence_on_every_machine(one: int, other: int) -> None:
    """numpy's default sort brings equal numbers into a sequence that depends on the processor."""
    along = [Fraction(2 * at + 1, 2 * one) for at in range(one)]
    along += [Fraction(2 * at + 1, 2 * other) for at in range(other)]
    wanted = sorted(range(one + other), key=lambda at: along[at])
    assert _mingled(np.arange(one), np.arange(one, one + other)).tolist() == wanted


def log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def log2_chance_of_more_pairs(rest: int, splitters: int, pairs: int) -> float:
    """A proven bound (Chernoff): parts are a uniform composition of ``rest`` into splitters + 1.

    Compositions with a part above ``longest`` are counted on their own, so that the rest has
    moments: [z^rest] F(z)^parts is below z^-rest F(z)^parts, F(z) the sum of z^n e^(t n(n-1)/2).
    """
    parts, best = splitters + 1, 0.0
    every = log_choose(rest + splitters, splitters)
    for longest in {min(rest, size) for size in (90, 110, 130, 160)}:
        size = np.arange(longest + 1.0)
        longer = -np.inf
        if longest < rest:
            longer = log(parts) + log_choose(rest - longest - 1 + splitters, splitters) - every
        for turn in np.geomspace(5e-4, 0.05, 16):
            low, high = -8.0, 1.0  # log z, where the mean part has its size
            for _ in range(40):
                middle = (low + high) / 2
                weights = middle * size + turn * size * (size - 1) / 2
                weights = np.exp(weights - weights.max())
                if (weights * size).sum() * parts > rest * weights.sum():
                    high = middle
                else:
                    low = middle
            at = low * size + turn * size * (size - 1) / 2
            moments = parts * (at.max() + log(np.exp(at - at.max()).sum())) - rest * low
            tail = moments - every - turn * (pairs + 1)
            best = min(best, max(tail, longer) + log1p(exp(-abs(tail - longer))))
    return best / log(2)


@pytest.mark.parametrize("rows", [97, 150, 196, 200, 300, 700, 2000, 10_000, 300_000, 1_000_000])
def test_pairs_between_splitters_pass_their_bound_less_than_once_in_2_to_the_40(rows: int) -> None:
    splitters = rows // SPLIT
    rest = rows - splitters
    bound = _pairs_max(rest, splitters)
    assert bound <= rest * (rest - 1) // 2, "more comparisons than there are pairs"
    if bound < rest * (rest - 1) // 2:
        assert log2_chance_of_more_pairs(rest, splitters, bound) < -45


@pytest.mark.parametrize("root", [1, 2, 10, 99, 100, 101, 1291, 4096])
def test_sample_is_counted_exactly_where_a_root_is_whole(root: int) -> None:
    """2/3 is no binary fraction: powers of floats err by one where the C library pleases."""
    rows = root**3
    assert [_sampled(rows - 1), _sampled(rows), _sampled(rows + 1)] == [
        2 * min(k for k in (root**2 - 1, root**2) if k**3 >= (rows - 1) ** 2),
        2 * root**2,
        2 * (root**2 + 1),
    ]


def test_rank_beyond_the_rows_is_refused() -> None:
    keys, table = keyed(5)
    with pytest.raises(ContractError, match="ranks of 5 rows"):
        run(lambda c, k, t: ranked(c, k, t, [5]), keys, table)


@pytest.mark.parametrize(("program", "rows"), [
    (sort, 700), (lambda c, k, t: ranked(c, k, t, [100]), 2000),
])  # fmt: skip
def test_cost_of_an_order_is_the_same_for_all_tables_of_that_many_rows(
    program: Any, rows: int
) -> None:
    tables = (np.zeros(rows, np.int64), np.arange(rows), -np.arange(rows), keyed(rows)[0])
    costs = {run(program, keys, keys.reshape(-1, 1)).costs[NAMES[0]] for keys in tables}
    assert len(costs) == 1


def test_median_of_ten_thousand_makes_fewer_than_15_comparisons_a_row() -> None:
    keys, table = keyed(10_000)
    cost = run(lambda c, k, t: ranked(c, k, t, [5000]), keys, table[:, :1]).costs[NAMES[0]]
    assert cost.bytes_to_each < 15 * 12.375 * 10_000
    assert cost.rounds < 200


@pytest.mark.parametrize("parties", PARTIES)
def test_groups_by_a_secret_key_count_and_sum_in_one_round(parties: int) -> None:
    keys, values = RNG.integers(0, 20, 3000), RNG.integers(-(2**40), 2**40, 3000)
    ran = run(lambda c, k: group_counts(c, k, 5), keys, parties=parties)
    assert (ran.outputs == np.bincount(keys, minlength=32)).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=3000)
    ran = run(lambda c, k, v: group_sums(c, k, v, 5), keys, values, parties=parties)
    assert (ran.outputs == [values[keys == key].sum() for key in range(32)]).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=3000 * 9)


def test_groups_over_several_blocks_of_dealt_tables_are_whole() -> None:
    keys = RNG.integers(0, 4096, 2000)
    ran = run(lambda c, k: group_counts(c, k, 12), keys)
    assert (ran.outputs == np.bincount(keys, minlength=4096)).all()
    assert ran.costs[NAMES[0]].rounds == 1


def test_groups_beyond_2_to_the_24_rows_times_keys_take_rounds_and_not_memory() -> None:
    rows = 3 << 12
    gc.collect()
    tracemalloc.start()
    rehearsed = rehearse(lambda c, k: group_counts(c, k, 12), (rows,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rehearsed.cost == Cost(rounds=3, bytes_to_each=2 * rows)
    assert peak < 220 << 20  # of 384 MiB dealt
    keys, values = RNG.integers(0, 4096, rows - 5), RNG.integers(-9, 9, rows - 5)
    ran = run(lambda c, k, v: group_sums(c, k, v, 12), keys, values, parties=2)
    assert (ran.outputs == np.bincount(keys, values, 4096).astype(int)).all()


@pytest.mark.parametrize("key_bits", [0, 13, 40])
def test_groups_by_more_keys_than_are_dealt_at_once_are_refused(key_bits: int) -> None:
    with pytest.raises(ContractError, match="2 to 4,096 keys"):
        rehearse(lambda c, k: group_counts(c, k, key_bits), (5,))


def test_row_whose_owner_entered_no_key_at_all_still_counts_once() -> None:
    keys = np.array([2**62, -1, 3, 2**40 + 5])
    ran = run(lambda c, k: group_counts(c, k, 3), keys)
    assert ran.outputs.sum() == 4
    assert (ran.outputs == np.bincount(keys % 8, minlength=8)).all()


@pytest.mark.parametrize("rows", [1, 2, 5, 64, 333])
def test_sums_of_segments_stand_at_their_last_rows(rows: int) -> None:
    keys, values = np.sort(RNG.integers(0, 9, rows)), RNG.integers(-99, 99, rows)
    last = np.append(keys[1:] != keys[:-1], True)
    sums = np.array([values[keys == key].sum() for key in keys])
    assert (run(segment_sums, keys, values).outputs == np.where(last, sums, 0)).all()
