"""What is the least that privacy can be, given what an adversary achieved: with stated confidence.

All of them are bounds from below on what is claimed, so they can refute a claim and never prove it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Reals = NDArray[np.float64]
CONFIDENCE = 1e-6
"""Chance that one Clopper-Pearson bound is wrong. :func:`distinguished` uses four."""


def rate_above(hits: int, trials: int) -> float:
    """Upper Clopper-Pearson bound of a rate."""
    return 1.0 if hits == trials else float(stats.beta.ppf(1 - CONFIDENCE, hits + 1, trials - hits))


def rate_below(hits: int, trials: int) -> float:
    """Lower Clopper-Pearson bound of a rate."""
    return 1 - rate_above(trials - hits, trials)


@dataclass(frozen=True)
class Distinguished:
    """How well one threshold tells two worlds apart, counted in trials that did not choose it."""

    false_alarms: int
    misses: int
    trials: int

    def epsilon(self, delta: float) -> float:
        """Epsilon is at least this at ``delta`` (both directions)."""
        least = 0.0
        for missed, alarmed in (
            (self.misses, self.false_alarms),
            (self.false_alarms, self.misses),
        ):
            rate = rate_below(self.trials - missed, self.trials)
            if rate > delta:
                least = max(least, log((rate - delta) / rate_above(alarmed, self.trials)))
        return least

    @property
    def mu(self) -> float:
        """mu of Gaussian privacy is at least this (Dong, Roth and Su 2019)."""
        alarmed, missed = (rate_above(n, self.trials) for n in (self.false_alarms, self.misses))
        return float(-stats.norm.ppf(alarmed) - stats.norm.ppf(missed))

    @property
    def advantage(self) -> float:
        """True positives less false ones are at least this much more often."""
        kept = rate_below(self.trials - self.misses, self.trials)
        return kept - rate_above(self.false_alarms, self.trials)


def distinguished(without: Reals, person: Reals) -> Distinguished:
    """The threshold from one half of both worlds, the rates from the other."""
    half = len(without) // 2
    threshold = max(
        np.unique(np.concatenate([without[:half], person[:half]])),
        key=lambda cut: float((person[:half] >= cut).mean() - (without[:half] >= cut).mean()),
    )
    return Distinguished(
        false_alarms=int((without[half:] >= threshold).sum()),
        misses=int((person[half:] < threshold).sum()),
        trials=len(without) - half,
    )


def advantage_max(epsilon: float, delta: float) -> float:
    """Most that any test's true positive rate exceeds its false one under (epsilon, delta)."""
    return (exp(epsilon) - 1 + 2 * delta) / (exp(epsilon) + 1)


def one_run_epsilon(right: int, guesses: int, canaries: int, delta: float, alpha: float) -> float:
    """Epsilon is at least this if ``right`` of ``guesses`` fair coins were guessed, in one run.

    Steinke, Nasr and Jagielski 2023, Theorem 5.2, with ``canaries`` coins in all; wrong with
    probability ``alpha``.
    """

    def chance(epsilon: float) -> float:
        law = stats.binom(guesses, exp(epsilon) / (1 + exp(epsilon)))
        exact = law.pmf(right - 1 - np.arange(right))
        spread = np.cumsum(exact) / np.arange(1, right + 1)
        return float(law.sf(right - 1) + 2 * canaries * delta * spread.max(initial=0.0))

    low, high = 0.0, 20.0
    if chance(low) >= alpha:
        return 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) < alpha else (low, middle)
    return low
