"""The discrete Gaussian sampler against its exact law, and against OpenDP's.

Each test runs on a fixed seed, so it passes or fails for ever; the stated false-alarm rate is over
the choice of the seed.
"""

from __future__ import annotations

import os
import random
from fractions import Fraction
from math import exp, sqrt

import numpy as np
import pytest
import torch
from exact_laws import chi_square_p, gaussian, inside, low_bits_p
from scipy import stats
from seeded_randomness import SeededRandomness

from mpc.errors import SecretMisuseError
from mpc.privacy.sampler import DiscreteGaussian
from mpc.sampling import _Bits
from parties.system import SystemRandomness

ALPHA = 1e-6
COUNT = 20_000


def draw(seed: int | str, variance: Fraction, count: int = COUNT) -> list[int]:
    return DiscreteGaussian(SeededRandomness(seed)).draw(count, variance)


@pytest.mark.parametrize(
    "variance",
    [
        Fraction(1, 9),
        Fraction(1, 4),
        Fraction(1),
        Fraction(3, 2),
        Fraction(4),
        Fraction(178_993, 10_000),
        Fraction(10**12, 2 * 24_355_970_359),
        Fraction(10_000),
    ],
    ids=str,
)
def test_samples_follow_the_exact_law(variance: Fraction) -> None:
    """False alarm: 1e-6 each."""
    assert chi_square_p(draw(f"law {variance}", variance), gaussian(variance)) > ALPHA


def test_the_test_of_the_law_sees_a_wrong_law() -> None:
    """A rounded continuous Gaussian, a variance 5 % off, and a shift by one are refused."""
    generator = np.random.default_rng(1)
    rounded = [int(x) for x in np.rint(generator.normal(0, 0.5, COUNT))]
    assert chi_square_p(rounded, gaussian(0.25)) < ALPHA
    assert chi_square_p(draw(2, Fraction(21, 20) * 4, 4 * COUNT), gaussian(4)) < ALPHA
    assert chi_square_p([x + 1 for x in draw(3, Fraction(100))], gaussian(100)) < ALPHA


@pytest.mark.parametrize("exponent", [0, 1, 2, 5, 10, 20, 30, 40])
def test_variance_and_mean_are_right_from_sigma_1_to_2_to_the_40(exponent: int) -> None:
    """Sample variance by chi-square, mean by normal; false alarm 2e-6 and 1e-6 each."""
    variance = Fraction(4**exponent)
    scaled = np.array([x / 2**exponent for x in draw(f"scale {exponent}", variance)])
    moment = float((scaled**2).sum())
    low, high = stats.chi2.ppf([ALPHA, 1 - ALPHA], COUNT)
    assert low < moment < high
    assert abs(scaled.mean()) * sqrt(COUNT) < stats.norm.isf(ALPHA / 2)


@pytest.mark.parametrize("exponent", [10, 20, 30, 40])
def test_low_bits_are_uniform(exponent: int) -> None:
    """Noise coarser than the data's grid would leave low bits bare. False alarm 1e-6 each."""
    samples = draw(f"low bits {exponent}", Fraction(4**exponent))
    for bits in (1, 3, 5, *([8] if exponent > 10 else [])):
        assert low_bits_p(samples, bits) > ALPHA, bits


@pytest.mark.parametrize("exponent", [2, 16, 40])
def test_large_scales_have_the_shape_of_a_gaussian(exponent: int) -> None:
    """Kolmogorov-Smirnov at sigma >= 2^16, where the lattice cannot be seen. False alarm 1e-6."""
    samples = np.array(draw(f"shape {exponent}", Fraction(4**exponent)), dtype=float)
    jitter = np.random.default_rng(exponent).uniform(-0.5, 0.5, COUNT)
    scaled = (samples + jitter) / sqrt(4**exponent + 1 / 12)
    assert stats.kstest(scaled, "norm").pvalue > ALPHA


def test_tails_are_neither_cut_nor_heavy() -> None:
    """200,000 samples of variance 4: beyond 3 and 4 sd, both sides. False alarm 4e-6 together."""
    variance = Fraction(4)
    samples = draw("tails", variance, 200_000)
    for reach in (6, 8):
        beyond = 1 - inside(gaussian(variance), reach).sum()
        seen = sum(1 for x in samples if abs(x) > reach)
        assert stats.binomtest(seen, len(samples), beyond).pvalue > ALPHA
        above = sum(1 for x in samples if x > reach)
        assert stats.binomtest(above, seen, 0.5).pvalue > ALPHA


def test_neighbouring_samples_are_not_correlated() -> None:
    """Lag 1 to 5, normal bound. False alarm 5e-6 together."""
    scaled = np.array(draw("lags", Fraction(100)), dtype=float) / 10
    for lag in range(1, 6):
        product = float((scaled[lag:] * scaled[:-lag]).sum()) / sqrt(COUNT - lag)
        assert abs(product) < stats.norm.isf(ALPHA / 2)


def opendp_samples(sigma: float, count: int) -> list[int]:
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="i64")
    drawn: list[int] = dp.m.make_gaussian(*space, scale=sigma)([0] * count)
    return drawn


@pytest.mark.parametrize("sigma", [1.0, 1.5, 4.5308771, 1000.0, 2.0**20, 2.0**40])
def test_it_agrees_with_opendp(sigma: float) -> None:
    """Two-sample Kolmogorov-Smirnov; OpenDP draws afresh: false alarm 1e-6 each run."""
    count = COUNT // 2
    ours = draw(f"opendp {sigma}", Fraction(sigma) ** 2, count)
    assert stats.ks_2samp(ours, opendp_samples(sigma, count)).pvalue > ALPHA


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("exponent", [0, 2, 20, 40])
def test_a_million_samples_follow_the_law_and_agree_with_opendp(exponent: int) -> None:
    """As above, over 10^6: the variance to half a percent. False alarm 4e-6, OpenDP's in it."""
    count, variance = 1_000_000, Fraction(4**exponent)
    samples = draw(f"million {exponent}", variance, count)
    assert stats.ks_2samp(samples, opendp_samples(2.0**exponent, count)).pvalue > ALPHA
    if exponent <= 2:
        assert chi_square_p(samples, gaussian(variance)) > ALPHA
    else:
        assert low_bits_p(samples, 10) > ALPHA
    moment = sum(x * x for x in samples) / variance
    kurtosis = 3  # of the discrete Gaussian from sigma 1 on, to a thousandth
    assert abs(float(moment) / count - 1) < stats.norm.isf(ALPHA / 2) * sqrt((kurtosis - 1) / count)


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(0, 1), (1, 3), (1, 1), (5, 2), (2**70, 3**50)]
)
def test_exponential_coins_have_their_probability(numerator: int, denominator: int) -> None:
    """Two-sided binomial test. False alarm 1e-6 each."""
    bits = _Bits(SeededRandomness(f"coin {numerator}/{denominator}"))
    hits = sum(bits.bernoulli_exp(numerator, denominator) for _ in range(COUNT))
    p = exp(-numerator / denominator)
    assert stats.binomtest(hits, COUNT, p).pvalue > ALPHA if p < 1 else hits == COUNT


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 64, 100])
def test_integers_below_a_bound_are_uniform(bound: int) -> None:
    """False alarm 1e-6 each."""
    bits = _Bits(SeededRandomness(f"below {bound}"))
    counts = np.bincount([bits.below(bound) for _ in range(COUNT)], minlength=bound)
    assert len(counts) == bound
    assert bound == 1 or stats.chisquare(counts).pvalue > ALPHA


def test_a_bound_above_one_word_is_kept() -> None:
    bits = _Bits(SeededRandomness(0))
    bound = 2**64 + 1
    drawn = [bits.below(bound) for _ in range(2000)]
    assert all(0 <= x < bound for x in drawn)
    assert max(drawn) > 2**63


def test_a_tie_of_a_whole_word_is_decided_by_the_next() -> None:
    """1/3 is 0x5555… in base 2^64: the first word ties, the second decides."""

    class Scripted:
        def __init__(self, second: int) -> None:
            self.words = [0x5555555555555555, second]

        def random_bytes(self, count: int) -> bytes:
            head = b"".join(word.to_bytes(8, "little") for word in self.words)
            return head + bytes(count - len(head))

    assert _Bits(Scripted(0x5555555555555554)).bernoulli(1, 3)
    assert not _Bits(Scripted(0x5555555555555556)).bernoulli(1, 3)


def test_the_same_seed_elsewhere_does_not_repeat_the_products_noise() -> None:
    """Of python, numpy and torch, whose generator CrypTen's are, too."""
    source = DiscreteGaussian(SystemRandomness())
    draws = []
    for _ in range(2):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        draws.append(source.draw(50, Fraction(10**12)))
    assert draws[0] != draws[1]


def test_forked_processes_draw_different_noise() -> None:
    source = DiscreteGaussian(SystemRandomness())
    source.draw(3, Fraction(10**12))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(source.draw(20, Fraction(10**12))).encode())
        os._exit(0)
    os.close(write)
    theirs = os.read(read, 10_000).decode()
    os.close(read)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert theirs
    assert theirs != repr(source.draw(20, Fraction(10**12)))


@pytest.mark.parametrize("variance", [Fraction(0), Fraction(-1)])
def test_absurd_variances_are_refused(variance: Fraction) -> None:
    with pytest.raises(SecretMisuseError):
        DiscreteGaussian(SystemRandomness()).draw(1, variance)
    with pytest.raises(SecretMisuseError):
        DiscreteGaussian(SystemRandomness()).draw(-1, Fraction(1))
