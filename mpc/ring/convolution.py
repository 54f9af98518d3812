"""Convolutions of ring words, as one matrix product over all windows (im2col).

Shapes and meanings are torch's: inputs (batch, channels, *size), kernels (out, channels / groups,
*size), and for a transposed one (channels, out / groups, *size). The matrix product is the
caller's, so that a backend brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mpc.ring.planes import Ring

Shape = tuple[int, ...]
Matmul = Callable[[Ring, Ring], Ring]


@dataclass(frozen=True)
class Convolution:
    """A convolution in one or two directions: the numbers that torch takes, one a direction."""

    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int = 1
    transposed: bool = False
    output_padding: Shape = ()
    """What a transposed one adds at the far end. Empty: nothing."""

    def __post_init__(self) -> None:
        counts = {len(self.stride), len(self.padding), len(self.dilation), len(self.added)}
        if counts != {len(self.stride)} or len(self.stride) not in (1, 2):
            raise ValueError("a convolution goes in one or two directions")
        if min(*self.stride, *self.dilation, self.groups) < 1 or min(self.padding + self.added) < 0:
            raise ValueError("strides, dilations and groups start at 1, paddings at 0")
        if self.output_padding and not self.transposed:
            raise ValueError("only a transposed convolution pads its output")

    @property
    def added(self) -> Shape:
        return self.output_padding or (0,) * len(self.stride)

    def shape(self, left: Shape, kernel: Shape) -> Shape:
        """Of the result. Raises ValueError on shapes that do not fit."""
        directions = len(self.stride)
        if len(left) != directions + 2 or len(kernel) != directions + 2:
            raise ValueError(f"{left} and {kernel} take one axis a direction and two before it")
        channels = kernel[0] if self.transposed else kernel[1] * self.groups
        out = kernel[1] * self.groups if self.transposed else kernel[0]
        if left[1] != channels or channels % self.groups or out % self.groups:
            raise ValueError(f"{left} has not the channels of {kernel} in {self.groups} groups")
        sizes = tuple(
            self._size(at, *each) for at, each in enumerate(zip(left[2:], kernel[2:], strict=True))
        )
        if min(sizes) < 1:
            raise ValueError(f"{kernel} is larger than {left} and its padding")
        return (left[0], out, *sizes)

    def _size(self, at: int, size: int, kernel: int) -> int:
        reach = self.dilation[at] * (kernel - 1)
        if self.transposed:
            edge = self.added[at] - 2 * self.padding[at]
            return (size - 1) * self.stride[at] + edge + reach + 1
        return (size + 2 * self.padding[at] - reach - 1) // self.stride[at] + 1


def convolve(kind: Convolution, left: Ring, kernel: Ring, matmul: Matmul) -> Ring:
    """``left`` convolved with ``kernel``, wrapping. Raises ValueError on shapes that do not fit."""
    result = kind.shape(left.shape, kernel.shape)
    if not kind.transposed:
        edges = [(padding, padding) for padding in kind.padding]
        return _windowed(_padded(left, edges), kernel, kind, kind.stride, matmul, result)
    reach = [each * (size - 1) for each, size in zip(kind.dilation, kernel.shape[2:], strict=True)]
    edges = [
        (far - padding, far - padding + added)
        for far, padding, added in zip(reach, kind.padding, kind.added, strict=True)
    ]
    spread = _padded(_spread(left, kind.stride), edges)
    return _windowed(spread, _turned(kernel, kind.groups), kind, (1,) * len(reach), matmul, result)


def _windowed(
    left: Ring, kernel: Ring, kind: Convolution, stride: Shape, matmul: Matmul, result: Shape
) -> Ring:
    """The matrix product of every window with the kernel, one a group."""
    batch, out, *sizes = result
    groups, directions = kind.groups, len(stride)
    spans = [each * (size - 1) + 1 for each, size in zip(kind.dilation, kernel.shape[2:],
                                                         strict=True)]  # fmt: skip
    windows = sliding_window_view(left, spans, tuple(range(2, 2 + directions)))
    steps = tuple(slice(None, None, each) for each in stride)
    within = tuple(slice(None, None, each) for each in kind.dilation)
    windows = windows[(slice(None), slice(None), *steps, *within)]
    grouped = windows.reshape(batch, groups, -1, *windows.shape[2:])
    # batch, group, channel, places, within a window -> group, (batch, places), (channel, within)
    places = tuple(range(3, 3 + directions))
    inside = tuple(range(3 + directions, 3 + 2 * directions))
    rows = grouped.transpose(1, 0, *places, 2, *inside)
    columns = np.ascontiguousarray(rows).reshape(
        groups, batch * prod(sizes), prod(kernel.shape[1:])
    )
    weights = kernel.reshape(groups, out // groups, -1).transpose(0, 2, 1)
    product = matmul(columns, np.ascontiguousarray(weights))
    turned = product.reshape(groups, batch, *sizes, out // groups)
    turned = turned.transpose(1, 0, 2 + directions, *range(2, 2 + directions))
    return np.ascontiguousarray(turned).reshape(result)


def _padded(left: Ring, edges: Sequence[tuple[int, int]]) -> Ring:
    """Zeros before and after each direction; what is negative is cut off."""
    added = [(max(low, 0), max(high, 0)) for low, high in edges]
    whole = np.pad(left, [(0, 0), (0, 0), *added])
    cut = [
        slice(max(-low, 0), size - max(-high, 0))
        for (low, high), size in zip(edges, whole.shape[2:], strict=True)
    ]
    return whole[(slice(None), slice(None), *cut)]


def _spread(left: Ring, stride: Shape) -> Ring:
    """With ``stride`` - 1 zeros between neighbours."""
    sizes = [(size - 1) * step + 1 for size, step in zip(left.shape[2:], stride, strict=True)]
    result = np.zeros((*left.shape[:2], *sizes), np.uint64)
    result[(slice(None), slice(None), *(slice(None, None, step) for step in stride))] = left
    return result


def _turned(kernel: Ring, groups: int) -> Ring:
    """A transposed convolution's kernel as that of a plain one: mirrored, in and out exchanged."""
    channels, out, *size = kernel.shape
    parts = kernel.reshape(groups, channels // groups, out, *size).swapaxes(1, 2)
    mirrored = np.flip(parts, tuple(range(3, 3 + len(size))))
    return np.ascontiguousarray(mirrored).reshape(groups * out, channels // groups, *size)
