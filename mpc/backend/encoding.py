"""Numbers into ring words and back, exactly or not at all (SECURITY.md, H7).

CrypTen as shipped decodes negatives wrongly and in float32, encodes by cutting off, turns NaN and
infinity into numbers and rounds integers above 2^24. Here: round to nearest, float64, every value
inside (-2^62, 2^62) or refused.
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
_EXACT_MAX = 1 << 53
"""Up to which float64 holds every integer."""


def replace_encoder() -> None:
    """Put exact encoding into CrypTen, for the rest of this process."""
    crypten = import_crypten()
    encoder = crypten.encoder.FixedPointEncoder
    encoder.encode = encode
    encoder.decode = decode
    shared = crypten.mpc.primitives.arithmetic.ArithmeticSharedTensor
    shared.__init__ = _of_exact_integers(shared.__init__)


def encode(encoder: Any, x: Any, device: Any = None) -> Any:
    """``x`` times the scale, rounded to nearest (ties to even), as int64 words.

    Whole 64-bit words pass at scale 1. Raises SecretMisuseError, with no value in it, on what is
    not finite or leaves (-2^62, 2^62).
    """
    if isinstance(x, import_crypten().CrypTensor):
        return x
    words = encode_at(as_tensor(x), encoder.scale.bit_length() - 1)
    return words.to(device) if device is not None else words


def encode_at(tensor: torch.Tensor, bits: int) -> torch.Tensor:
    """A public tensor at scale 2^``bits``, as :func:`encode`."""
    scale = 1 << bits
    if tensor.dtype in _INTEGERS:
        words = tensor.long()
        if bits == 0:
            return words
        limit = (RANGE_MAX - 1) // scale
        if bool(((words > limit) | (words < -limit)).any()):
            raise SecretMisuseError("an integer would leave (-2^62, 2^62) in the ring")
        return words * scale
    if tensor.dtype not in _FLOATS:
        raise SecretMisuseError(f"{tensor.dtype} does not enter the ring")
    scaled = tensor.detach().double() * scale
    if not bool((scaled.abs() < float(RANGE_MAX)).all()):  # false for NaN as well
        raise SecretMisuseError("a number is not finite or leaves (-2^62, 2^62) in the ring")
    return scaled.round().long()


def whole_numbers(tensor: torch.Tensor) -> torch.Tensor | None:
    """The integers that a public tensor holds; None if one of them has a fraction."""
    if tensor.dtype in _INTEGERS:
        return tensor.long()
    if tensor.dtype not in _FLOATS:
        raise SecretMisuseError(f"{tensor.dtype} does not enter the ring")
    values = tensor.detach().double()
    whole = (values == values.round()) & (values.abs() <= _EXACT_MAX)
    return values.long() if bool(whole.all()) else None


def decode(encoder: Any, tensor: Any) -> Any:
    """Words divided by the scale in float64, nearest value; at scale 1 the integers themselves."""
    if tensor is None:
        return None
    if tensor.dtype != torch.int64:
        raise SecretMisuseError("only int64 words are decoded")
    return tensor if encoder.scale == 1 else tensor.double() / encoder.scale


def as_tensor(x: Any) -> torch.Tensor:
    """A public number, list or array as a tensor of its own kind of numbers."""
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
                if bool(((tensor.long() > _EXACT_MAX) | (tensor.long() < -_EXACT_MAX)).any()):
                    raise SecretMisuseError("an integer would leave (-2^62, 2^62) in the ring")
                tensor = tensor.double()
        original(self, tensor, *args, **named)

    return construct
