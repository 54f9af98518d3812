"""The exact law of noise: probabilities, tests of samples against them, and delta at an epsilon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Reals = NDArray[np.float64]

CELL_MIN = 10
"""Fewest samples expected in a cell of its own; what is rarer is pooled in two tails."""


def gaussian(variance: Fraction | float) -> Reals:
    """P(x) of one discrete Gaussian, x from -reach to reach, where no more than 1e-300 is left."""
    reach = int(37 * sqrt(variance)) + 2
    weights = np.array([exp(-x * x / (2 * float(variance))) for x in range(-reach, reach + 1)])
    return np.asarray(weights / weights.sum())


def gaussian_sum(variances: Sequence[Fraction]) -> Reals:
    """P(x) of a sum of independent discrete Gaussians, centred in the array."""
    law = np.ones(1)
    for variance in variances:
        law = np.convolve(law, gaussian(variance))
    return law


def inside(law: Reals, reach: int) -> Reals:
    """The middle of ``law``: x from -reach to reach."""
    centre = len(law) // 2
    return law[centre - reach : centre + reach + 1]


def chi_square_p(samples: Sequence[int], law: Reals) -> float:
    """Pearson's test over single integers, tails pooled where few are expected."""
    expected = law * len(samples)
    reach = int(np.argmin(expected[len(law) // 2 :] >= CELL_MIN)) - 1
    middle = inside(expected, reach)
    counts = Counter(max(-reach - 1, min(reach + 1, sample)) for sample in samples)
    observed = np.array([counts[x] for x in range(-reach - 1, reach + 2)])
    tail = (len(samples) - middle.sum()) / 2
    expected = np.concatenate([[tail], middle, [tail]])
    if tail < CELL_MIN / 2:
        observed[1] += observed[0]
        observed[-2] += observed[-1]
        expected[1] += tail
        expected[-2] += tail
        observed, expected = observed[1:-1], expected[1:-1]
    return float(stats.chisquare(observed, expected).pvalue)


def low_bits_p(samples: Sequence[int], bits: int) -> float:
    """Chi-square of the last ``bits`` bits being uniform, for noise much wider than 2^bits."""
    counts = np.bincount([x % (1 << bits) for x in samples], minlength=1 << bits)
    return float(stats.chisquare(counts).pvalue)


def delta_of(law: Reals, shift: int, epsilon: float) -> float:
    """Least delta of adding noise of ``law`` to an integer that moves by ``shift``."""
    moved = np.concatenate([np.zeros(shift), law])
    still = np.concatenate([law, np.zeros(shift)])
    return float(np.maximum(still - exp(epsilon) * moved, 0).sum())


def epsilon_of(law: Reals, shift: int, delta: float) -> float:
    """Least epsilon at ``delta``, by bisection of :func:`delta_of`."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(law, shift, middle) > delta else (low, middle)
    return high
