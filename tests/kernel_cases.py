"""Random cases of every operation of the protocol kernel, judged by Python's and numpy's integers.

A case is one element: its operation, shape, public numbers and secrets are drawn anew, a third of
the secrets next to 0, to a power of two or to an end of the operation's domain, and others equal to
a neighbour. :data:`OPERATIONS` makes any number of them from a generator, the same for one seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from kernel_parties import run
from numpy.typing import NDArray
from plain_convolution import convolved, drawn_convolution, kernel_shape

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
from mpc.protocols.compare import both, equal, less, negative, zero
from mpc.protocols.extremes import largest_entry
from mpc.protocols.group import group_counts, group_sums, segment_sums
from mpc.protocols.multiply import matmul, multiply, multiply_each, square
from mpc.protocols.order import key_bound, ranked, sort, top
from mpc.protocols.search import search
from mpc.protocols.shuffle import shuffle
from mpc.protocols.truncate import divide, truncate

Words = NDArray[np.int64]
Generator = np.random.Generator
RING = (-(2**63), 2**63 - 1)
HALF = (-(2**62), 2**62 - 1)
"""Whose differences do not wrap."""
OPEN_HALF = (1 - 2**62, 2**62 - 1)


@dataclass(frozen=True)
class Case:
    """``program`` on shares of ``secrets``; ``right`` says of each place of its output whether it
    is what plain integers give."""

    program: Callable[..., Any]
    secrets: tuple[Words, ...]
    right: Callable[[Any], NDArray[np.bool_]]

    @property
    def size(self) -> int:
        """How many cases it is: elements of its first secret."""
        return int(self.secrets[0].size)


def drawn(rng: Generator, shape: tuple[int, ...], ends: tuple[int, int] = RING) -> Words:
    """Words of ``shape`` between ``ends``: uniform ones, small ones, edges and neighbours."""
    low, high = ends
    count = int(np.prod(shape, dtype=int))
    words = rng.integers(low, high, count, dtype=np.int64, endpoint=True)
    powers = [sign * (1 << bits) + step for bits in range(63) for sign in (1, -1)
              for step in (-1, 0, 1)]  # fmt: skip
    near = [low, low + 1, high - 1, high, 0, 1, -1, *powers]
    edges = np.array([word for word in near if low <= word <= high])
    kind = rng.integers(0, 6, count)
    words = np.where(kind < 2, edges[rng.integers(0, len(edges), count)], words)
    small = np.clip(rng.integers(-4, 5, count), low, high)
    words = np.where(kind == 2, small, words)
    return np.where(kind == 3, np.roll(words, 1), words).reshape(shape)


def pair(rng: Generator, shape: tuple[int, ...], ends: tuple[int, int]) -> tuple[Words, Words]:
    """Two of one shape, a quarter of them equal or one apart."""
    left, right = drawn(rng, shape, ends), drawn(rng, shape, ends)
    beside = np.clip(left.astype(object) + rng.integers(-1, 2, shape), *ends).astype(np.int64)
    return left, np.where(rng.integers(0, 4, shape) == 0, beside, right)


def shape_of(rng: Generator, count: int, axes: int = 3) -> tuple[int, ...]:
    """Up to ``axes`` axes with about ``count`` elements together."""
    shape: list[int] = []
    for _ in range(int(rng.integers(0, axes))):
        shape.append(int(rng.integers(1, 6)))
        count = max(1, count // shape[-1])
    shape.insert(int(rng.integers(0, len(shape) + 1)), count)
    return tuple(shape)


def wrapped(exact: Any) -> Words:
    """Python's integers modulo 2^64, read as signed."""
    return np.asarray(np.asarray(exact, object) % 2**64).astype(np.uint64).view(np.int64)


def plain(words: Words) -> NDArray[np.object_]:
    return words.astype(object)


def same(exact: Any) -> Callable[[Any], NDArray[np.bool_]]:
    """Right where it is ``exact``, and of its shape."""
    wanted = np.asarray(exact)

    def right(outputs: Any) -> NDArray[np.bool_]:
        if np.shape(outputs) != wanted.shape:
            return np.zeros(1, np.bool_)
        return np.asarray(outputs == wanted)

    return right


def rounded(exact_floor: Words) -> Callable[[Any], NDArray[np.bool_]]:
    """Right where it is the quotient rounded down or up."""
    return lambda outputs: np.isin(outputs - exact_floor, (0, 1))


# --- products --------------------------------------------------------------------------------


def _multiply(rng: Generator, count: int) -> Case:
    shape = shape_of(rng, count)
    other = [size if rng.integers(0, 3) else 1 for size in shape[int(rng.integers(0, 2)) :]]
    left, right = drawn(rng, shape), drawn(rng, tuple(other))
    return Case(multiply, (left, right), same(wrapped(plain(left) * plain(right))))


def _square(rng: Generator, count: int) -> Case:
    words = drawn(rng, shape_of(rng, count))
    return Case(square, (words,), same(wrapped(plain(words) ** 2)))


def _matmul(rng: Generator, count: int) -> Case:
    inner, columns = (int(each) for each in rng.integers(1, 12, 2))
    left = drawn(rng, (max(1, count // inner), inner))
    right = drawn(rng, (inner, columns))
    return Case(matmul, (left, right), same(wrapped(plain(left) @ plain(right))))


def _convolution(rng: Generator, count: int) -> Case:
    kind = drawn_convolution(rng)
    kernel = drawn(rng, kernel_shape(rng, kind))
    channels = kernel.shape[0] if kind.transposed else kernel.shape[1] * kind.groups
    size = tuple(int(each) for each in rng.integers(7, 10, len(kind.stride)))
    batch = max(1, count // (channels * int(np.prod(size))))
    left = drawn(rng, (batch, channels, *size))
    exact = wrapped(convolved(kind, plain(left), plain(kernel)))
    return Case(
        lambda c, x, y: multiply_each(c, [(x, y)], kind)[0], (left, kernel), same(exact)
    )  # fmt: skip


def _truncate(rng: Generator, count: int) -> Case:
    bits = int(rng.integers(1, 63))
    words = drawn(rng, shape_of(rng, count), OPEN_HALF)
    return Case(lambda c, x: truncate(c, x, bits), (words,), rounded(words >> bits))


def _divide(rng: Generator, count: int) -> Case:
    by = int(rng.integers(2, 2 ** int(rng.integers(2, 62))))
    edge = 2**62 - by - 1
    words = drawn(rng, shape_of(rng, count), (-edge, edge))
    return Case(lambda c, x: divide(c, x, by), (words,), rounded(words // by))


# --- comparisons and choices -----------------------------------------------------------------


def _less(rng: Generator, count: int) -> Case:
    left, right = pair(rng, shape_of(rng, count), HALF)
    return Case(less, (left, right), same((left < right).astype(int)))


def _equal(rng: Generator, count: int) -> Case:
    left, right = pair(rng, shape_of(rng, count), RING)
    return Case(equal, (left, right), same((left == right).astype(int)))


def _both(rng: Generator, count: int) -> Case:
    left, right = pair(rng, (count,), RING)
    exact = (left < 0) & (right == 0)
    return Case(
        lambda c, x, y: both(c, negative(c, x), zero(c, y)), (left, right), same(exact)
    )  # fmt: skip


def _minimum(rng: Generator, count: int) -> Case:
    left, right = pair(rng, shape_of(rng, count), HALF)
    return Case(minimum, (left, right), same(np.minimum(left, right)))


def _maximum(rng: Generator, count: int) -> Case:
    left, right = pair(rng, shape_of(rng, count), HALF)
    return Case(maximum, (left, right), same(np.maximum(left, right)))


def _relu(rng: Generator, count: int) -> Case:
    words = drawn(rng, shape_of(rng, count))
    return Case(relu, (words,), same(np.maximum(words, 0)))


def _choose(rng: Generator, count: int) -> Case:
    by, one, other = (drawn(rng, (count,)) for _ in range(3))
    return Case(
        lambda c, b, x, y: choose(c, negative(c, b), x, y), (by, one, other),
        same(np.where(by < 0, one, other)),
    )  # fmt: skip


def _range(rng: Generator) -> tuple[int, int]:
    low, high = sorted(int(each) for each in drawn(rng, (2,), HALF))
    return low, high


def _around(rng: Generator, count: int, ends: tuple[int, int], within: tuple[int, int]) -> Words:
    """Words of which some are next to ``ends``."""
    words = drawn(rng, shape_of(rng, count), within)
    near = np.array([min(max(end + step, within[0]), within[1])
                     for end in ends for step in (-1, 0, 1)])  # fmt: skip
    chosen = near[rng.integers(0, len(near), words.shape)]
    return np.where(rng.integers(0, 4, words.shape) == 0, chosen, words)


def _clamp(rng: Generator, count: int) -> Case:
    low, high = _range(rng)
    words = _around(rng, count, (low, high), OPEN_HALF)
    return Case(lambda c, x: clamp(c, x, low, high), (words,), same(np.clip(words, low, high)))


def _inside(rng: Generator, count: int) -> Case:
    low, high = _range(rng)
    words = _around(rng, count, (low, high), RING)
    exact = (words >= low) & (words <= high)
    return Case(lambda c, x: inside(c, x, low, high), (words,), same(exact.ravel()))


def _zeroed_outside(rng: Generator, count: int) -> Case:
    low, high = _range(rng)
    words = _around(rng, count, (low, high), RING)
    exact = np.where((words >= low) & (words <= high), words, 0)
    return Case(lambda c, x: zeroed_outside(c, x, low, high), (words,), same(exact))


def _rows(rng: Generator, count: int, entries_max: int) -> tuple[Words, Words]:
    """Rows of at least two entries, and 1 at the first largest of each."""
    entries = int(rng.integers(2, entries_max))
    rows = drawn(rng, (max(1, count // entries), entries), (-(2**61), 2**61))
    marks = np.zeros_like(rows)
    marks[np.arange(len(rows)), rows.argmax(1)] = 1
    return rows, marks


def _argmax(rng: Generator, count: int) -> Case:
    rows, marks = _rows(rng, count, 20)
    return Case(largest, (rows,), same(marks))


def _largest_entry(rng: Generator, count: int) -> Case:
    rows, marks = _rows(rng, count, 90)
    return Case(
        largest_entry, (rows,),
        lambda outputs: np.append(same(marks)(outputs[0]), same(rows.max(1))(outputs[1])),
    )  # fmt: skip


def _search(rng: Generator, count: int) -> Case:
    levels = int(rng.integers(1, 7))
    walks = max(1, count // ((1 << levels) - 1))
    nodes = drawn(rng, (walks, (1 << levels) - 1))
    at = np.zeros(walks, np.int64)
    for _ in range(levels):
        at = 2 * at + 1 + (nodes[np.arange(walks), at] < 0)
    return Case(search, (nodes,), same(at - ((1 << levels) - 1)))


# --- orders and groups -----------------------------------------------------------------------


def _shuffle(rng: Generator, count: int) -> Case:
    columns = int(rng.integers(1, 4))
    table = drawn(rng, (max(1, count // columns), columns))
    return Case(shuffle, (table,), lambda outputs: same(_sorted_rows(table))(_sorted_rows(outputs)))


def _sorted_rows(table: Words) -> Words:
    return table[np.lexsort(table.T)]


def _keyed(rng: Generator, count: int) -> tuple[Words, Words, Words]:
    """Keys, a table that tells equal ones apart, and that table by ascending key."""
    bound = key_bound(count) - 1
    widest = bound if rng.integers(0, 2) else min(bound, max(1, count // 3))
    keys = drawn(rng, (count,), (-widest, widest))
    table = np.stack([keys, np.arange(count)], axis=1)
    return keys, table, table[np.argsort(keys, kind="stable")]


def _sort(rng: Generator, count: int) -> Case:
    keys, table, ordered = _keyed(rng, count)
    return Case(sort, (keys, table), same(ordered))


def _ranks(rng: Generator, count: int) -> Case:
    keys, table, ordered = _keyed(rng, count)
    ranks = [int(each) for each in rng.integers(0, count, 2)]
    return Case(lambda c, k, t: ranked(c, k, t, ranks), (keys, table), same(ordered[ranks]))


def _median(rng: Generator, count: int) -> Case:
    keys, table, ordered = _keyed(rng, count)
    middle = [(count - 1) // 2]
    exact = ordered[middle]
    assert np.sort(keys)[middle[0]] == exact[0, 0]
    return Case(lambda c, k, t: ranked(c, k, t, middle), (keys, table), same(exact))


def _top(rng: Generator, count: int) -> Case:
    keys, table, ordered = _keyed(rng, count)
    most = 1 if rng.integers(0, 3) == 0 else int(rng.integers(1, count + 1))
    return Case(lambda c, k, t: top(c, k, t, most), (keys, table), same(ordered[-most:]))


def _grouped(rng: Generator, count: int) -> tuple[Words, Words, int]:
    """Keys of any kind, what they count as, and their bits."""
    bits = int(rng.integers(1, 8))
    keys = drawn(rng, (count,))
    return keys, np.asarray(keys % (1 << bits)), bits


def _group_counts(rng: Generator, count: int) -> Case:
    keys, among, bits = _grouped(rng, count)
    exact = np.bincount(among, minlength=1 << bits)
    return Case(lambda c, k: group_counts(c, k, bits), (keys,), same(exact))


def _group_sums(rng: Generator, count: int) -> Case:
    keys, among, bits = _grouped(rng, count)
    values = drawn(rng, (count,))
    sums = [0] * (1 << bits)
    for key, value in zip(among.tolist(), values.tolist(), strict=True):
        sums[key] += value
    return Case(
        lambda c, k, v: group_sums(c, k, v, bits), (keys, values), same(wrapped(sums))
    )  # fmt: skip


def _segment_sums(rng: Generator, count: int) -> Case:
    keys, values = np.sort(drawn(rng, (count,))), drawn(rng, (count,))
    exact, total = [0] * count, 0
    for row in range(count):
        total += int(values[row])
        if row == count - 1 or keys[row] != keys[row + 1]:
            exact[row], total = total, 0
    return Case(segment_sums, (keys, values), same(wrapped(exact)))


OPERATIONS: Mapping[str, Callable[[Generator, int], Case]] = {
    "multiply": _multiply,
    "square": _square,
    "matmul": _matmul,
    "convolution": _convolution,
    "truncate": _truncate,
    "divide": _divide,
    "less": _less,
    "equal": _equal,
    "both": _both,
    "minimum": _minimum,
    "maximum": _maximum,
    "relu": _relu,
    "choose": _choose,
    "clamp": _clamp,
    "inside": _inside,
    "zeroed_outside": _zeroed_outside,
    "argmax": _argmax,
    "largest_entry": _largest_entry,
    "search": _search,
    "shuffle": _shuffle,
    "sort": _sort,
    "ranks": _ranks,
    "median": _median,
    "top": _top,
    "group_counts": _group_counts,
    "group_sums": _group_sums,
    "segment_sums": _segment_sums,
}
"""Makes about so many cases of an operation, at least one."""


def judged(name: str, parties: int, seed: int, count: int) -> int:
    """Run ``count`` cases or so of an operation; how many they were. Asserts that all are right."""
    rng = np.random.default_rng([seed, parties, *name.encode()])
    case = OPERATIONS[name](rng, count)
    outputs = run(case.program, *case.secrets, parties=parties, seed=f"{name} {seed}").outputs
    right = case.right(outputs)
    assert right.all(), f"{name}, {parties} parties, seed {seed}: {(~right).sum()} wrong"
    return case.size
