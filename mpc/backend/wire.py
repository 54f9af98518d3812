"""Ring words and sizes as bytes: what travels between parties, and nothing else does.

Words are little-endian int64 in C order, whatever the strides of the tensor (H16); sizes, integers
and None have a fixed form. Nothing is pickled (H6).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mpc.errors import IntegrityError, SecretMisuseError

WORD_BYTES = 8
ELEMENTS_MAX = 1 << 28  # of a size that a peer announces
DIMENSIONS_MAX = 64
OBJECT_BYTES_MAX = 1 + WORD_BYTES * DIMENSIONS_MAX
_NONE, _INTEGER, _SIZE = b"N", b"I", b"S"

Words = NDArray[np.int64]


def object_to_bytes(obj: Any) -> bytes:
    """None, an int64 or a size of at most 64 dimensions; SecretMisuseError on all else."""
    if obj is None:
        return _NONE
    if type(obj) is int and -(1 << 63) <= obj < 1 << 63:
        return _INTEGER + struct.pack("<q", obj)
    if type(obj) in (torch.Size, tuple) and len(obj) <= DIMENSIONS_MAX:
        return _SIZE + struct.pack(f"<{len(obj)}q", *obj)
    raise SecretMisuseError(f"{type(obj).__name__} is not sent to peers: tensors and sizes are")


def object_from_bytes(data: bytes) -> torch.Size | int | None:
    """What :func:`object_to_bytes` wrote. Raises IntegrityError on anything else."""
    kind, body = data[:1], data[1:]
    if data == _NONE:
        return None
    if kind == _INTEGER and len(body) == WORD_BYTES:
        (number,) = struct.unpack("<q", body)
        return int(number)
    if kind == _SIZE and len(body) % WORD_BYTES == 0 and len(body) < OBJECT_BYTES_MAX:
        size = struct.unpack(f"<{len(body) // WORD_BYTES}q", body)
        if all(0 <= each <= ELEMENTS_MAX for each in size) and prod(size) <= ELEMENTS_MAX:
            return torch.Size(size)
    raise IntegrityError("sent a size that is none or too large")


def check_words(tensor: Any) -> None:
    if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.int64:
        raise SecretMisuseError("only int64 ring words travel between parties")
    check_device(tensor.device)


def check_device(device: Any) -> None:
    if device is not None and torch.device(device).type != "cpu":
        raise SecretMisuseError("shares live in main memory alone")


def shapes_of(tensors: Sequence[torch.Tensor]) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]


def to_bytes(tensors: Sequence[torch.Tensor]) -> bytes:
    """Little-endian words in C order, whatever the strides are."""
    for tensor in tensors:
        check_words(tensor)
    return b"".join(
        tensor.detach().contiguous().numpy().astype("<i8", copy=False).tobytes()
        for tensor in tensors
    )


def from_bytes(data: bytes, shape: Sequence[int]) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(data, "<i8").astype(np.int64)).reshape(tuple(shape))


def split(data: bytes, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    parts, start = [], 0
    for tensor in like:
        end = start + tensor.numel() * WORD_BYTES
        parts.append(from_bytes(data[start:end], tensor.shape))
        start = end
    return parts
