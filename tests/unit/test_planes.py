"""Bit planes: packing is exact both ways."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.ring.planes import from_plane, plane_words, to_plane, to_planes

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("count", [0, 1, 7, 63, 64, 65, 1000])
def test_plane_of_a_bit_holds_that_bit_of_every_element(count: int) -> None:
    words = RNG.integers(0, 2**64, count, dtype=np.uint64)
    planes = to_planes(words)
    assert planes.shape == (64, plane_words(count))
    for bit in range(64):
        assert (from_plane(planes[bit], count) == (words >> np.uint64(bit)) % np.uint64(2)).all()


@pytest.mark.parametrize("count", [1, 64, 130])
def test_packed_bits_come_back_and_padding_is_zero(count: int) -> None:
    bits = RNG.integers(0, 2, (3, count)).astype(bool)
    plane = to_plane(bits)
    assert (from_plane(plane, count) == bits).all()
    assert not from_plane(plane, plane_words(count) * 64)[:, count:].any()
