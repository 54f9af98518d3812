"""Sorting and order statistics: shuffle in secret, then open comparisons of distinct keys.

Ties would show as such, so each key carries its own row number below it and no two are equal. Of
distinct keys in a uniform sequence that nobody knows, the order is a uniform permutation: what is
opened has the same distribution for all tables of that many rows (Hamada et al., ICISC 2012). How
many comparisons are made depends on the number of rows alone; the plan knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from mpc.errors import ContractError, StudyAborted
from mpc.protocols.compare import negative
from mpc.protocols.opening import Computation, Places, ShuffledOrder
from mpc.protocols.shares import SharedWords, plus, stacked
from mpc.protocols.shuffle import shuffle

PAIRS_ROWS = 96
"""Up to so many keys, all pairs are compared at once."""
SPLIT = 4
"""One key in so many splits the rest; those between two splitters are then compared in pairs."""
GROUP_ROWS = 32
"""The largest key is found among so many at once."""
DEVIATIONS = 8.0
KEY_BITS = 62


@dataclass(frozen=True, repr=False)
class Shuffled:
    """Distinct keys in a secret sequence, and their rows' columns in the same one."""

    keys: SharedWords
    table: SharedWords

    @property
    def rows(self) -> int:
        return self.keys.size

    def below(self, computation: Computation, left: Places, right: Places) -> np.ndarray:
        """Whether each key at ``left`` is below the one at ``right``.

        Opens: comparisons of shuffled, distinct keys, to all parties. Cost: 4 rounds, 99 bits a
        comparison.
        """
        bits = negative(computation, self.keys[left] - self.keys[right])
        return computation.open_shuffled_order(ShuffledOrder(bits, left, right))


def shuffled(computation: Computation, keys: SharedWords, table: SharedWords) -> Shuffled:
    """``keys`` made distinct and, with the columns of ``table``, brought into a secret sequence.

    ``keys``: (rows,), each in (-2^(62-b), 2^(62-b)) where 2^b is at least the number of rows; the
    plan proves that of what is computed. What an owner enters goes through
    :func:`mpc.protocols.choose.zeroed_outside` first: differences with a key far out of range wrap,
    and comparisons that are no order tell how many of the others' keys are above one that the owner
    chose. Opens: masked rows, to one party at a time. Cost: 1 round a party.
    """
    rows = keys.size
    numbers = np.arange(rows, dtype=np.uint64)
    distinct = plus(keys.times(1 << max(1, (rows - 1).bit_length())), numbers, computation.place)
    moved = shuffle(computation, stacked([distinct.reshape(rows, 1), table], axis=1))
    return Shuffled(moved[:, 0], moved[:, 1:])


def key_bound(rows: int) -> int:
    """Keys of ``rows`` rows lie in (-bound, bound)."""
    return 1 << (KEY_BITS - max(1, (rows - 1).bit_length()))


def sort(computation: Computation, keys: SharedWords, table: SharedWords) -> SharedWords:
    """The rows of ``table`` by ascending key; equal keys keep their sequence.

    ``keys``: (rows,), within :func:`key_bound` (see :func:`shuffled`); ``table``: (rows, columns).
    Opens: masked values, and comparisons of shuffled, distinct keys. Cost: one shuffle; all pairs
    of up to 96 keys in 4 rounds; then 33.6 comparisons a row of 1,000 in 68 rounds, 19.7 of 10^4 in
    164 and 20.6 of 10^6 in 374.
    """
    mixed = shuffled(computation, keys, table)
    return mixed.table[sequence(computation, mixed, np.arange(mixed.rows))]


def ranked(
    computation: Computation, keys: SharedWords, table: SharedWords, ranks: Sequence[int]
) -> SharedWords:
    """The rows of ``table`` whose keys have ``ranks``, from 0: shares of them, nothing is told.

    As :func:`sort`, by Floyd and Rivest (1975): a sorted sample gives two keys around a rank, all
    keys are compared with both, and those between are sorted. The sample is shared by all ranks;
    where it and what lies between come to three quarters of the rows, all are sorted instead, once.
    Cost, with a shuffle among three parties: for the median of 10^4 rows 14 comparisons a row and
    191 rounds, of 10^6 rows 3.7 and 435, of 1,000 rows as much as :func:`sort`.
    """
    mixed = shuffled(computation, keys, table)
    windows = _windows(computation, mixed, [(rank, rank) for rank in ranks])
    return mixed.table[np.array([int(window[0]) for window in windows], np.intp)]


def top(computation: Computation, keys: SharedWords, table: SharedWords, count: int) -> SharedWords:
    """The ``count`` rows of ``table`` with the largest keys, ascending; of equal ones the last.

    As :func:`ranked`. Cost: of the largest alone 16 comparisons a row, in 4 rounds a factor of 32
    in rows; of twenty 10.3 a row and 187 rounds for 10^4 rows, 2.1 and 411 for 10^6.
    """
    mixed = shuffled(computation, keys, table)
    if not 1 <= count <= mixed.rows:
        raise ContractError(f"of {mixed.rows} rows, 1 to all are the top ones")
    if count == 1:
        return mixed.table[_last_place(computation, mixed)]
    (window,) = _windows(computation, mixed, [(mixed.rows - count, mixed.rows - 1)])
    return mixed.table[window]


def sequence(computation: Computation, mixed: Shuffled, places: Places) -> Places:
    """``places`` by ascending key. Opens: comparisons of shuffled, distinct keys, to all."""
    if len(places) <= PAIRS_ROWS:
        return _by_pairs(computation, mixed, places, np.zeros(len(places), np.intp), None)
    count = len(places) // SPLIT
    splitters = sequence(computation, mixed, places[:count])
    rest = places[count:]
    low, high = np.zeros(len(rest), np.intp), np.full(len(rest), count)
    for _ in range(count.bit_length()):
        middle = np.minimum((low + high) // 2, count - 1)
        below = mixed.below(computation, rest, splitters[middle])
        live = low < high
        high = np.where(live & below, middle, high)
        low = np.where(live & ~below, middle + 1, low)
    ordered = _by_pairs(computation, mixed, rest, low, _pairs_max(len(rest), count))
    # Between the splitters: splitter i comes after what fell into part i.
    return np.insert(ordered, np.searchsorted(np.sort(low), np.arange(count), "right"), splitters)


@dataclass(frozen=True)
class _Window:
    """Ranks ``first`` to ``last`` of all keys, which lie between the ranks ``low`` and ``high`` of
    the sample, with at most ``kept`` keys there. Beyond the sample, there is no bound."""

    first: int
    last: int
    low: int
    high: int
    kept: int


def _window_of(rows: int, sampled: int, first: int, last: int) -> _Window:
    """Sizes that fail with a chance below 2^-40: eight deviations of a sample's rank each."""
    if not 0 <= first <= last < rows:
        raise ContractError(f"ranks of {rows} rows count from 0")
    gap = ceil(DEVIATIONS * sqrt(sampled) / 2) + 1
    low, high = first * sampled // rows - gap, last * sampled // rows + gap
    spanned = min(high, sampled) - max(low, 0)
    kept = ceil((spanned + DEVIATIONS * sqrt(spanned)) * rows / sampled)
    return _Window(first, last, low, high, kept)


def _windows(
    computation: Computation, mixed: Shuffled, spans: Sequence[tuple[int, int]]
) -> list[Places]:
    """Where the keys of each span of ranks, first to last, are, in their sequence.

    Opens: comparisons of shuffled, distinct keys, to all parties.
    """
    rows, sampled = mixed.rows, _sampled(mixed.rows)
    windows = [_window_of(rows, sampled, first, last) for first, last in spans]
    if not windows:
        return []
    every = np.arange(rows)
    if 4 * (sampled + sum(window.kept for window in windows)) >= 3 * rows:
        ordered = sequence(computation, mixed, every)
        return [ordered[window.first : window.last + 1] for window in windows]
    sample = sequence(computation, mixed, every[:sampled])
    return [_within(computation, mixed, sample, window) for window in windows]


def _within(computation: Computation, mixed: Shuffled, sample: Places, window: _Window) -> Places:
    """One window's keys, found between two keys of the sorted ``sample``."""
    rows, first, last, kept = mixed.rows, window.first, window.last, window.kept
    every = np.arange(rows)
    below, above = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    if window.low >= 0:
        below = mixed.below(computation, every, np.full(rows, sample[window.low]))
    if window.high < len(sample):
        bound = sample[window.high]
        above = ~mixed.below(computation, every, np.full(rows, bound)) & (every != bound)
    between = np.flatnonzero(~below & ~above)
    outside = np.flatnonzero(below | above)
    if len(between) > kept or not below.sum() <= first <= last < rows - above.sum():
        raise _unlucky()
    candidates = _mingled(between, outside[: kept - len(between)])
    skipped = int(below[outside[kept - len(between) :]].sum())
    return sequence(computation, mixed, candidates)[first - skipped : last + 1 - skipped]


def _last_place(computation: Computation, mixed: Shuffled) -> Places:
    """Where the largest key is, as one place: groups of 32, all pairs of each, again and again."""
    places = np.arange(mixed.rows)
    while len(places) > 1:
        groups = np.arange(len(places)) // GROUP_ROWS
        ordered = _by_pairs(computation, mixed, places, groups, None)
        places = ordered[np.append(groups[1:] != groups[:-1], True)]
    return places


def _mingled(one: Places, other: Places) -> Places:
    """Both, spread evenly, so that any first part of it has its share of each.

    Of two that stand equally far along, that of ``one`` comes first: on every machine.
    """
    shares = [(np.arange(len(part)) + 0.5) / max(1, len(part)) for part in (one, other)]
    along = np.argsort(np.concatenate(shares), kind="stable")
    evenly: Places = np.concatenate([one, other])[along]
    return evenly


def _by_pairs(
    computation: Computation, mixed: Shuffled, places: Places, parts: Places, pairs_max: int | None
) -> Places:
    """``places`` by part, then by key: all pairs of a part compared at once, in one batch.

    Raises StudyAborted on comparisons that no distinct keys within their bound give.
    """
    grouped = np.argsort(parts, kind="stable")
    sizes = np.bincount(parts) if len(parts) else np.zeros(1, np.intp)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    ends = np.repeat(np.cumsum(sizes), sizes)
    at = np.arange(len(places))
    later = ends - at - 1  # partners of each, behind it in its part
    left = np.repeat(at, later)
    right = left + 1 + np.arange(len(left)) - np.repeat(np.cumsum(later) - later, later)
    if pairs_max is not None and len(left) > pairs_max:
        raise _unlucky()
    padding = 0 if pairs_max is None else pairs_max - len(left)
    ordered = places[grouped]
    below = np.zeros(0, np.bool_)
    if len(left) + padding:
        fill = np.zeros(padding, np.intp)
        below = mixed.below(
            computation,
            np.concatenate([ordered[left], ordered[fill]]),
            np.concatenate([ordered[right], ordered[fill]]),
        )[: len(left)]
    ranks = first + np.bincount(right, below, len(at)).astype(np.intp)
    ranks += np.bincount(left, ~below, len(at)).astype(np.intp)
    if (np.bincount(ranks, minlength=len(at)) != 1).any():
        raise StudyAborted(
            "comparisons of shuffled keys are no order",
            hint="an owner entered a key out of the range that its plan declares",
        )
    result = np.empty_like(ordered)
    result[ranks] = ordered
    return result


def _sampled(rows: int) -> int:
    """Twice ``rows``^(2/3), rounded up: exactly, since all parties must count alike."""
    root: int = round(rows ** (2 / 3))
    while root**3 < rows * rows:
        root += 1
    while root and (root - 1) ** 3 >= rows * rows:
        root -= 1
    return 2 * root


def _pairs_max(rest: int, splitters: int) -> int:
    """Pairs of ``rest`` uniform keys that fall between the same two of ``splitters``: a bound.

    Two keys do with probability 2 / (splitters + 2). Parts are near geometric with mean g, a part
    has variance 5 g^4 + 6 g^3 + g^2 of its pairs; eight deviations, and the square of a longest
    part, are added. Passed with probability below 2^-40, of the shuffle alone. Computed with what
    IEEE 754 rounds alike everywhere: no powers, no logarithms.
    """
    mean = rest * (rest - 1) / (splitters + 2)
    size = rest / (splitters + 1)
    square = size * size
    spread = sqrt((splitters + 1) * square * (5 * square + 6 * size + 1))
    longest = (size + 1) * (0.7 * (splitters + 1).bit_length() + 28)
    return min(rest * (rest - 1) // 2, ceil(mean + DEVIATIONS * spread + longest * longest / 2))


def _unlucky() -> StudyAborted:
    return StudyAborted(
        "a secret shuffle came out too uneven to go on",
        hint="by chance alone, less than once in 2^40 studies; run it again",
    )
