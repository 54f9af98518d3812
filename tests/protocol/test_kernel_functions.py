"""Functions on shares: within their stated error over their whole domain, at their stated cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_parties import NAMES, run
from scipy import special

from mpc.errors import ContractError
from mpc.protocols.functions import circular, division, exponential, logarithm
from mpc.protocols.functions.division import reciprocal
from mpc.protocols.functions.fixed import BLOCK_ELEMENTS, Domain
from mpc.protocols.functions.logarithm import log
from mpc.protocols.functions.roots import inverse_sqrt, sqrt
from mpc.protocols.functions.sigmoid import ERF_END, SIGMOID_END, erf, sigmoid, tanh
from mpc.protocols.functions.sigmoid import domain as clamped_domain
from mpc.protocols.functions.softmax import log_softmax, softmax
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


CIRCULAR = [(circular.sin, np.sin), (circular.cos, np.cos)]


def circular_error(words: np.ndarray, fraction: int) -> np.ndarray:
    """What its docstring states."""
    unit = 2.0**-fraction
    return np.asarray(unit + 2.0**-26 + np.abs(words) * unit * 2.0 ** (fraction - 60))


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize(("program", "exact"), CIRCULAR)
def test_sine_and_cosine_are_right_over_their_whole_domain_and_stay_within_one(
    program: Any, exact: Any, parties: int
) -> None:
    turns = np.pi * np.arange(12) / 2
    words = np.concatenate([
        dense(-8, 8), dense(circular.domain().low, circular.domain().high), around(*turns),
        around(circular.END)[np.abs(around(circular.END)) <= circular.END << 16],
    ])  # fmt: skip
    outputs = run(program, words, parties=parties).outputs
    errors = np.abs(outputs * UNIT - exact(words * UNIT))
    assert (errors <= circular_error(words, 16)).all()
    assert errors.max() < 1.6e-5
    assert (outputs.min(), outputs.max()) == (-(2**16), 2**16)


@pytest.mark.parametrize("fraction", [8, 12, 20, 24])
@pytest.mark.parametrize(("program", "exact"), CIRCULAR)
def test_sine_and_cosine_take_other_scales(program: Any, exact: Any, fraction: int) -> None:
    low, high = circular.domain(fraction).low, circular.domain(fraction).high
    near = dense(-8, 8, 20_000, fraction)
    words = np.concatenate([near, dense(low, high, 20_000, fraction), EDGES])
    outputs = run(lambda c, x: program(c, x, fraction), words).outputs
    unit = 2.0**-fraction
    errors = np.abs(outputs * unit - exact(words * unit))
    assert (errors <= circular_error(words, fraction))[: -len(EDGES)].all()
    assert np.abs(outputs).max() <= 1 << fraction


@pytest.mark.parametrize(("program", "_exact"), CIRCULAR)
def test_sine_and_cosine_take_2_rounds(program: Any, _exact: Any) -> None:
    for words in (np.zeros((8, 8), np.int64), RNG.integers(-(2**62), 2**62, (8, 8))):
        ran = run(program, words)
        assert ran.outputs.shape == (8, 8)
        assert ran.costs[NAMES[0]] == Cost(rounds=2, bytes_to_each=64 * 16)


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize(("end", "error"), [(16, 1e-6), (4, 1e-7), (0, 1e-7)])
def test_exponential_is_right_between_its_ends_and_saturates(
    end: int, error: float, parties: int
) -> None:
    low = exponential.saturation(end=end).low
    words = np.concatenate([dense(low - 2, end + 2), around(-low, end), EDGES])
    outputs = run(lambda c, x: exponential.exp(c, x, 16, end), words, parties=parties).outputs
    exact = np.exp(np.minimum(words * UNIT, end))
    assert (np.abs(outputs * UNIT - exact) <= 2 * UNIT + error * exact).all()
    assert (outputs[words < low * 2**16] == 0).all()
    assert (outputs[words > end * 2**16] == round(np.exp(end) * 2**16)).all()


@pytest.mark.parametrize(
    ("fraction", "end", "error"), [(8, 16, 1e-7), (20, 14, 2e-6), (24, 12, 4e-6)]
)
def test_exponential_takes_other_scales(fraction: int, end: int, error: float) -> None:
    words = dense(-20, end, 30_000, fraction)
    outputs = run(lambda c, x: exponential.exp(c, x, fraction, end), words).outputs
    unit = 2.0**-fraction
    exact = np.exp(words * unit)
    assert (np.abs(outputs * unit - exact) <= 2 * unit + error * exact).all()


def test_exponential_takes_4_rounds() -> None:
    for words in (np.zeros(64, np.int64), RNG.integers(-(2**62), 2**62, 64)):
        assert run(exponential.exp, words).costs[NAMES[0]] == Cost(4, 64 * 230 // 8)


@pytest.mark.parametrize("end", [3, -2, 24])
def test_exponential_that_ends_where_it_cannot_is_refused(end: int) -> None:
    with pytest.raises(ContractError, match="exponential"):
        run(lambda c, x: exponential.exp(c, x, 16, end), np.zeros(3, np.int64))


POSITIVE = [  # program, exact, absolute and relative error
    (log, np.log, 7e-7, 0.0),
    (sqrt, np.sqrt, 0.0, 5e-7),
    (inverse_sqrt, lambda x: 1 / np.sqrt(x), 0.0, 9e-7),
    (reciprocal, lambda x: 1 / x, 0.0, 1.5e-6),
]
DOMAINS = [
    (16, None), (17, None), (24, None), (8, None), (16, Domain(1, 16)), (16, Domain(0.3, 0.9)),
    (24, Domain(1, 10)), (24, Domain(2.0**-24, 2.0**-20)), (8, Domain(2.0**30, 2.0**34)),
]  # fmt: skip


def positive(low: float, high: float, fraction: int, count: int) -> np.ndarray:
    """Words of a domain: even in the logarithm, random, around every power of two, and its ends."""
    first, last = int(np.ceil(low * 2**fraction)), int(high * 2**fraction)
    grid = np.exp(np.linspace(np.log(first), np.log(last), count)).astype(np.int64)
    powers = (1 << np.arange(45))[:, np.newaxis] + np.arange(-2, 3)
    words = [grid, RNG.integers(first, last + 1, count // 4), powers.ravel(), [first, last]]
    every = np.concatenate(words)
    return every[(every >= first) & (every <= last)]


def outside_of_error(
    outputs: np.ndarray, words: np.ndarray, fraction: int, case: tuple[Any, Any, float, float]
) -> int:
    """How many outputs are off by more than the stated error and one unit."""
    _, exact, absolute, relative = case
    unit = 2.0**-fraction
    right = exact(words * unit)
    return int((np.abs(outputs * unit - right) > unit + absolute + relative * right).sum())


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case[0].__name__)
def test_function_of_positive_numbers_is_right_over_its_domain(case: Any, parties: int) -> None:
    words = positive(2**-16, 2**24, 16, 100_000)
    ran = run(case[0], words, parties=parties)
    assert outside_of_error(ran.outputs, words, 16, case) == 0


@pytest.mark.parametrize(("fraction", "known"), DOMAINS)
@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case[0].__name__)
def test_function_of_positive_numbers_takes_other_scales_and_domains(
    case: Any, fraction: int, known: Domain | None
) -> None:
    bounds = known or Domain(2.0**-fraction, 2.0 ** (40 - fraction))
    words = positive(bounds.low, bounds.high, fraction, 8_000)
    ran = run(lambda c, x: case[0](c, x, fraction, known), words)
    assert outside_of_error(ran.outputs, words, fraction, case) == 0


@pytest.mark.parametrize(
    ("program", "known", "rounds", "bits"),
    [
        (log, None, 6, 256 + 19 * 35), (log, Domain(1, 16), 6, 224 + 35),
        (reciprocal, None, 8, 448 + 19 * 35), (reciprocal, Domain(1, 4), 4, 288),
        (sqrt, None, 8, 448 + 19 * 35), (inverse_sqrt, Domain(0.25, 4), 8, 416 + 35),
    ],
)  # fmt: skip
def test_function_of_positive_numbers_costs_what_its_domain_says(
    program: Any, known: Domain | None, rounds: int, bits: int
) -> None:
    for words in (np.full((4, 16), 1 << 16), RNG.integers(2**15, 2**18, (4, 16))):
        ran = run(lambda c, x: program(c, x, 16, known), words)
        assert ran.outputs.shape == (4, 16)
        assert ran.costs[NAMES[0]] == Cost(rounds, 64 * bits // 8)


@pytest.mark.parametrize("known", [Domain(0, 1), Domain(-3, 5), Domain(1, 2.0**29)])
def test_domain_that_is_not_positive_or_too_wide_is_refused(known: Domain) -> None:
    for program in (log, sqrt, reciprocal):
        with pytest.raises(ContractError):
            run(lambda c, x, program=program: program(c, x, 16, known), np.ones(3, np.int64))


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("entries", [2, 3, 10, 16, 17, 100])
def test_softmax_of_rows_is_within_its_error(entries: int, parties: int) -> None:
    rows = RNG.normal(0, 4, (200, entries))
    rows[0], rows[1, 0], rows[2, -1] = 0, 1e9, -1e9
    words = np.rint(rows * 2**16).astype(np.int64)
    outputs = run(softmax, words, parties=parties).outputs * UNIT
    assert np.abs(outputs - special.softmax(words * UNIT, axis=1)).max() < 3e-6 + UNIT
    assert np.abs(outputs.sum(1) - 1).max() < 3e-6 + entries * UNIT


@pytest.mark.parametrize("entries", [2, 10, 100])
def test_logarithm_of_softmax_is_within_its_error(entries: int) -> None:
    words = np.random.default_rng(entries).integers(-(20 << 16), 20 << 16, (50, entries))
    outputs = run(log_softmax, words).outputs * UNIT
    wanted = special.log_softmax(words * UNIT, axis=1)
    assert np.abs(outputs - wanted).max() < 3e-6 + 2 * UNIT


def test_logarithm_of_softmax_of_10_entries_takes_18_rounds() -> None:
    assert run(log_softmax, np.zeros((64, 10), np.int64)).costs[NAMES[0]].rounds == 18


def test_softmax_of_10_entries_takes_21_rounds() -> None:
    """CrypTen's takes 215 rounds."""
    costs = run(softmax, np.zeros((64, 10), np.int64)).costs[NAMES[0]]
    assert costs == Cost(21, 64 * 9605 // 8)


@pytest.mark.parametrize("program", [sigmoid, exponential.exp, log, sqrt, reciprocal])
def test_function_of_nothing_is_nothing(program: Any) -> None:
    assert run(program, np.zeros((0, 3), np.int64)).outputs.shape == (0, 3)


def test_more_than_a_block_is_as_right_and_takes_its_rounds_again() -> None:
    words = RNG.integers(-(2**20), 2**20, BLOCK_ELEMENTS + 5)
    ran = run(sigmoid, words)
    assert np.abs(ran.outputs * UNIT - special.expit(words * UNIT)).max() < 2.8e-5 + UNIT
    assert ran.costs[NAMES[0]].rounds == 8


def test_domain_tells_whether_proved_bounds_are_covered() -> None:
    assert division.domain().covers(0.001, 10**6)
    assert not division.domain().covers(0, 1)
    assert not logarithm.domain().covers(1, 10**9)
    assert clamped_domain().covers(-(10**9), 10**9)


@pytest.mark.parametrize("program", [sigmoid, tanh, exponential.exp, log, sqrt, reciprocal])
def test_what_a_function_opens_of_a_constant_is_uniform(program: Any) -> None:
    """Every bit of an opened word that is ever set: half of the time, within 6 deviations; 10^-6
    false alarms over all of them. Bits above a narrower opening are never set."""
    count = 4096
    for opened in run(program, np.full(count, 3 << 14)).opened[NAMES[0]].values:
        bits = np.unpackbits(np.frombuffer(opened, np.uint8).reshape(-1, 8), axis=1)
        often = bits.mean(axis=0)
        assert (often[often > 0] > 0.5 - 3 / np.sqrt(len(bits))).all()
        assert (often < 0.5 + 3 / np.sqrt(len(bits))).all()
