"""Products and truncation on shares: exact integers, for any number of parties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, broadcastable_shapes
from kernel_parties import NAMES, run

from mpc.errors import ContractError
from mpc.protocols.multiply import matmul, multiply, multiply_each, square
from mpc.protocols.opening import Cost
from mpc.protocols.truncate import divide, divide_each, truncate
from mpc.ring.convolution import Convolution
from mpc.ring.products import NumpyProducts

PARTIES = [2, 3, 4, 5]
WORDS = st.integers(-(2**63), 2**63 - 1)
RNG = np.random.default_rng(20261128)
EDGES = [0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63), 2**32, 12345]


def wrapped(values: Any) -> np.ndarray:
    """Python integers modulo 2^64, read as signed."""
    exact = np.asarray(values, dtype=object) % 2**64
    return exact.astype(np.uint64).view(np.int64)


@pytest.mark.parametrize("parties", PARTIES)
def test_product_is_exact_modulo_2_to_the_64(parties: int) -> None:
    left, right = (each.ravel() for each in np.meshgrid(EDGES, EDGES))
    ran = run(multiply, left, right, parties=parties)
    exact = [int(one) * int(other) for one, other in zip(left, right, strict=True)]
    assert (ran.outputs == wrapped(exact)).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=2 * 8 * left.size)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), parties=st.sampled_from(PARTIES))
def test_product_broadcasts_as_numpy_does(data: st.DataObject, parties: int) -> None:
    shape = data.draw(broadcastable_shapes((3, 2, 4), max_dims=3))
    left = data.draw(arrays(np.int64, (3, 2, 4), elements=WORDS))
    right = data.draw(arrays(np.int64, shape, elements=WORDS))
    with np.errstate(over="ignore"):
        assert (run(multiply, left, right, parties=parties).outputs == left * right).all()


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(
    ("left", "right"), [((7, 5), (5, 3)), ((5,), (5, 3)), ((2, 4, 5), (5, 2)), ((6, 5), (5,))]
)
def test_matrix_product_opens_each_factor_once(
    left: tuple[int, ...], right: tuple[int, ...], parties: int
) -> None:
    one = RNG.integers(-(2**63), 2**63, left, dtype=np.int64)
    other = RNG.integers(-(2**63), 2**63, right, dtype=np.int64)
    ran = run(matmul, one, other, parties=parties)
    assert (ran.outputs == wrapped(one.astype(object) @ other.astype(object))).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=8 * (one.size + other.size))


def test_products_that_do_not_depend_on_each_other_share_a_round() -> None:
    numbers = [RNG.integers(-100, 100, size) for size in (4, 4, 9, 9)]
    ran = run(lambda c, a, b, x, y: multiply_each(c, [(a, b), (x, y)]), *numbers)
    assert (ran.outputs[0] == numbers[0] * numbers[1]).all()
    assert (ran.outputs[1] == numbers[2] * numbers[3]).all()
    assert ran.costs[NAMES[0]].rounds == 1


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolution_opens_each_factor_once(parties: int, transposed: bool) -> None:
    kind = Convolution((2, 1), (1, 0), (1, 2), 2, transposed)
    left = RNG.integers(-(2**63), 2**63, (2, 4, 5, 6), dtype=np.int64)
    right = RNG.integers(-(2**63), 2**63, (4, 2, 3, 2), dtype=np.int64)
    ran = run(lambda c, x, y: multiply_each(c, [(x, y)], kind)[0], left, right, parties=parties)
    expected = NumpyProducts().apply(kind, left.view(np.uint64), right.view(np.uint64))
    assert (ran.outputs.view(np.uint64) == expected).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=8 * (left.size + right.size))


@pytest.mark.parametrize("parties", PARTIES)
def test_square_costs_half_of_a_product(parties: int) -> None:
    numbers = np.array(EDGES)
    ran = run(square, numbers, parties=parties)
    assert (ran.outputs == wrapped([int(each) ** 2 for each in numbers])).all()
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=8 * numbers.size)


@pytest.mark.parametrize("size", [(), (0,), (1,), (3, 0), (0, 5)])
def test_products_of_nothing_and_of_a_scalar_have_their_shape(size: tuple[int, ...]) -> None:
    numbers = np.full(size, 7)
    assert run(multiply, numbers, numbers).outputs.shape == size
    assert (run(multiply, numbers, numbers).outputs == numbers * numbers).all()


def test_factors_with_strides_are_multiplied_by_element() -> None:
    numbers = RNG.integers(-9, 9, (6, 4))
    ran = run(lambda c, x: multiply(c, x[::2, 1:], x[1::2, 1:]), numbers)
    assert (ran.outputs == numbers[::2, 1:] * numbers[1::2, 1:]).all()


@pytest.mark.parametrize(("left", "right"), [((3,), (4,)), ((2, 3), (2, 3))])
def test_factors_that_do_not_fit_are_refused_before_anything_is_dealt(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    program = multiply if len(left) == 1 else matmul
    with pytest.raises(ValueError, match=r"broadcast|factors"):
        run(program, np.zeros(left, np.int64), np.zeros(right, np.int64))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("bits", [1, 16, 32, 61, 62])
def test_truncation_is_within_one_unit_over_its_whole_domain(bits: int, parties: int) -> None:
    numbers = RNG.integers(-(2**62) + 1, 2**62, 20_000)
    numbers[:8] = [0, 1, -1, 2**62 - 1, -(2**62) + 1, 1 << bits - 1, -(1 << bits - 1), 5]
    ran = run(lambda c, x: truncate(c, x, bits), numbers, parties=parties)
    assert set((ran.outputs - (numbers >> bits)).tolist()) <= {0, 1}
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=8 * numbers.size)


def test_truncation_by_nothing_or_by_all_is_refused() -> None:
    for bits in (0, 63):
        with pytest.raises(ContractError, match="1 to 62 bits"):
            run(lambda c, x, bits=bits: truncate(c, x, bits), np.zeros(3, np.int64))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("by", [2, 3, 7, 1000, 2**31 - 1, 2**32, 10**17, 2**61])
def test_a_quotient_is_rounded_down_or_up_over_its_whole_domain(by: int, parties: int) -> None:
    edge = 2**62 - by - 1
    numbers = RNG.integers(-edge, edge + 1, 20_000)
    numbers[:8] = [0, 1, -1, edge, -edge, by - 1, -by, by]
    ran = run(lambda c, x: divide(c, x, by), numbers, parties=parties)
    assert set((ran.outputs - numbers // by).tolist()) <= {0, 1}
    assert ran.costs[NAMES[0]] == Cost(rounds=1, bytes_to_each=8 * numbers.size)


def test_quotients_by_several_divisors_share_a_round() -> None:
    numbers = RNG.integers(-(2**40), 2**40, 100)
    ran = run(lambda c, x: divide_each(c, [(x, 3), (x[:9], 1000)]), numbers)
    assert set((ran.outputs[0] - numbers // 3).tolist()) <= {0, 1}
    assert set((ran.outputs[1] - numbers[:9] // 1000).tolist()) <= {0, 1}
    assert ran.costs[NAMES[0]].rounds == 1


@pytest.mark.parametrize("by", [0, 1, -3, 2**61 + 1])
def test_a_quotient_by_nothing_or_by_too_much_is_refused(by: int) -> None:
    with pytest.raises(ContractError, match="between 2 and"):
        run(lambda c, x: divide(c, x, by), np.zeros(3, np.int64))


@pytest.mark.parametrize("parties", [2, 3])
def test_fixed_point_products_where_crypten_is_wrong_by_billions_are_right(parties: int) -> None:
    """|xy| = 2^46 at 32 fractional bits before the cut: stock CrypTen loses a fifth of 2^30."""
    left = RNG.integers(-(2**39), 2**39, 200_000)
    right = RNG.integers(-(2**22), 2**22, 200_000)
    ran = run(lambda c, x, y: truncate(c, multiply(c, x, y), 16), left, right, parties=parties)
    assert set((ran.outputs - ((left * right) >> 16)).tolist()) <= {0, 1}
    assert ran.costs[NAMES[0]].rounds == 2


@pytest.mark.long
def test_ten_million_fixed_point_products_have_no_error_beyond_one_unit() -> None:
    for _ in range(10):
        left = RNG.integers(-(2**36), 2**36, 1_000_000)
        right = RNG.integers(-(2**25), 2**25, 1_000_000)
        ran = run(lambda c, x, y: truncate(c, multiply(c, x, y), 16), left, right)
        assert set((ran.outputs - ((left * right) >> 16)).tolist()) <= {0, 1}
