"""Convolutions of Python's integers by their definition, one place of the kernel after another."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.ring.convolution import Convolution

Integers = NDArray[np.object_]


def drawn_convolution(rng: np.random.Generator) -> Convolution:
    """Any convolution, plain or transposed, in one or two directions."""
    directions = int(rng.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(number) for number in rng.integers(low, high, directions))

    transposed = bool(rng.integers(0, 2))
    stride = each(1, 4)
    added = tuple(int(rng.integers(0, step)) for step in stride) if transposed else ()
    return Convolution(
        stride, each(0, 3), each(1, 3), int(rng.integers(1, 3)), transposed,
        added if any(added) else (),
    )  # fmt: skip


def kernel_shape(rng: np.random.Generator, kind: Convolution) -> tuple[int, ...]:
    """A kernel for inputs of at least 7 in each direction."""
    outer, inner = (int(each) for each in rng.integers(1, 4, 2))
    size = (int(each) for each in rng.integers(1, 4, len(kind.stride)))
    return (outer * kind.groups, inner, *size)


def convolved(kind: Convolution, left: Integers, kernel: Integers) -> Integers:
    """As torch defines it: of a plain one, out[o] takes left[o stride - padding + k dilation]
    kernel[k]; of a transposed one, left[i] kernel[k] goes to out[i stride - padding + k dilation].
    """
    shape = kind.shape(left.shape, kernel.shape)
    result: Any = np.zeros(shape, object)
    sizes = left.shape[2:] if kind.transposed else shape[2:]
    far = shape[2:] if kind.transposed else left.shape[2:]
    for at in product(*(range(size) for size in sizes)):
        for k in product(*(range(size) for size in kernel.shape[2:])):
            there = tuple(
                place * step - padding + offset * dilation
                for place, step, padding, offset, dilation in zip(
                    at, kind.stride, kind.padding, k, kind.dilation, strict=True
                )
            )
            if all(0 <= place < size for place, size in zip(there, far, strict=True)):
                _add(result, left, kernel, kind, (at, k, there))
    return result


def _add(
    result: Integers, left: Integers, kernel: Integers, kind: Convolution,
    places: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> None:  # fmt: skip
    at, k, there = places
    here, to = (at, there) if kind.transposed else (there, at)
    groups = kind.groups
    weights = kernel[(slice(None), slice(None), *k)]
    inputs, outputs = left.shape[1] // groups, result.shape[1] // groups
    for group in range(groups):
        own = slice(group * inputs, (group + 1) * inputs)
        into = slice(group * outputs, (group + 1) * outputs)
        factor = weights[own] if kind.transposed else weights[into].T
        result[(slice(None), into, *to)] += left[(slice(None), own, *here)] @ factor
