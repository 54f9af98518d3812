"""CrypTen's comparisons and selections on the kernel (SECURITY.md, H14).

Comparisons give 0 or 1 at scale 1 and are exact while the difference stays in [-2^63, 2^63) in the
ring, that is |x - y| < 2^47 at 16 bits; among more than two, entries lie within 2^46 of each other.
Of equal entries the first one is the largest or the smallest. Nothing is turned into bits that
travel, so CrypTen's binary sharing is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mpc.backend.kernel import (
    Kernel,
    arithmetic,
    bits_of,
    words_of,
    words_to_tensor,
    wrapped,
)
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError
from mpc.protocols import choose
from mpc.protocols.choose import masked_by
from mpc.protocols.compare import negative, to_words, zero
from mpc.protocols.extremes import largest_entry
from mpc.protocols.shares import SharedBits, shared_public

_LOWEST = -(1 << 55)
"""What max_pool2d pads with, in the ring: below every entry, and within 2^62 of it."""


def replace_comparing() -> None:
    """Put the kernel's comparisons into CrypTen's MPCTensor, for the rest of this process."""
    crypten = import_crypten()
    tensor = crypten.mpc.MPCTensor
    tensor._ltz, tensor.eq, tensor.ne = below_zero, equal, unequal
    tensor.__eq__, tensor.__ne__ = equal, unequal
    tensor.relu, tensor.abs = relu, absolute
    tensor.where, crypten.where = where, _where_of
    tensor.argmax, tensor.argmin, tensor.max, tensor.min = argmax, argmin, largest, smallest
    tensor.max_pool2d = max_pool2d


def below_zero(self: Any) -> Any:
    """1 where the secret is below zero, else 0.

    Opens: masked values alone, to all parties. Cost: 4 rounds, 99 bits an element to each peer.
    """
    return _flags(self, negative(Kernel.computation(), words_of(self)))


def equal(self: Any, y: Any) -> Any:
    """1 where the secret is ``y``, else 0. Opens: masked values alone. Cost: 4 rounds, 85 bits."""
    difference = _detached(self) - y
    return _flags(difference, zero(Kernel.computation(), words_of(difference)))


def unequal(self: Any, y: Any) -> Any:
    """As :func:`equal`, turned."""
    return 1 - equal(self, y)


def relu(self: Any) -> Any:
    """The secret where it is above zero, else 0. Opens: masked values. Cost: 4 rounds, 163 bits."""
    result = choose.relu(Kernel.computation(), words_of(self))
    return wrapped(arithmetic(result, bits_of(self)))


def relu_and_mask(self: Any) -> tuple[Any, Any]:
    """:func:`relu`, and 1 where the secret is above zero. Cost: 4 rounds, 227 bits an element."""
    computation, secret = Kernel.computation(), words_of(self)
    kept = negative(computation, -secret)
    ones = shared_public(np.ones(secret.size, np.uint64), computation.place)
    values, mask = masked_by(computation, kept, [secret.reshape(-1), ones])
    return (
        wrapped(arithmetic(values.reshape(*secret.shape), bits_of(self))),
        wrapped(arithmetic(mask.reshape(*secret.shape), 0)),
    )


def absolute(self: Any) -> Any:
    """The secret without its sign. Opens: masked values alone. Cost: 4 rounds, 163 bits."""
    computation, secret = Kernel.computation(), words_of(self)
    (below,) = masked_by(computation, negative(computation, secret), [secret.reshape(-1)])
    return wrapped(arithmetic(secret - below.reshape(*secret.shape).times(2), bits_of(self)))


def where(self: Any, condition: Any, y: Any) -> Any:
    """``self`` where ``condition`` is 1, ``y`` where it is 0; public or shared.

    Opens: of a shared condition, it and the difference under fresh masks, to all parties. Cost: 1
    round and 16 bytes an element; nothing for a public one.
    """
    if torch.is_tensor(condition):
        mask = condition.long()
        return self * mask + y * (1 - mask)
    return (self - y) * condition + y


def argmax(self: Any, dim: Any = None, keepdim: bool = False, one_hot: bool = True) -> Any:
    """Where the largest entry is, as 1 among 0 or as its index.

    Opens: masked values alone, to all parties. Cost: :func:`mpc.protocols.extremes.largest_entry`.
    """
    marks, _ = _largest(self, dim)
    return marks if one_hot else _index(marks, dim, keepdim)


def argmin(self: Any, dim: Any = None, keepdim: bool = False, one_hot: bool = True) -> Any:
    """As :func:`argmax`, of the smallest."""
    return argmax(-_detached(self), dim, keepdim, one_hot)


def largest(self: Any, dim: Any = None, keepdim: bool = False, one_hot: bool = True) -> Any:
    """The largest entry; along ``dim`` also where it is, as :func:`argmax`. Opens and costs so."""
    marks, top = _largest(self, dim)
    if dim is None:
        return top
    top = top.unsqueeze(dim) if keepdim and self.dim() else top
    return top, marks if one_hot else _index(marks, dim, keepdim)


def smallest(self: Any, dim: Any = None, keepdim: bool = False, one_hot: bool = True) -> Any:
    """As :func:`largest`, of the smallest."""
    result = largest(-_detached(self), dim, keepdim, one_hot)
    return -result if dim is None else (-result[0], result[1])


def max_pool2d(
    self: Any, kernel_size: Any, padding: Any = 0, stride: Any = None, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest entry of each window, and with ``return_indices`` where it is, as 1 among 0.

    The padding lies below every entry. Opens and costs: as :func:`argmax`.
    """
    pooling = import_crypten().common.functions.pooling
    windows, size = pooling._pool2d_reshape(
        self.share, kernel_size, padding=padding, stride=stride, dilation=dilation,
        ceil_mode=ceil_mode, pad_value=0 if Kernel.computation().place else _LOWEST,
    )  # fmt: skip
    tops, marks = largest(wrapped(arithmetic(windows, bits_of(self))), -1)
    if not return_indices:
        return tops.view(size)
    sides = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    return tops.view(size), marks.view(size + sides)


def _where_of(condition: Any, one: Any, other: Any) -> Any:
    """crypten.where: ``one`` where ``condition`` is 1, ``other`` where it is 0."""
    if torch.is_tensor(condition):
        mask = condition.long()
        return one * mask + other * (1 - mask)
    return condition * (one - other) + other


def _flags(like: Any, bits: SharedBits) -> Any:
    words = to_words(Kernel.computation(), bits)
    return wrapped(arithmetic(words_to_tensor(words).reshape(tuple(like.size())), 0))


def _detached(tensor: Any) -> Any:
    """The same shares, off the tape: comparisons have no gradient."""
    result = wrapped(tensor._tensor)
    result.requires_grad = False
    return result


def _largest(self: Any, dim: Any) -> tuple[Any, Any]:
    """One-hot along ``dim`` (None: of all), and the entries it marks."""
    share, bits = self.share, bits_of(self)
    axis = dim if dim is not None and share.dim() else None
    rows = share.reshape(1, -1) if axis is None else share.movedim(axis, -1)
    if rows.shape[-1] == 0:
        raise SecretMisuseError("nothing is the largest of no entries")
    lines = rows.reshape(-1, rows.shape[-1])
    marks, tops = largest_entry(Kernel.computation(), words_of(arithmetic(lines, bits)))
    flags = words_to_tensor(marks).reshape(rows.shape)
    flags = flags.reshape(share.shape) if axis is None else flags.movedim(-1, axis)
    top = words_to_tensor(tops).reshape(_outer(rows.shape, axis))
    return wrapped(arithmetic(flags.contiguous(), 0)), wrapped(arithmetic(top, bits))


def _outer(shape: Sequence[int], axis: int | None) -> tuple[int, ...]:
    return () if axis is None else tuple(shape[:-1])


def _index(marks: Any, dim: Any, keepdim: bool) -> Any:
    maximum = import_crypten().common.functions.maximum
    return maximum._one_hot_to_index(marks, dim, keepdim, marks.device)
