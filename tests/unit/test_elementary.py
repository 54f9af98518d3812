"""Public cosines, sines and exponentials: right, and the same to the last bit on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mpc.ring.elementary import circle, exponential, harmonics, power_of_e

RNG = np.random.default_rng(20261203)


def words(bits: int) -> np.ndarray:
    ends = np.array([0, 1, (1 << bits) - 1, 1 << (bits - 1)], np.uint64)
    return np.concatenate([ends, RNG.integers(0, 1 << bits, 20_000).astype(np.uint64)])


@pytest.mark.parametrize("bits", [1, 5, 11, 12, 22, 42, 62])
def test_circle_and_its_harmonics_are_cosine_and_sine(bits: int) -> None:
    points = words(bits)
    angle = 2 * np.pi * (points / 2.0**bits)
    for count, (cosine, sine) in enumerate(harmonics(circle(points, bits), 12), start=1):
        assert np.abs(cosine - np.cos(count * angle)).max() < 1e-12
        assert np.abs(sine - np.sin(count * angle)).max() < 1e-12


@pytest.mark.parametrize("bits", [8, 9, 16, 24])
def test_exponential_is_right(bits: int) -> None:
    points = words(bits + 1)
    exact = np.exp(points / 2.0**bits)
    assert np.abs(exponential(points, bits) / exact - 1).max() < 1e-13


@pytest.mark.parametrize("exponent", [-30, -1, 0, 2, 18])
def test_powers_of_e_are_right(exponent: int) -> None:
    assert power_of_e(exponent, 16) == pytest.approx(np.exp(exponent) * 2**16, rel=1e-15)


def test_every_machine_computes_the_same_bits() -> None:
    """Parties multiply shares by these; a last bit that differs would make results random."""
    points = np.arange(0, 1 << 22, 37, dtype=np.uint64)
    parts = [part for pair in harmonics(circle(points, 22), 5) for part in pair]
    parts.append(exponential(points & np.uint64((1 << 17) - 1), 16))
    digest = hashlib.sha256(b"".join(part.astype("<f8").tobytes() for part in parts)).hexdigest()
    assert digest == "421b076476440a392943ac0db54e332914ace203eb525c397a88aac0e81b9133"
