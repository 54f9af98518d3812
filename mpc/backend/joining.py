"""Joining shares of different scales: exactly, or not at all (SECURITY.md, H16).

As shipped CrypTen puts words of different scales side by side, so that a comparison's 1 becomes
1/65536. Here a new tensor takes the largest scale of its parts, which is exact; what is written
into a tensor takes that one's scale, and is refused if it has a larger one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch

from mpc.backend.arithmetic import at_bits, public_share
from mpc.backend.encoding import as_tensor, encode_at
from mpc.backend.kernel import arithmetic, bits_of, wrapped
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError

_WRITING = ("__setitem__", "scatter_", "scatter_add_", "index_add_", "pad")
"""Methods of a shared tensor that take another one's words as they are."""


def replace_joining() -> None:
    """Put joining that keeps scales into CrypTen, for the rest of this process."""
    crypten = import_crypten()
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    for name in _WRITING:
        setattr(shared, name, _at_own_scale(getattr(shared, name), shared))
    shared.cat = staticmethod(_joining(torch.cat))
    shared.stack = staticmethod(_joining(torch.stack))
    tensor = crypten.mpc.MPCTensor
    tensor.cat = staticmethod(_wrapped_joining(torch.cat))
    tensor.stack = staticmethod(_wrapped_joining(torch.stack))
    tensor.__setitem__ = _write
    crypten.cat = _cat_of(crypten.cat, crypten)


def _joined(join: Callable[..., torch.Tensor], tensors: Sequence[Any], dim: int) -> Any:
    """Shares, and public tensors among them, at the largest scale of the shares."""
    bits = max((bits_of(each) for each in tensors if hasattr(each, "encoder")), default=0)
    parts = [
        at_bits(each, bits).share
        if hasattr(each, "encoder")
        else public_share(encode_at(as_tensor(each), bits))
        for each in tensors
    ]
    return arithmetic(join(parts, dim=dim), bits)


def _joining(join: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    def joined(tensors: Sequence[Any], dim: int = 0) -> Any:
        return _joined(join, tensors, dim)

    return joined


def _wrapped_joining(join: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    def joined(tensors: Sequence[Any], dim: int = 0) -> Any:
        inner = [getattr(each, "_tensor", each) for each in tensors]
        return wrapped(_joined(join, inner, dim))

    return joined


def _at_own_scale(original: Callable[..., Any], shared: Any) -> Callable[..., Any]:
    """Re-encode other shares, and a public tensor that is written, to the scale of ``self``."""

    @wraps(original)
    def write(self: Any, *args: Any, **named: Any) -> Any:
        bits = bits_of(self)

        def taken(other: Any) -> Any:
            if not isinstance(other, shared):
                return other
            if bits_of(other) > bits:
                raise SecretMisuseError("shares of different scales are not joined")
            return at_bits(other, bits)

        given = [taken(each) for each in args]
        if original.__name__ in ("__setitem__", "scatter_") and not isinstance(given[-1], shared):
            words = encode_at(as_tensor(given[-1]), bits)
            given[-1] = arithmetic(public_share(words), bits)
        return original(self, *given, **{name: taken(each) for name, each in named.items()})

    return write


def _write(self: Any, index: Any, value: Any) -> None:
    """Set elements by public places; public values are encoded at the tensor's own scale."""
    self._tensor[index] = getattr(value, "_tensor", value)


def _cat_of(original: Callable[..., Any], crypten: Any) -> Callable[..., Any]:
    """As shipped it forgets along which dimension public tensors are joined."""

    @wraps(original)
    def cat(tensors: Any, dim: int = 0) -> Any:
        if isinstance(tensors, list) and all(torch.is_tensor(each) for each in tensors):
            return torch.cat(tensors, dim=dim)
        return original(tensors, dim=dim)

    return cat
