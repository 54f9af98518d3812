"""Joint noise on shares: the very sample of the secret word, at its stated rounds and bytes."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from kernel_parties import run
from numpy.typing import NDArray

from mpc.accounting.joint import thresholds
from mpc.protocols.compare import uniform_below_each
from mpc.protocols.noise import gaussian

V = Fraction(41, 2)
EDGES = [0, 1, -1, 2**63 - 1, -(2**63), 2**62, -(2**62), 12345]


def words(count: int, seed: int = 1) -> NDArray[np.int64]:
    drawn = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, count)
    drawn[: len(EDGES)] = EDGES
    return drawn


@pytest.mark.parametrize("parties", [2, 3, 4, 5])
def test_words_are_below_a_limit_exactly_where_they_are_as_unsigned(parties: int) -> None:
    secret = words(130)
    limits = [1, 2, 2**32, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1]
    found = run(lambda c, x: uniform_below_each(c, x, limits), secret, parties=parties).outputs
    for bits, limit in zip(found, limits, strict=True):
        assert list(bits) == [int(word) % 2**64 < limit for word in secret]


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("variance", [Fraction(1, 4), Fraction(4), V])
def test_samples_are_those_that_the_secret_words_have_in_the_clear(
    parties: int, variance: Fraction
) -> None:
    secret, limits = words(200), thresholds(variance)
    wanted = [
        sum(int(word) % 2**64 >= limit for limit in limits) - len(limits) // 2 for word in secret
    ]
    ran = run(lambda c, x: gaussian(c, x, variance), secret, parties=parties)
    assert list(ran.outputs) == wanted


def test_a_sample_takes_four_rounds_and_35_bits_a_threshold() -> None:
    ran = run(lambda c, x: gaussian(c, x, V), words(64))
    inner = len([limit for limit in thresholds(V) if 0 < limit < 2**64])
    (cost,) = set(ran.costs.values())
    assert cost.rounds == 4
    compared = 64 * 8 + (inner + 1) * 8 * (7 * 4 + 6)
    assert cost.bytes_to_each == compared + inner * 8
    assert cost.bytes_to_each / 64 == pytest.approx(8 + ceil(35 * inner / 8), abs=6)


def test_more_samples_than_are_compared_at_once_take_further_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mpc.protocols.noise._COMPARED_MAX", 100 * len(thresholds(V)))
    secret = words(250)
    ran = run(lambda c, x: gaussian(c, x, V), secret)
    limits = thresholds(V)
    wanted = [sum(int(w) % 2**64 >= limit for limit in limits) - len(limits) // 2 for w in secret]
    assert list(ran.outputs) == wanted
    assert next(iter(ran.costs.values())).rounds == 12
