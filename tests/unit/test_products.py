"""Products of ring words: numpy's and torch's agree to the last bit, and are torch's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.convolution import Convolution
from mpc.ring.planes import Ring
from mpc.ring.products import Bilinear, NumpyProducts, ProductKind, Products, product_shape
from mpc.session.streams import Stream


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module", params=["numpy", "torch"])
def products(request: pytest.FixtureRequest) -> Products:
    if request.param == "numpy":
        return NumpyProducts()
    from mpc.backend.products import TorchProducts

    return TorchProducts()


def words(*shape: int, key: int = 1) -> Ring:
    source = Stream(bytes([key]) * 32)
    return source.words(int(np.prod(shape, dtype=int))).view(np.uint64).reshape(shape)


MATRICES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((4, 6), (6, 2)), ((6,), (6, 2)), ((4, 6), (6,)), ((6,), (6,)), ((3, 1, 4, 6), (2, 6, 5)),
    ((0, 6), (6, 2)), ((4, 0), (0, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), MATRICES)
def test_matrix_products_wrap_and_have_the_announced_shape(
    products: Products, torch: Any, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    one, other = words(*left), words(*right, key=2)
    product = products.apply(Bilinear.MATMUL, one, other)
    assert product.shape == product_shape(Bilinear.MATMUL, left, right)
    expected = torch.matmul(*(torch.from_numpy(each.view(np.int64)) for each in (one, other)))
    assert (product.view(np.int64) == expected.numpy()).all()


def test_elements_are_multiplied_with_broadcasting(products: Products) -> None:
    product = products.apply(Bilinear.ELEMENTWISE, words(5, 1), words(3, key=2))
    assert product.tolist() == [
        [int(a) * int(b) % 2**64 for b in words(3, key=2)] for a in words(5)
    ]


CONVOLUTIONS: list[tuple[Convolution, tuple[int, ...], tuple[int, ...]]] = [
    (Convolution((1,), (0,), (1,)), (2, 3, 9), (4, 3, 3)),
    (Convolution((2,), (1,), (2,), groups=3), (2, 3, 11), (6, 1, 3)),
    (Convolution((1, 1), (0, 0), (1, 1)), (2, 3, 6, 7), (4, 3, 3, 2)),
    (Convolution((2, 1), (1, 2), (1, 2), groups=2), (2, 4, 8, 7), (6, 2, 3, 2)),
    (Convolution((1,), (0,), (1,), transposed=True), (2, 3, 9), (3, 4, 3)),
    (Convolution((2,), (1,), (2,), 3, True, (1,)), (2, 3, 5), (3, 2, 3)),
    (Convolution((2, 3), (1, 0), (1, 2), 2, True, (1, 1)), (2, 4, 5, 4), (4, 3, 3, 2)),
    (Convolution((1, 1), (2, 3), (1, 1), 1, True), (1, 2, 6, 7), (2, 1, 1, 2)),
]


@pytest.mark.parametrize(("kind", "left", "right"), CONVOLUTIONS)
def test_convolutions_are_those_of_torch(
    products: Products, torch: Any, kind: Convolution, left: tuple[int, ...],
    right: tuple[int, ...],
) -> None:  # fmt: skip
    one, other = words(*left), words(*right, key=2)
    result = products.apply(kind, one, other)
    assert result.shape == product_shape(kind, left, right)
    name = f"conv{'_transpose' if kind.transposed else ''}{len(kind.stride)}d"
    more = {"output_padding": kind.added} if kind.transposed else {}
    expected = getattr(torch, name)(
        *(torch.from_numpy(each.view(np.int64)) for each in (one, other)),
        stride=kind.stride, padding=kind.padding, dilation=kind.dilation, groups=kind.groups,
        **more,
    )  # fmt: skip
    assert (result.view(np.int64) == expected.numpy()).all()


def test_views_mirrored_and_read_only_are_multiplied_as_they_read(products: Products) -> None:
    square = words(4, 4)
    square.flags.writeable = False
    expected = NumpyProducts().apply(Bilinear.MATMUL, square[::-1].copy(), square.T.copy())
    assert (products.apply(Bilinear.MATMUL, square[::-1], square.T) == expected).all()


WRONG: list[tuple[ProductKind, tuple[int, ...], tuple[int, ...]]] = [
    (Bilinear.MATMUL, (4, 6), (5, 2)), (Bilinear.MATMUL, (), (2,)),
    (Bilinear.ELEMENTWISE, (4,), (3,)),
    (Convolution((1,), (0,), (1,)), (2, 3, 9), (4, 2, 3)),
    (Convolution((1,), (0,), (1,)), (2, 3, 2), (4, 3, 3)),
    (Convolution((1, 1), (0, 0), (1, 1)), (2, 3, 9), (4, 3, 3)),
    (Convolution((1,), (0,), (1,), groups=2), (2, 4, 9), (3, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "left", "right"), WRONG)
def test_shapes_that_do_not_fit_are_refused(
    products: Products, kind: ProductKind, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 numpy's own words differ
        products.apply(kind, words(*left), words(*right, key=2))
    with pytest.raises(ValueError):  # noqa: PT011
        product_shape(kind, left, right)


@pytest.mark.parametrize(
    "numbers",
    [
        ((1,), (0, 0), (1,)),
        ((0,), (0,), (1,)),
        ((1,), (-1,), (1,)),
        ((1, 1, 1), (0,) * 3, (1,) * 3),
    ],
)
def test_a_convolution_that_torch_knows_not_is_none(numbers: Any) -> None:
    with pytest.raises(ValueError, match=r"direction|start at"):
        Convolution(*numbers)
