"""Attacks on the protocol kernel: what a deviating owner and a curious dealer could read, and not.

Each shows the attack where the guard is left out, and its failure where it is in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from kernel_parties import NAMES, ring, run, run_ends, shares_of, stream_of

from mpc.dealing.arithmetic import Product
from mpc.dealing.supply import PlannedSupply
from mpc.errors import StudyAborted
from mpc.protocols.choose import zeroed_outside
from mpc.protocols.multiply import multiply
from mpc.protocols.order import sort
from mpc.protocols.shares import SharedWords
from mpc.ring.products import Bilinear

ROWS = 40
NOISE_SD = 1000
RNG = np.random.default_rng(40)


def noised_total(products: Any, seed: int) -> int:
    """What would be released: the total with noise far above any row."""
    noise = np.random.default_rng(seed).normal(0, NOISE_SD)
    return int(products.sum()) + round(float(noise))


def test_owner_that_enters_2_to_the_40_reads_a_row_through_noise_unless_it_is_checked() -> None:
    """One owner holds flags (0 or 1 allowed), another values in [0, 100]; their products' sum is
    released under noise of standard deviation 1000."""
    values = RNG.integers(0, 101, ROWS)
    flags = np.zeros(ROWS, np.int64)
    flags[17] = 2**40

    open_door = run(multiply, flags, values).outputs
    assert round(noised_total(open_door, 1) / 2**40) == values[17]

    def checked(c: Any, flag: SharedWords, value: SharedWords) -> SharedWords:
        return multiply(c, zeroed_outside(c, flag, 0, 1), value)

    assert not run(checked, flags, values).outputs.any()
    honest = RNG.integers(0, 2, ROWS)
    assert (run(checked, honest, values).outputs == honest * values).all()


def wins_of(opened: list[bytes], rows: int) -> list[int]:
    """How many of ``rows`` shuffled keys each is above, ascending: what all pairs' bits tell."""
    (bits,) = (value for value in opened if len(value) == rows * (rows - 1) // 2)
    below = np.frombuffer(bits, np.bool_)
    left, right = np.triu_indices(rows, 1)
    wins = np.bincount(right, below, rows) + np.bincount(left, ~below, rows)
    return sorted(wins.astype(int).tolist())


def test_owner_that_enters_a_key_out_of_range_counts_others_above_it_unless_it_is_checked() -> None:
    """Its composite key lies half a ring above 50 (b = 5 for 20 rows): differences with keys below
    wrap. One more win for each of them, and its own, leave two keys with equally many."""
    rows = 20
    keys = 2 * RNG.integers(0, 50, rows) + 1
    keys[11] = 2**58 + 50
    others = np.delete(keys, 11)
    numbers = np.arange(rows).reshape(-1, 1)

    ends, _, opened, *_ = run_ends(sort, keys, numbers)
    wins = wins_of(opened[NAMES[0]].values, rows)
    counted = [
        lower
        for lower in range(rows)
        if wins == sorted([*range(1, lower + 1), *range(lower, rows - 1), rows - 1 - lower])
    ]
    assert (others < 50).sum() in counted
    assert len(counted) <= 2
    assert {type(error) for error in ends.errors.values()} == {StudyAborted}
    assert len(ends.errors) == 3

    def checked(c: Any, key: SharedWords, table: SharedWords) -> SharedWords:
        return sort(c, zeroed_outside(c, key, 0, 100), table)

    ran = run(checked, keys, numbers)
    assert wins_of(ran.opened[NAMES[0]].values, rows) == list(range(rows))
    keys[11] = 0
    assert (ran.outputs[:, 0] == np.argsort(keys, kind="stable")).all()


def output_shares(left: np.ndarray, right: np.ndarray, seed: str) -> list[np.ndarray]:
    ends, *_ = run_ends(multiply, left, right, seed=seed)
    values = ends.all()
    return [values[name]._words for name in NAMES[:3]]


def dealt_to(place: int, recipe: Product, seed: str) -> tuple[np.ndarray, ...]:
    """What the dealer knows of a party that expands all of its shares."""
    taken = PlannedSupply(place, stream_of(place, seed), [recipe], b"", None).take(recipe)
    return (*taken.free, *taken.derived)


def recovered(shares: list[np.ndarray], size: int, seed: str) -> tuple[np.ndarray, np.ndarray]:
    """The dealer's attack: from two parties' shares of a product, both openings and so the inputs.

    The share of a party other than the first is c_i - d b_i - a_i e, in which the dealer knows all
    but d and e: two parties make two equations. Only where their determinant is odd, half a ring's
    words, has it an inverse; where it has none, the answer is left at zero.
    """
    recipe = Product(Bilinear.ELEMENTWISE, (size,), (size,))
    masks = np.zeros((2, size), np.uint64)
    lines = []
    for place in range(3):
        a, b, *c = dealt_to(place, recipe, seed) if place < 2 else (*_last(recipe, seed),)
        masks[0] += a
        masks[1] += b
        if place:
            lines.append((a, b, c[0] - shares[place]))
    (a1, b1, k1), (a2, b2, k2) = lines
    determinant = b1 * a2 - b2 * a1
    inverse = _inverse(determinant)
    d = (k1 * a2 - k2 * a1) * inverse
    e = (b1 * k2 - b2 * k1) * inverse
    odd = (determinant & np.uint64(1)).astype(bool)
    return (
        np.where(odd, d - masks[0], 0).astype(np.uint64),
        np.where(odd, e - masks[1], 0).astype(np.uint64),
    )


def _last(recipe: Product, seed: str) -> tuple[np.ndarray, ...]:
    """The last party's shares: free ones from its stream, the product from the dealer itself."""
    source = stream_of(2, seed)
    a, b = (source.words(slot.words).view(np.uint64) for slot in recipe.free)
    others = [dealt_to(place, recipe, seed) for place in range(2)]
    whole_a, whole_b = a + others[0][0] + others[1][0], b + others[0][1] + others[1][1]
    return a, b, whole_a * whole_b - others[0][2] - others[1][2]


def _inverse(values: np.ndarray) -> np.ndarray:
    """Of odd words modulo 2^64 (Newton; Hensel's lemma doubles the bits that are right)."""
    inverse = values.copy()
    for _ in range(6):
        inverse *= np.uint64(2) - values * inverse
    return inverse


def test_dealer_that_is_given_a_products_shares_reads_its_inputs_unless_refreshed() -> None:
    left, right = RNG.integers(-99, 100, 64), RNG.integers(-99, 100, 64)
    shares = output_shares(left, right, "attack")
    found = recovered(shares, 64, "attack")
    hit = found[0] != 0
    assert hit.sum() > 10  # a half is odd, less 2^-8 a chance of 10 or fewer
    assert (found[0][hit] == ring(left)[hit]).all()
    assert (found[1][hit] == ring(right)[hit]).all()

    zero = shares_of(np.zeros(64, np.uint64), 3, "a fresh zero-sharing among all pairs")
    refreshed = [share + mask for share, mask in zip(shares, zero, strict=True)]
    assert (sum(refreshed, np.zeros(64, np.uint64)) == ring(left * right)).all()
    blind = recovered(refreshed, 64, "attack")
    # A right guess of a word has probability 2^-64.
    assert not (blind[0][hit] == ring(left)[hit]).any()
    assert not (blind[1][hit] == ring(right)[hit]).any()
