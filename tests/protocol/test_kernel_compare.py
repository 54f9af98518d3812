"""Comparisons and choices on shares: right at every edge, at exactly the stated cost."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kernel_parties import NAMES, run

from mpc.errors import ContractError
from mpc.protocols.choose import (
    choose,
    clamp,
    inside,
    largest,
    maximum,
    minimum,
    relu,
    zeroed_outside,
)
from mpc.protocols.compare import both, equal, less, negative, to_words, zero
from mpc.protocols.extremes import largest_entry
from mpc.protocols.opening import Cost
from mpc.protocols.rehearsal import rehearse

PARTIES = [2, 3, 4, 5]
RNG = np.random.default_rng(20261129)
EDGES = np.array([0, 1, -1, 2, 15, 16, -16, 2**31, 2**61, -(2**61), 2**62 - 1, -(2**62)])


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pairs, many of them equal or next to each other."""
    left = RNG.integers(-(2**62), 2**62, count)
    right = RNG.integers(-(2**62), 2**62, count)
    near = RNG.integers(0, 4, count)
    right = np.where(near == 0, left, np.where(near == 1, left + RNG.integers(-1, 2, count), right))
    return left, right


@pytest.mark.parametrize("parties", PARTIES)
def test_comparison_of_64_elements_costs_4_rounds_and_99_bits_each(parties: int) -> None:
    left, right = pairs(64)
    ran = run(less, left, right, parties=parties)
    assert (ran.outputs == (left < right)).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=4, bytes_to_each=64 * 99 // 8)


@pytest.mark.parametrize("parties", PARTIES)
def test_equality_of_64_elements_costs_4_rounds_and_85_bits_each(parties: int) -> None:
    left, right = pairs(64)
    ran = run(equal, left, right, parties=parties)
    assert (ran.outputs == (left == right)).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=4, bytes_to_each=64 * 85 // 8)


@pytest.mark.parametrize("parties", PARTIES)
def test_every_pair_of_edges_compares_as_integers_do(parties: int) -> None:
    left, right = (each.ravel() for each in np.meshgrid(EDGES, EDGES))
    assert (run(less, left, right, parties=parties).outputs == (left < right)).all()
    assert (run(equal, left, right, parties=parties).outputs == (left == right)).all()


@pytest.mark.parametrize("bit", range(64))
def test_numbers_that_differ_in_one_bit_alone_are_told_apart(bit: int) -> None:
    base = RNG.integers(0, 2**63, 65).astype(np.uint64)
    other = (base ^ np.uint64(1 << bit)).view(np.int64)
    base = base.view(np.int64)
    assert not run(lambda c, x, y: zero(c, x - y), base, other).outputs.any()
    single = np.array([np.uint64(1 << bit)]).view(np.int64)
    assert (run(negative, single).outputs == (single < 0)).all()


@pytest.mark.parametrize("parties", PARTIES)
def test_a_quarter_of_a_million_random_pairs_compare_as_integers_do(parties: int) -> None:
    """With four numbers of parties: 10^6 random comparisons and as many equalities."""
    left, right = pairs(250_000)
    ran = run(lambda c, x, y: (negative(c, x - y), zero(c, x - y)), left, right, parties=parties)
    assert (ran.outputs[0] == (left < right)).all()
    assert (ran.outputs[1] == (left == right)).all()


@settings(max_examples=60, deadline=None)
@given(
    numbers=arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**63), 2**63 - 1)),
    parties=st.sampled_from(PARTIES),
)
def test_sign_is_exact_over_the_whole_ring_and_for_any_count(
    numbers: np.ndarray, parties: int
) -> None:
    assert (run(negative, numbers, parties=parties).outputs == (numbers < 0)).all()
    assert (run(zero, numbers, parties=parties).outputs == (numbers == 0)).all()


def test_more_than_a_million_elements_go_in_blocks_of_bounded_memory() -> None:
    """Held at once beside the input and its result: less than 110 bytes for each of 2^20."""
    count = 3 << 20
    gc.collect()
    tracemalloc.start()
    rehearsed = rehearse(negative, (count,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * count + 110 * (1 << 20)
    assert rehearsed.cost.rounds == 9
    numbers = RNG.integers(-(2**63), 2**63, (1 << 20) + 70, dtype=np.int64)
    assert (run(negative, numbers).outputs == (numbers < 0)).all()


def test_comparison_broadcasts_and_keeps_the_shape() -> None:
    left, right = RNG.integers(-5, 5, (3, 1, 4)), RNG.integers(-5, 5, (2, 1))
    ran = run(less, left, right)
    assert ran.outputs.shape == (3, 2, 4)
    assert (ran.outputs == (left < right)).all()


@pytest.mark.parametrize("parties", PARTIES)
def test_choices_follow_the_secret_bit(parties: int) -> None:
    left, right = pairs(130)
    left, right = left // 2, right // 2
    assert (run(maximum, left, right, parties=parties).outputs == np.maximum(left, right)).all()
    assert (run(minimum, left, right, parties=parties).outputs == np.minimum(left, right)).all()
    ran = run(lambda c, x, y: choose(c, negative(c, x), x, y), left, right, parties=parties)
    assert (ran.outputs == np.where(left < 0, left, right)).all()
    ran = run(relu, left.reshape(13, 10), parties=parties)
    assert (ran.outputs == np.maximum(left, 0).reshape(13, 10)).all()


def test_relu_costs_4_rounds_and_163_bits() -> None:
    assert run(relu, np.arange(-32, 32)).costs[NAMES[0]] == Cost(4, 64 * 163 // 8)


@pytest.mark.parametrize(("low", "high"), [(-5, 7), (0, 0), (-(2**61), 2**61), (3, 4)])
def test_clamp_and_range_check_hold_at_both_ends(low: int, high: int) -> None:
    near = [low - 1, low, low + 1, high - 1, high, high + 1, 0, 2**61, -(2**61)]
    numbers = np.array(near + list(range(-20, 60)))
    allowed = (numbers >= low) & (numbers <= high)
    assert (run(lambda c, x: clamp(c, x, low, high), numbers).outputs ==
            np.clip(numbers, low, high)).all()  # fmt: skip
    assert (run(lambda c, x: inside(c, x, low, high), numbers).outputs == allowed).all()
    ran = run(lambda c, x: zeroed_outside(c, x, low, high), numbers)
    assert (ran.outputs == np.where(allowed, numbers, 0)).all()


def test_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ContractError, match="ends where it begins"):
        run(lambda c, x: clamp(c, x, 2, 1), np.zeros(3, np.int64))


@pytest.mark.parametrize(("low", "high"), [
    (-(2**62), 2**62), (-(2**63), -1), (0, 2**63 - 1), (-(2**64), 5), (0, 2**64),
])  # fmt: skip
@pytest.mark.parametrize("program", [clamp, inside, zeroed_outside])
def test_range_whose_differences_would_wrap_is_refused_before_anything_is_dealt(
    program: Any, low: int, high: int
) -> None:
    with pytest.raises(ContractError, match="lies in"):
        rehearse(lambda c, x: program(c, x, low, high), (3,))


@pytest.mark.parametrize("low", [-(2**62), -5, 0, 2**62 - 9])
@pytest.mark.parametrize("span", [0, 8, 2**62, 2**63 - 1])
def test_range_check_is_exact_for_every_word_of_the_ring(low: int, span: int) -> None:
    high = min(low + span, 2**62 - 1)
    near = [end + step for end in (low, high, 0, 2**62, -(2**62)) for step in (-1, 0, 1)]
    numbers = np.array([*near, 2**63 - 1, -(2**63), -(2**63) + 1, low + 2**62])
    numbers = np.append(numbers, RNG.integers(-(2**63), 2**63, 200, dtype=np.int64))
    with np.errstate(over="ignore"):
        numbers = np.append(numbers, np.array([low, high]) + np.array([-(2**63)]))
    allowed = (numbers >= low) & (numbers <= high)
    assert (run(lambda c, x: inside(c, x, low, high), numbers).outputs == allowed).all()


@pytest.mark.parametrize(("program", "rounds", "bits"), [
    (lambda c, x: inside(c, x, -9, 9), 4, 198),
    (lambda c, x: zeroed_outside(c, x, -9, 9), 5, 263),
    (lambda c, x: clamp(c, x, -9, 9), 4, 326),
    (lambda c, x: maximum(c, x, x), 4, 163),
    (lambda c, x: minimum(c, x, x), 4, 163),
    (lambda c, x: choose(c, zero(c, x), x, x), 4, 84 + 65),
    (lambda c, x: both(c, negative(c, x), zero(c, x)), 7, 98 + 84 + 2),
])  # fmt: skip
def test_choice_costs_what_its_docstring_says(program: Any, rounds: int, bits: int) -> None:
    assert rehearse(program, (640,)).cost == Cost(rounds, 640 * bits // 8)


@pytest.mark.parametrize(("entries", "rounds", "gates"), [(2, 4, 0), (5, 5, 5), (10, 6, 40)])
def test_largest_costs_98_bits_a_pair_and_4_a_gate_and_1_an_entry(
    entries: int, rounds: int, gates: int
) -> None:
    bits = 98 * entries * (entries - 1) // 2 + 4 * gates + entries
    assert rehearse(largest, (64, entries)).cost == Cost(rounds, 64 * bits // 8)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("entries", [2, 3, 5, 6, 10, 18])
def test_largest_of_a_row_is_the_first_of_equals(entries: int, parties: int) -> None:
    rows = RNG.integers(-3, 4, (70, entries))
    rows[0] = 0
    wanted = np.zeros_like(rows)
    wanted[np.arange(70), rows.argmax(1)] = 1
    assert (run(largest, rows, parties=parties).outputs == wanted).all()


def test_largest_of_10_takes_6_rounds() -> None:
    """CrypTen's argmax of as many takes 60 and more."""
    ran = run(largest, RNG.integers(-(2**60), 2**60, (100, 10)))
    assert ran.costs[NAMES[0]].rounds == 6


@pytest.mark.parametrize("entries", [1, 2, 10, 64, 65, 200])
def test_largest_entry_is_the_first_of_equals_in_rows_of_any_length(entries: int) -> None:
    rows = RNG.integers(-(2**60), 2**60, (5, entries))
    rows[0], rows[1] = 7, RNG.integers(-3, 4, entries)
    marks, tops = run(largest_entry, rows).outputs
    wanted = np.zeros_like(rows)
    wanted[np.arange(5), rows.argmax(1)] = 1
    assert (marks == wanted).all()
    assert (tops == rows.max(1)).all()


def test_largest_entry_of_very_many_goes_in_small_blocks() -> None:
    row = RNG.integers(-(2**60), 2**60, (1, 20_000))
    marks, tops = run(largest_entry, row).outputs
    assert tops.tolist() == [row.max()]
    assert marks.nonzero()[1].tolist() == [row.argmax()]


def test_largest_entry_of_a_thousand_takes_14_rounds() -> None:
    """CrypTen's max of as many takes 139, its argmax more."""
    needs = rehearse(largest_entry, (1, 1000))
    assert needs.cost.rounds == 14
    assert needs.cost.bytes_to_each < 460_000


def test_and_of_secret_bits_is_theirs() -> None:
    left, right = RNG.integers(-9, 9, 100), RNG.integers(-9, 9, 100)

    def program(c: Any, x: Any, y: Any) -> Any:
        return to_words(c, both(c, negative(c, x), negative(c, y)))

    assert (run(program, left, right).outputs == ((left < 0) & (right < 0))).all()
