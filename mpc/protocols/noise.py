"""Discrete Gaussians sampled on shares, of words that are uniform if any single party's part is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mpc.accounting.joint import WORD_BITS, thresholds
from mpc.protocols.compare import to_words, uniform_below_each
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedBits, SharedWords, plus, stacked

_COMPARED_MAX = 1 << 21
"""Comparisons at once; more are made in further rounds."""


def gaussian(computation: Computation, uniform: SharedWords, variance: Fraction) -> SharedWords:
    """A sample of ``variance`` for each of the ``uniform`` secret words, in one dimension.

    X = T - (how many thresholds lie above the word); see :mod:`mpc.accounting.joint` for these, and
    for how far X may be from the discrete Gaussian. Each party's own random words are its shares.
    Opens: masked values alone, to all parties. Cost: 4 rounds; to each peer 8 bytes a sample, and
    34 + 1 bits of it for each threshold, of which there are about 18 a standard deviation. As many
    rounds again for every further 2^21 thresholds that are compared.
    """
    limits = thresholds(variance)
    inner = [limit for limit in limits if 0 < limit < 1 << WORD_BITS]
    above = sum(limit == 1 << WORD_BITS for limit in limits)
    step = max(1, _COMPARED_MAX // len(inner))
    parts = [
        _above(computation, uniform[start : start + step], inner)
        for start in range(0, uniform.size, step)
    ]
    return plus(-stacked(parts), len(limits) // 2 - above, computation.place)


def _above(computation: Computation, uniform: SharedWords, limits: list[int]) -> SharedWords:
    """How many of ``limits`` lie above each secret word."""
    bits = uniform_below_each(computation, uniform, limits)
    planes = np.concatenate([each._plane for each in bits])
    words = to_words(computation, SharedBits(planes, planes.size * WORD_BITS))
    return words.reshape(len(limits), -1)[:, : uniform.size].sum(axis=0)
