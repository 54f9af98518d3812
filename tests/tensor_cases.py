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
    # Of real use, where stock CrypTen is wrong by millions: N05, N01 and N04 of the fault cases.
    "scores": np.array([-1000.0, -50.0, -10.0, 0.0, 10.0, 50.0, 1000.0]),
    "divisors": np.array([1.0, 100.0, 400.0, 1000.0, 5000.0, -8.0]),
    "deviations": np.array([-3.0, -1.0, 0.5, 20.0]),
    # N02: squares that stock CrypTen gives as 1.41e9, -7.3e8 and -1.8e9 but for the first.
    "incomes": np.array([1000, 100000, 1000000, 30000000]),
    "income_reals": np.array([1000.0, 100000.0, 1000000.0, 30000000.0]),
}  # fmt: skip
"""Shared by the parties in turn; :data:`WHOLE` at scale 1, the rest at CrypTen's 16 bits."""
WHOLE = {"bits", "incomes"}
FITTING = 2**15 - ULP
"""Numbers up to here have products that fit."""


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
    "N02: squares of whole numbers": Case(lambda i: i.incomes * i.incomes, 0, 0),
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
    "a single number": Case(lambda i: i.v[0] * -3),
    "a single number and a fraction": Case(lambda i: i.v[0] * 0.25 + i.v[1] * i.v[2], ULP),
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


def _first(tensor: Any, dim: int) -> Any:
    """1 at the first largest entry along ``dim``, of public numbers."""
    places = tensor.argmax(dim, keepdim=True)
    return (tensor * 0).scatter(dim, places, 1.0)


def _pooled(tensor: Any, torch: Any) -> Any:
    return torch.nn.functional.max_pool2d(tensor - 1000, 3, stride=2, padding=1)


COMPARISONS: Mapping[str, Case] = {
    "below": Case(lambda i: i.x < i.y, 0, 0),
    "at most": Case(lambda i: i.x <= i.x.clone(), 0, 0),
    "above a public number": Case(lambda i: i.x > 0.25, 0, 0),
    "at least a public tensor": Case(lambda i: i.x >= i.public(INPUTS["y"]), 0, 0),
    "equal": Case(lambda i: i.ties == i.ties[:, 1:2], 0, 0),
    "unequal": Case(lambda i: i.ties != 0, 0, 0),
    "far apart": Case(lambda i: i.large * 100000000 > i.larger * -400, 0, 0),
    "bits compared with a fraction": Case(lambda i: i.bits > 0.5, 0, 0),
    "within a range": Case(
        lambda i: i.x.within(-3, 2.5), 0, 0, reference=lambda i: (i.x >= -3) & (i.x <= 2.5)),
    "zero outside a range": Case(
        lambda i: i.x.zeroed_outside(-3, 2.5),
        reference=lambda i: i.x * ((i.x >= -3) & (i.x <= 2.5))),
    "N02: which numbers have squares that fit": Case(
        lambda i: i.income_reals.within(-FITTING, FITTING), 0, 0,
        reference=lambda i: i.income_reals < 2**15),
    "N02: squares of the numbers that fit": Case(
        lambda i: i.income_reals.zeroed_outside(-FITTING, FITTING).square(), ULP,
        reference=lambda i: (i.income_reals * (i.income_reals < 2**15)).square()),
    "relu": Case(lambda i: i.x.relu()),
    "absolute": Case(lambda i: i.x.abs()),
    "sign": Case(
        lambda i: i.x.sign(), 0, 0, reference=lambda i: 1 - 2 * (i.x < 0).double()),
    "chosen by shares": Case(
        lambda i: i.lib.where(i.x < i.y, i.x, i.y),
        reference=lambda i: i.torch.minimum(i.x, i.y)),
    "chosen by a public mask": Case(
        lambda i: i.x.where(i.public(INPUTS["y"]) > 0, i.y),
        reference=lambda i: i.torch.where(i.y > 0, i.x, i.y)),
    "chosen against a public number": Case(
        lambda i: i.x.where(i.x > 1, 1.0), reference=lambda i: i.x.clamp(min=1.0)),
    "hardtanh": Case(
        lambda i: i.x.hardtanh(-2, 3), reference=lambda i: i.x.clamp(-2, 3)),
    "largest of all": Case(lambda i: i.x.max()),
    "smallest of all": Case(lambda i: i.many.min()),
    "largest along an axis": Case(
        lambda i: i.ties.max(1)[0], reference=lambda i: i.ties.max(1).values),
    "largest along the first axis": Case(
        lambda i: i.ties.max(0, keepdim=True)[0],
        reference=lambda i: i.ties.max(0, keepdim=True).values),
    "smallest of many": Case(
        lambda i: i.many.min(1)[0], reference=lambda i: i.many.min(1).values),
    "where the largest is": Case(
        lambda i: i.ties.argmax(1), 0, 0, reference=lambda i: _first(i.ties, 1)),
    "where the smallest is": Case(
        lambda i: i.ties.argmin(0), 0, 0, reference=lambda i: _first(-i.ties, 0)),
    "where the largest of many is": Case(
        lambda i: i.many.max(1)[1], 0, 0, reference=lambda i: _first(i.many, 1)),
    "index of the largest": Case(
        lambda i: i.ties.argmax(1, one_hot=False), 0, 0, reference=lambda i: i.ties.argmax(1)),
    "largest of one": Case(lambda i: i.v[0].max()),
    "windows' largest far below zero": Case(
        lambda i: (i.image - 1000).max_pool2d(3, stride=2, padding=1),
        reference=lambda i: _pooled(i.image, i.torch)),
}  # fmt: skip


FUNCTIONS: Mapping[str, Case] = {
    "fifth power": Case(lambda i: (i.x / 4).pow(5), 64 * ULP * 40),
    "cube": Case(lambda i: (i.x / 4).pow(3), 64 * ULP),
    "power of nothing": Case(lambda i: i.x.pow(0)),
    "variance": Case(lambda i: i.x.var(), 4 * ULP),
    "biased variance along an axis": Case(
        lambda i: i.x.var(1, unbiased=False, keepdim=True), 64 * ULP),
    "exp": Case(lambda i: i.probability.exp(), 3 * ULP),
    "exp of anything below 16": Case(lambda i: (i.scores / 8 - 125).exp(), 3 * ULP),
    "log": Case(lambda i: i.positive.log(), 2 * ULP),
    "log of thousands": Case(lambda i: (i.divisors * i.divisors / 4).log(), 2 * ULP),
    "reciprocal": Case(lambda i: 1 / i.positive, 3 * ULP),
    "tenth of a number": Case(lambda i: 10 / i.divisors, 0.001),
    "quotient of shares": Case(lambda i: i.positive / i.positive, 30 * ULP),
    "sqrt": Case(lambda i: i.positive.sqrt(), 2 * ULP),
    "sqrt of thousands": Case(lambda i: (i.divisors * i.divisors / 4).sqrt(), 0.005),
    "inverse root": Case(lambda i: 1 / i.positive.sqrt(), 6 * ULP),
    "sigmoid": Case(lambda i: i.x.sigmoid(), 5 * ULP),
    "sigmoid of unscaled scores": Case(lambda i: i.scores.sigmoid(), 5 * ULP),
    "tanh": Case(lambda i: i.x.tanh(), 6 * ULP),
    "erf": Case(lambda i: i.deviations.erf(), 3 * ULP),
    "sine": Case(lambda i: i.x.sin(), 2 * ULP),
    "cosine of many turns": Case(lambda i: i.large.cos(), 2 * ULP),
    "softmax": Case(lambda i: i.x.softmax(1), 3 * ULP),
    "softmax along the first axis": Case(lambda i: i.x.softmax(0), 3 * ULP),
    "softmax of unscaled scores": Case(lambda i: i.scores.softmax(0), 3 * ULP),
    "log of softmax": Case(lambda i: i.x.log_softmax(1), 5 * ULP),
}  # fmt: skip


@dataclass(frozen=True)
class Slope:
    """``loss`` of the inputs; its gradients with respect to those named in ``wrt``."""

    loss: Callable[[SimpleNamespace], Any]
    wrt: tuple[str, ...]
    tolerance: float


def _convolved(i: SimpleNamespace) -> Any:
    result = (
        i.lib.conv1d(i.row, i.row_kernel, stride=2, padding=1)
        if hasattr(i.lib, "tensor")
        else i.row.conv1d(i.row_kernel, stride=2, padding=1)
    )
    return result.square().mean()


def _pooled_mean(i: SimpleNamespace) -> Any:
    inner = i.torch.nn.functional if hasattr(i.lib, "tensor") else None
    pooled = inner.max_pool2d(i.image, 2) if inner else i.image.max_pool2d(2)
    averaged = inner.avg_pool2d(i.image, 2) if inner else i.image.avg_pool2d(2)
    return (pooled - averaged).square().mean()


GRADIENTS: Mapping[str, Slope] = {
    "relu": Slope(lambda i: (i.x.relu() * i.y).sum(), ("x", "y"), 2 * ULP),
    "matmul": Slope(lambda i: i.x.matmul(i.y.t()).square().mean(), ("x", "y"), 0.01),
    "convolution": Slope(_convolved, ("row", "row_kernel"), 0.1),
    "broadcast product": Slope(lambda i: (i.x * i.v - i.v).sum(), ("x", "v"), 4 * ULP),
    "pool": Slope(_pooled_mean, ("image",), 16 * ULP),
    "absolute": Slope(lambda i: (i.x.abs() / 3).mean(), ("x",), 2 * ULP),
    "largest": Slope(lambda i: i.x.max() - i.y.min(1)[0].mean()
                     if not hasattr(i.lib, "tensor") else i.x.max() - i.y.min(1).values.mean(),
                     ("x", "y"), 2 * ULP),
    "power": Slope(lambda i: (i.x / 4).pow(5).mean(), ("x",), 0.01),
    "variance": Slope(lambda i: i.x.var() + i.y.var(1, unbiased=False).sum(), ("x", "y"), 8 * ULP),
    "joined": Slope(lambda i: (i.lib.cat([i.x, i.y])[1:5] * 0.3).sum(), ("x", "y"), 2 * ULP),
    "circle": Slope(lambda i: (i.x.sin() * i.y.cos()).sum(), ("x", "y"), 4 * ULP),
    "sigmoid": Slope(lambda i: (i.x.sigmoid() * i.y).sum(), ("x", "y"), 0.05),
}  # fmt: skip
