"""What CrypTen's tensors compute on the kernel, beside the same on torch's float64.

Imported by the tests and by :mod:`tensor_worker`; imports neither torch nor CrypTen by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

ULP = 2.0**-16
RNG = np.random.default_rng(20261128)


def eighths(*shape: int, limit: int = 2000) -> Any:
    """Multiples of 1/256, so that products of two are exact at 16 bits."""
    return RNG.integers(-limit, limit + 1, shape) / 256


INPUTS: dict[str, Any] = {
    "x": eighths(3, 4),
    "y": eighths(3, 4),
    "v": eighths(4),
    "large": np.array([20000.5, -30000.25, 1000000.0, -3.0]),
    "larger": np.array([30000.5, 30000.25, -1000.0, 300000000.0]),
    "bits": np.array([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]]),
    "image": eighths(2, 4, 6, 7),
    "kernel": eighths(6, 2, 3, 2),
    "row": eighths(2, 3, 9),
    "row_kernel": eighths(4, 3, 3),
    "back_kernel": eighths(4, 3, 3, 2),
    "ties": np.array([[3.0, 5.5, 5.5, -1.0], [0.0, 0.0, 0.0, 0.0], [-7.25, -9.0, -7.5, -7.25]]),
    "many": eighths(2, 200),
    "probability": np.array([0.03125, 0.25, 0.5, 0.75, 0.96875]),
    "positive": np.array([0.25, 0.5, 1.0, 2.0, 3.5, 8.0]),
}  # fmt: skip
"""Shared by the parties in turn; ``bits`` at scale 1, the rest at CrypTen's 16 bits."""


@dataclass(frozen=True)
class Case:
    """``compute`` takes the inputs, and ``lib``, which is crypten or torch."""

    compute: Callable[[SimpleNamespace], Any]
    tolerance: float = 0.0
    bits: int = 16
    reference: Callable[[SimpleNamespace], Any] | None = None


def _written(i: SimpleNamespace) -> Any:
    copy = i.x.clone()
    copy[0] = i.bits[0]
    copy[1, 2:] = i.lib.tensor([0.25, -7.0]) if hasattr(i.lib, "tensor") else i.public([0.25, -7.0])
    return copy


def _kept(i: SimpleNamespace) -> Any:
    """The operand of a sum, which CrypTen as shipped re-encodes in place."""
    _ = i.x + i.bits
    return i.bits


def _in_place(i: SimpleNamespace) -> Any:
    copy = i.x.clone()
    copy += i.y
    copy *= 2
    copy -= 0.5
    return copy


ARITHMETIC: Mapping[str, Case] = {
    "product": Case(lambda i: i.x * i.y, ULP),
    "product where CrypTen is wrong by billions": Case(
        lambda i: i.large * i.larger, ULP),
    "product with broadcasting": Case(lambda i: i.x * i.v, ULP),
    "product of bits": Case(lambda i: i.bits * i.bits, 0, 0),
    "bits times numbers": Case(lambda i: i.bits * i.x),
    "numbers times bits": Case(lambda i: i.x * i.bits),
    "matrix product": Case(lambda i: i.x.matmul(i.y.t()), ULP),
    "matrix times vector": Case(lambda i: i.x.matmul(i.v), ULP),
    "product of a transposed view": Case(lambda i: i.x.t() * i.y.t(), ULP),
    "square": Case(lambda i: i.x.square(), ULP),
    "square of bits": Case(lambda i: i.bits.square(), 0, 0),
    "convolution in one direction": Case(
        lambda i: i.row.conv1d(i.row_kernel, stride=2, padding=1), ULP,
        reference=lambda i: i.lib.conv1d(i.row, i.row_kernel, stride=2, padding=1)),
    "convolution in two directions": Case(
        lambda i: i.image.conv2d(i.kernel, stride=(1, 2), padding=1, dilation=(2, 1), groups=2),
        ULP, reference=lambda i: i.lib.conv2d(
            i.image, i.kernel, stride=(1, 2), padding=1, dilation=(2, 1), groups=2)),
    "transposed convolution": Case(
        lambda i: i.image.conv_transpose2d(i.back_kernel, stride=2, output_padding=1), ULP,
        reference=lambda i: i.lib.conv_transpose2d(
            i.image, i.back_kernel, stride=2, output_padding=1)),
    "convolution with a public kernel": Case(
        lambda i: i.row.conv1d(i.public(INPUTS["row_kernel"])), ULP,
        reference=lambda i: i.lib.conv1d(i.row, i.row_kernel)),
    "whole public factor": Case(lambda i: i.x * -3),
    "whole public tensor": Case(lambda i: i.x * i.public([1.0, 2.0, -3.0, 0.0])),
    "public factor": Case(lambda i: i.x * 0.3, 8 * 2**-17 + ULP),
    "small public factor": Case(lambda i: i.large * 0.001, 1e6 * 0.001 * 2**-17 + ULP),
    "public factor of bits": Case(lambda i: i.bits * 0.25),
    "public matrix": Case(lambda i: i.x.matmul(i.public(INPUTS["y"].T)), ULP),
    "quotient by 3": Case(lambda i: i.x / 3, ULP),
    "quotient by a power of two": Case(lambda i: i.x / 1024, ULP),
    "quotient by -1000": Case(lambda i: i.larger / -1000, ULP),
    "quotient by 1000.5": Case(lambda i: i.large / 1000.5, 1000 * 2**-17 + ULP),
    "quotient by whole numbers": Case(lambda i: i.x / i.public([1.0, -1.0, 3.0, -1000.0]), ULP),
    "quotient by fractions": Case(lambda i: i.x / i.public([0.5, 0.25, 1.0, -0.125])),
    "quotient of bits": Case(lambda i: i.bits / 4),
    "mean of bits": Case(lambda i: i.bits.mean(1), ULP),
    "mean": Case(lambda i: i.x.mean(), ULP),
    "sum of numbers and bits": Case(lambda i: i.x + i.bits),
    "sum of bits and numbers": Case(lambda i: i.bits - i.x),
    "operand of a mixed sum": Case(_kept, 0, 0),
    "bits and a fraction": Case(lambda i: i.bits + 0.25),
    "one without bits": Case(lambda i: 1.0 - i.bits, 0, 0),
    "in place": Case(_in_place),
    "bits and numbers side by side": Case(lambda i: i.lib.cat([i.bits, i.x], dim=1)),
    "numbers and bits on another": Case(lambda i: i.lib.stack([i.x, i.bits])),
    "written into numbers": Case(_written),
    "sum with a transposed public tensor": Case(
        lambda i: i.v + i.public(np.arange(16.0).reshape(4, 4)).t()),
    "average pool": Case(
        lambda i: i.image.avg_pool2d(2), ULP,
        reference=lambda i: i.torch.nn.functional.avg_pool2d(i.image, 2)),
    "product along an axis": Case(lambda i: (i.x / 8).prod(1), 64 * ULP),
}  # fmt: skip
