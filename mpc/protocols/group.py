"""Counts and sums by a secret key: for few keys in one round, for any in the sequence of a sort."""

from __future__ import annotations

import numpy as np

from mpc.dealing.arithmetic import Grouping
from mpc.errors import ContractError
from mpc.protocols.compare import to_words, zero
from mpc.protocols.multiply import multiply_each
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords, plus, shared_public, stacked
from mpc.ring.planes import Ring

_BLOCK_WORDS = 1 << 21
"""Words of dealt tables in one recipe."""
_ROUND_WORDS = 1 << 24
"""Words of dealt tables held at once, rows times keys: 128 MiB, and as much again with values."""


def group_counts(computation: Computation, keys: SharedWords, key_bits: int) -> SharedWords:
    """How many of ``keys`` (rows,) have each value below 2^``key_bits``: (2^key_bits,).

    Keys count modulo 2^key_bits: a row counts once, whatever its owner enters. The dealer deals
    for each row the indicator of a random r; with key + r opened, that turned by it is the key's.
    Opens: keys under fresh masks, modulo 2^key_bits, to all parties. Cost: 1 round, 1 or 2 bytes a
    row; the dealer sends the last party 8 bytes a row and key. A round more for every further 2^24
    rows times keys, so that no more dealt tables are held at once.
    """
    return _grouped(computation, keys, None, key_bits)


def group_sums(
    computation: Computation, keys: SharedWords, values: SharedWords, key_bits: int
) -> SharedWords:
    """The sum of ``values`` (rows,) by key: (2^key_bits,).

    As :func:`group_counts`, which says how. Opens: keys and values under fresh masks, to all
    parties. Cost: 1 round, 9 or 10 bytes a row; twice the dealing.
    """
    return _grouped(computation, keys, values, key_bits)


def segment_sums(computation: Computation, keys: SharedWords, values: SharedWords) -> SharedWords:
    """Of rows sorted by secret key: each key's sum of ``values`` at its last row, 0 elsewhere.

    (rows,) both. A segmented prefix sum in log2(rows) steps (Hillis and Steele 1986; Blelloch
    1990). Where keys change is not opened. Opens: masked values alone, to all parties.
    Cost: 5 + log2(rows) rounds.
    """
    rows = keys.size
    if rows == 1:
        return values
    place = computation.place
    same = to_words(computation, zero(computation, keys[1:] - keys[:-1]))
    first = shared_public(np.zeros(1, np.uint64), place)
    runs = stacked([first, same])  # whether a row has the key of the one before it
    total, step = values, 1
    while step < rows:
        reach = runs[step:]
        added, longer = multiply_each(computation, [(reach, total[:-step]), (reach, runs[:-step])])
        total = stacked([total[:step], total[step:] + added])
        # Before the first row there is none: a run never reaches over it.
        runs = stacked([runs[:step] - runs[:step], longer])
        step *= 2
    ends = plus(-stacked([same, first]), 1, place)
    (result,) = multiply_each(computation, [(ends, total)])
    return result


def _grouped(
    computation: Computation, keys: SharedWords, values: SharedWords | None, key_bits: int
) -> SharedWords:
    if values is not None and values.shape != keys.shape:
        raise ContractError(f"{keys!r} and {values!r} are not of one shape")
    rows, count = keys.size, 1 << key_bits
    together = max(1, _ROUND_WORDS // count)
    rounds = [slice(start, min(rows, start + together)) for start in range(0, rows, together)]
    shares = [
        _grouped_in_a_round(
            computation, keys[part], None if values is None else values[part], key_bits
        )
        for part in rounds or [slice(0, 0)]
    ]
    return SharedWords(np.add.reduce(shares))


def _grouped_in_a_round(
    computation: Computation, keys: SharedWords, values: SharedWords | None, key_bits: int
) -> Ring:
    rows, count = keys.size, 1 << key_bits
    block = max(1, _BLOCK_WORDS // count)
    parts = [slice(start, min(rows, start + block)) for start in range(0, rows, block)]
    drawn, masked = [], []
    for part in parts:
        dealt = computation.draw(Grouping(part.stop - part.start, key_bits, values is not None))
        drawn.append(dealt)
        masked.append(dealt.masks[0].hide(keys[part], key_bits))
        if values is not None:
            masked.append(dealt.masks[1].hide(values[part]))
    opened = iter(computation.open_masked(*masked))
    shares: Ring = np.zeros(count, np.uint64)
    for dealt in drawn:
        places = next(opened)
        table = dealt.derived[0]
        if values is not None:
            table = next(opened)[:, np.newaxis] * table - dealt.derived[1]
        shares += _turned_sums(table, places.astype(np.intp))
    return shares


def _turned_sums(table: Ring, places: np.ndarray) -> Ring:
    """By key: entry r of a row that was opened as m belongs to the key m - r."""
    count = table.shape[1]
    grouped = np.argsort(places, kind="stable")
    present, starts = np.unique(places[grouped], return_index=True)
    sums = np.add.reduceat(table[grouped], starts, axis=0)  # one row for each m
    entries = (present[:, np.newaxis] - np.arange(count)) % count
    shares: Ring = np.take_along_axis(sums, entries, axis=1).sum(0, dtype=np.uint64)
    return shares
