"""The protocol kernel under CrypTen's shared tensors: which computation they run on.

CrypTen's state is global, and so is this: one computation a process, put in force by
:func:`mpc.backend.hardened.bind`, or for the length of a rehearsal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch

from mpc.backend.products import TorchProducts
from mpc.backend.shim import import_crypten
from mpc.dealing.recipe import Dealt, Recipe
from mpc.errors import SecretMisuseError
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords

PRODUCTS = TorchProducts()


class NoSupply:
    """:class:`mpc.dealing.supply.Supply` of a session without a dealer: refuses every recipe."""

    def take(self, recipe: Recipe) -> Dealt:
        raise SecretMisuseError(
            f"{recipe}: a linear study has no correlated randomness",
            hint="products, comparisons and truncation of shares need a dealer",
        )


class Kernel:
    """The computation in force."""

    _in_force: ClassVar[Computation | None] = None

    @classmethod
    def computation(cls) -> Computation:
        """Raises SecretMisuseError without a session."""
        if cls._in_force is None:
            raise SecretMisuseError("CrypTen has no session in this process")
        return cls._in_force

    @classmethod
    def use(cls, computation: Computation) -> None:
        """Put ``computation`` in force for the rest of the process."""
        cls._in_force = computation

    @classmethod
    @contextmanager
    def during(cls, computation: Computation) -> Iterator[None]:
        """Put ``computation`` in force for a while."""
        former, cls._in_force = cls._in_force, computation
        try:
            yield
        finally:
            cls._in_force = former


def words_of(shared: Any) -> SharedWords:
    """The share of a CrypTen tensor, in C order whatever its strides are (H16)."""
    return SharedWords(shared.share.detach().contiguous().numpy().view(np.uint64))


def words_to_tensor(words: SharedWords) -> torch.Tensor:
    """A share as CrypTen keeps it."""
    return torch.from_numpy(np.ascontiguousarray(words._words).reshape(words.shape).view(np.int64))


def bits_of(shared: Any) -> int:
    """How many bits of a CrypTen tensor stand after the point: 0 at scale 1."""
    scale: int = shared.encoder.scale
    return scale.bit_length() - 1


def arithmetic(share: torch.Tensor | SharedWords, bits: int) -> Any:
    """CrypTen's arithmetic tensor of this share, at scale 2^``bits``."""
    shared = import_crypten().mpc.primitives.ArithmeticSharedTensor
    tensor = words_to_tensor(share) if isinstance(share, SharedWords) else share
    return shared.from_shares(tensor, precision=bits)


def wrapped(shared: Any) -> Any:
    """CrypTen's tensor for autograd around an arithmetic one. Draws no mask, as its own does."""
    crypten = import_crypten()
    result = object.__new__(crypten.mpc.MPCTensor)
    crypten.CrypTensor.__init__(result)
    result._tensor = shared
    result.ptype = crypten.mpc.arithmetic
    return result
