"""Numbers into ring words and back, exactly or not at all (SECURITY.md, H7 and H16).

CrypTen as shipped decodes negatives wrongly and in float32, encodes by cutting off, turns NaN and
infinity into numbers and rounds integers above 2^24. Here: round to nearest, float64, every value
inside (-2^62, 2^62) or refused; and shares of different scales are never joined.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch

from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError
from mpc.ring.words import RANGE_MAX

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_FLOATS = (torch.float16, torch.float32, torch.float64)
_JOINING = ("__setitem__", "scatter_", "scatter_add_", "index_add_", "pad")
"""Methods of a shared tensor that take another one's words as they are."""


def replace_encoder() -> None:
    """Put exact encoding and the scale checks into CrypTen, for the rest of this process."""
    crypten = import_crypten()
    encoder = crypten.encoder.FixedPointEncoder
    encoder.encode = encode
    encoder.decode = decode
    shared = crypten.mpc.primitives.arithmetic.ArithmeticSharedTensor
    shared.__init__ = _of_exact_integers(shared.__init__)
    shared._arithmetic_function = _sparing_its_operand(shared._arithmetic_function, shared)
    shared.cat = staticmethod(_of_one_scale(shared.cat))
    shared.stack = staticmethod(_of_one_scale(shared.stack))
    for name in _JOINING:
        setattr(shared, name, _with_one_scale(getattr(shared, name), shared))


def encode(encoder: Any, x: Any, device: Any = None) -> Any:
    """``x`` times the scale, rounded to nearest (ties to even), as int64 words.

    Whole 64-bit words pass at scale 1. Raises SecretMisuseError, with no value in it, on what is
    not finite or leaves (-2^62, 2^62).
    """
    if isinstance(x, import_crypten().CrypTensor):
        return x
    scale: int = encoder.scale
    tensor = _as_tensor(x)
    if tensor.dtype in _INTEGERS:
        words = tensor.long()
        if scale == 1:
            return words.to(device) if device is not None else words
        limit = (RANGE_MAX - 1) // scale
        if bool(((words > limit) | (words < -limit)).any()):
            raise SecretMisuseError("an integer would leave (-2^62, 2^62) in the ring")
        words = words * scale
    elif tensor.dtype in _FLOATS:
        scaled = tensor.double() * scale
        if not bool((scaled.abs() < float(RANGE_MAX)).all()):  # false for NaN as well
            raise SecretMisuseError("a number is not finite or leaves (-2^62, 2^62) in the ring")
        words = scaled.round().long()
    else:
        raise SecretMisuseError(f"{tensor.dtype} does not enter the ring")
    return words.to(device) if device is not None else words


def decode(encoder: Any, tensor: Any) -> Any:
    """Words divided by the scale in float64, nearest value; at scale 1 the integers themselves."""
    if tensor is None:
        return None
    if tensor.dtype != torch.int64:
        raise SecretMisuseError("only int64 words are decoded")
    return tensor if encoder.scale == 1 else tensor.double() / encoder.scale


def _as_tensor(x: Any) -> torch.Tensor:
    if isinstance(x, bool):
        raise SecretMisuseError("a truth value does not enter the ring")
    if isinstance(x, int) and not -(1 << 63) <= x < 1 << 63:
        raise SecretMisuseError("an integer would leave the ring")
    if isinstance(x, torch.Tensor):
        return x
    if isinstance(x, int | float):
        return torch.tensor(x, dtype=torch.int64 if isinstance(x, int) else torch.float64)
    if isinstance(x, list):
        return torch.from_numpy(np.array(x))
    if isinstance(x, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(x))
    raise SecretMisuseError(f"{type(x).__name__} does not enter the ring")


def _of_exact_integers(original: Callable[..., None]) -> Callable[..., None]:
    """The constructor casts integers to float32 unless they are at scale 1; float64 loses none."""

    @wraps(original)
    def construct(self: Any, tensor: Any = None, *args: Any, **named: Any) -> None:
        if isinstance(tensor, torch.Tensor) and tensor.dtype in _INTEGERS:
            precision = named.get("precision", args[2] if len(args) > 2 else None)
            if precision != 0:
                limit = 1 << 53
                if bool(((tensor.long() > limit) | (tensor.long() < -limit)).any()):
                    raise SecretMisuseError("an integer would leave (-2^62, 2^62) in the ring")
                tensor = tensor.double()
        original(self, tensor, *args, **named)

    return construct


def _sparing_its_operand(original: Callable[..., Any], shared: Any) -> Callable[..., Any]:
    """Adding re-encodes an operand of a smaller scale in place: give it a copy."""

    @wraps(original)
    def compute(self: Any, y: Any, op: str, *args: Any, **named: Any) -> Any:
        if isinstance(y, shared) and y.encoder.scale != self.encoder.scale:
            y = y.clone()
        return original(self, y, op, *args, **named)

    return compute


def _check_scales(tensors: Any) -> None:
    scales = {tensor.encoder.scale for tensor in tensors if hasattr(tensor, "encoder")}
    if len(scales) > 1:
        raise SecretMisuseError("shares of different scales are not joined")


def _of_one_scale(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def join(tensors: Any, *args: Any, **named: Any) -> Any:
        _check_scales(tensors)
        return original(tensors, *args, **named)

    return join


def _with_one_scale(original: Callable[..., Any], shared: Any) -> Callable[..., Any]:
    @wraps(original)
    def join(self: Any, *args: Any, **named: Any) -> Any:
        given = [each for each in (*args, *named.values()) if isinstance(each, shared)]
        _check_scales([self, *given])
        return original(self, *args, **named)

    return join
