"""Ranges that cover noise and sampling together: a studentized parametric bootstrap.

Ferrando, Wang and Sheldon, "Parametric Bootstrap for Differentially Private Confidence Intervals",
2022: rows are drawn anew from the model that the released integers fit, the noise is drawn anew,
and how far estimates fall from what they were drawn from, in their own standard errors, says how
far the released one may be off. It is post-processing of what is released, so the draws need be
neither secret nor fresh: they follow from a seed, by SHAKE-256, and only operations that IEEE 754
rounds correctly touch them. Every machine gets the same ranges.

In trials they hold 92 to 96 times in 100 from 60 rows a cell on, with noise of up to 10 rows. With
40 rows and such noise, where the variance of rows is mostly noise, a mean's held 88 times in 100.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1999  # so that the 50th from either end is the 2.5 % quantile
_TAIL = 50
_CELLS_AT_ONCE = 250
_WORDS = 5  # of 64 bits, a draw
_LOST_MAX = REPLICATES // 200  # replicates whose noisy count is 0 or less

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SampledRange:
    """A standard error with its 95 % range, of noise and sampling together."""

    standard_error: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Fit:
    """What the release says of one cell: rows, their total and variance, and the noise in each.

    In steps around a centre; ``spread_noise`` is that in ``spread``,
    ``spread_cut`` whether that was beyond what a variance can be, and cut.
    """

    rows: float
    total: float
    spread: float
    rows_noise: float
    total_noise: float
    spread_noise: float
    spread_cut: bool


def shares(counts: Sequence[int], variance: float, seed: bytes) -> list[SampledRange | None]:
    """Of each cell its share of all rows, as a range; None where that is not known.

    The model: rows fall into cells independently, with the released shares. Noise of ``variance``
    is in each count. A share lies in [0, 1]. None unless there are two cells and a noisy total of
    1 at least.
    """
    cells, total = len(counts), sum(counts)
    if cells < 2 or total < 1:
        return [None] * cells
    drawn = normals(seed, 3)
    own, others = _noise(variance, drawn[1]), _noise(variance * (cells - 1), drawn[2])
    totals = total + own + others
    found: list[SampledRange | None] = []
    for start in range(0, cells, _CELLS_AT_ONCE):
        released = np.array(counts[start : start + _CELLS_AT_ONCE], np.float64)[:, None] / total
        fitted = _within(released, 0.0, 1.0)
        rows = np.rint(total * fitted + np.sqrt(total * fitted * (1 - fitted)) * drawn[0])
        kept = np.maximum(totals, 1.0)
        made = (_within(rows, 0.0, float(total)) + own) / kept
        ends = _studentized(
            released,
            fitted,
            _share_error(released, float(total), variance, cells),
            made,
            _share_error(made, kept, variance, cells),
            lost=int((totals < 1).sum()),
            bounds=(0.0, 1.0),
        )
        found.extend(ends)
    return found


def _share_error(share: Floats, total: Floats | float, variance: float, cells: int) -> Floats:
    inside = _within(share, 0.0, 1.0)
    noise = variance * ((1 - inside) * (1 - inside) + inside * inside * (cells - 1))
    error: Floats = np.sqrt(total * inside * (1 - inside) + noise) / total
    return error


def means(
    fits: Sequence[Fit], bounds: tuple[float, float], seed: bytes
) -> list[SampledRange | None]:
    """The mean of the rows of each cell, within ``bounds``; None unless it has a noisy row.

    The model: rows are independent, of the released mean and variance. Their number is kept.
    """
    drawn = normals(seed, 4)
    found: list[SampledRange] = []
    for start in range(0, len(fits), _CELLS_AT_ONCE):
        cells = _Columns(fits[start : start + _CELLS_AT_ONCE])
        counts = cells.rows + _noise(cells.rows_noise, drawn[2])
        kept = np.maximum(counts, 1.0)
        mean, made = cells.total / cells.rows, cells.totals(drawn) / kept
        found.extend(
            _studentized(
                mean,
                mean,
                cells.mean_error(cells.rows, mean, cells.spread),
                made,
                cells.mean_error(kept, made, cells.spreads(drawn)),
                lost=(counts < 1).sum(axis=1),
                bounds=bounds,
            )
        )
    return _known(fits, found)


def totals(fits: Sequence[Fit], seed: bytes) -> list[SampledRange | None]:
    """The total of as many rows as each cell has; None unless it has a noisy row."""
    drawn = normals(seed, 4)
    found: list[SampledRange] = []
    for start in range(0, len(fits), _CELLS_AT_ONCE):
        cells = _Columns(fits[start : start + _CELLS_AT_ONCE])
        found.extend(
            _studentized(
                cells.total,
                cells.total,
                cells.total_error(cells.spread),
                cells.totals(drawn),
                cells.total_error(cells.spreads(drawn)),
                lost=0,
                bounds=(-math.inf, math.inf),
            )
        )
    return _known(fits, found)


def _known(fits: Sequence[Fit], found: Sequence[SampledRange]) -> list[SampledRange | None]:
    return [each if fit.rows >= 1 else None for fit, each in zip(fits, found, strict=True)]


class _Columns:
    """Fits of several cells, one a row, to draw replicates of all of them at once."""

    def __init__(self, fits: Sequence[Fit]) -> None:
        def column(values: list[float]) -> Floats:
            return np.array(values, np.float64)[:, None]

        self.rows = np.maximum(column([fit.rows for fit in fits]), 1.0)
        self.total = column([fit.total for fit in fits])
        self.spread = column([fit.spread for fit in fits])
        self.rows_noise = column([fit.rows_noise for fit in fits])
        self.total_noise = column([fit.total_noise for fit in fits])
        self.spread_noise = column([fit.spread_noise for fit in fits])

    def totals(self, drawn: Floats) -> Floats:
        sampled = np.sqrt(self.rows * self.spread) * drawn[0]
        found: Floats = self.total + sampled + _noise(self.total_noise, drawn[1])
        return found

    def spreads(self, drawn: Floats) -> Floats:
        found: Floats = np.maximum(self.spread + np.sqrt(self.spread_noise) * drawn[3], 0.0)
        return found

    def total_error(self, spread: Floats) -> Floats:
        found: Floats = np.sqrt(self.total_noise + self.rows * spread)
        return found

    def mean_error(self, rows: Floats, mean: Floats, spread: Floats) -> Floats:
        noise = self.total_noise + mean * mean * self.rows_noise
        found: Floats = np.sqrt(noise + rows * spread) / rows
        return found


def _studentized(
    released: Floats,
    fitted: Floats,
    error: Floats,
    made: Floats,
    made_error: Floats,
    *,
    lost: NDArray[np.int64] | int,
    bounds: tuple[float, float],
) -> list[SampledRange]:
    """Ranges out of replicates (columns) of every cell (rows), cut to ``bounds``.

    All of ``bounds`` where more than one in 200 replicates is ``lost``.
    """
    # Without any error a replicate is its fit: 0 standard errors away.
    distances = (made - fitted) / np.where(made_error > 0, made_error, 1.0)
    ordered = np.partition(distances, (_TAIL - 1, REPLICATES - _TAIL), axis=1)
    ends = ordered[:, [REPLICATES - _TAIL, _TAIL - 1]]
    reach = _within(released - ends * error, *bounds)
    whole = np.broadcast_to(np.asarray(lost) > _LOST_MAX, len(reach))
    return [
        SampledRange(
            float(each),
            bounds[0] if every else float(low) + 0.0,
            bounds[1] if every else float(high) + 0.0,
        )
        for each, (low, high), every in zip(error[:, 0], reach, whole, strict=True)
    ]


def normals(seed: bytes, count: int) -> Floats:
    """``count`` rows of draws that are normal to the last per mille of a standard deviation.

    A draw is how many of 256 bits are set, smoothed over the unit around it, in its standard
    deviation: its kurtosis is 0.008 below a normal's.
    """
    data = hashlib.shake_256(seed).digest(count * REPLICATES * _WORDS * 8)
    words = np.frombuffer(data, "<u8").reshape(count, REPLICATES, _WORDS)
    ones = np.bitwise_count(words[..., :4]).sum(axis=-1, dtype=np.int64)
    within = (words[..., 4] >> np.uint64(11)).astype(np.float64) * 2.0**-53
    found: Floats = (ones - 128.5 + within) / math.sqrt(64 + 1 / 12)
    return found


def _noise(variance: Floats | float, drawn: Floats) -> Floats:
    found: Floats = np.rint(np.sqrt(variance) * drawn)
    return found


def _within(values: Floats, low: float, high: float) -> Floats:
    found: Floats = np.minimum(np.maximum(values, low), high)
    return found
