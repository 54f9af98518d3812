"""Functions on shares: within their stated error over their whole domain, at their stated cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_parties import NAMES, run
from scipy import special

from mpc.errors import ContractError
from mpc.protocols.functions.sigmoid import ERF_END, SIGMOID_END, erf, sigmoid, tanh
from mpc.protocols.opening import Cost

RNG = np.random.default_rng(20261202)
EDGES = [0, 1, -1, 2**61, -(2**61), 2**62 - 1, -(2**62) + 1, 2**40, -(2**40), 2**22, -(2**22)]
UNIT = 2.0**-16


def around(*ends: float, fraction: int = 16) -> np.ndarray:
    """Words next to real numbers and to their negatives."""
    words = np.array([round(end * 2**fraction) for end in (*ends, *(-end for end in ends))])
    return (words[:, np.newaxis] + np.arange(-3, 4)).ravel()


def dense(low: float, high: float, count: int = 100_000, fraction: int = 16) -> np.ndarray:
    """An even grid of words, and as many random ones."""
    first, last = round(low * 2**fraction), round(high * 2**fraction)
    grid = np.linspace(first, last, count).astype(np.int64)
    return np.concatenate([grid, RNG.integers(first, last + 1, count // 4)])


CLAMPED = [
    (sigmoid, special.expit, SIGMOID_END, 2.8e-5, 230, 0),
    (tanh, np.tanh, SIGMOID_END / 2, 5.6e-5, 231, -1),
    (erf, special.erf, ERF_END, 1.0e-5, 231, -1),
]


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize(("program", "exact", "end", "error", "_bits", "lowest"), CLAMPED)
def test_function_with_two_ends_is_right_everywhere(
    program: Any, exact: Any, end: float, error: float, _bits: int, lowest: int, parties: int
) -> None:
    words = np.concatenate([dense(-end - 2, end + 2), around(end, 2 * end), EDGES])
    outputs = run(program, words, parties=parties).outputs
    assert np.abs(outputs * UNIT - exact(words * UNIT)).max() < error + UNIT
    assert outputs.min() == lowest * 2**16
    assert outputs.max() == 2**16


@pytest.mark.parametrize("fraction", [8, 12, 20, 24])
@pytest.mark.parametrize(("program", "exact", "end", "error", "_bits", "lowest"), CLAMPED)
def test_function_with_two_ends_takes_other_scales(
    program: Any, exact: Any, end: float, error: float, _bits: int, lowest: int, fraction: int
) -> None:
    near = around(end, 0, fraction=fraction)
    words = np.concatenate([dense(-end - 1, end + 1, 20_000, fraction), near, EDGES])
    outputs = run(lambda c, x: program(c, x, fraction), words).outputs
    unit = 2.0**-fraction
    assert np.abs(outputs * unit - exact(words * unit)).max() < error + unit
    assert outputs.min() >= lowest << fraction
    assert outputs.max() <= 1 << fraction


@pytest.mark.parametrize(("program", "_exact", "_end", "_error", "bits", "_lowest"), CLAMPED)
def test_function_with_two_ends_takes_4_rounds(
    program: Any, _exact: Any, _end: float, _error: float, bits: int, _lowest: int
) -> None:
    for words in (np.zeros((8, 8), np.int64), RNG.integers(-(2**62), 2**62, (8, 8))):
        ran = run(program, words)
        assert ran.outputs.shape == (8, 8)
        assert ran.costs[NAMES[0]] == Cost(rounds=4, bytes_to_each=64 * bits // 8)


@pytest.mark.parametrize("fraction", [7, 25])
def test_scale_that_functions_do_not_work_with_is_refused(fraction: int) -> None:
    with pytest.raises(ContractError, match="fractional bits"):
        run(lambda c, x: sigmoid(c, x, fraction), np.zeros(3, np.int64))
