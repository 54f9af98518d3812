"""Fixed-point numbers: a shared integer that stands for itself / 2^fraction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mpc.errors import ContractError
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords

FRACTION = 16
"""Fractional bits unless told otherwise, as in CrypTen."""
FRACTION_MIN, FRACTION_MAX = 8, 24
BLOCK_ELEMENTS = 1 << 17
"""Elements that a function works on at once: it holds up to 1.5 kB for each."""


@dataclass(frozen=True)
class Domain:
    """Real numbers from ``low`` to ``high``, both included, for which a function is right."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ContractError("a domain ends above where it begins")

    def covers(self, low: float, high: float) -> bool:
        """Whether numbers proved to lie in [``low``, ``high``] are all in it."""
        return self.low <= low and high <= self.high


def everything(fraction: int) -> Domain:
    """What fits in (-2^62, 2^62): the domain of a function that is clamped by definition."""
    return Domain(-(2.0 ** (62 - fraction)), 2.0 ** (62 - fraction))


def in_blocks(
    computation: Computation,
    secret: SharedWords,
    fraction: int,
    program: Callable[[Computation, SharedWords], SharedWords],
) -> SharedWords:
    """``program`` on at most 2^17 elements at a time, so that memory is bounded; of its shape.

    Raises ContractError on a ``fraction`` that functions do not work with. Opens: what the program
    does. Cost: the program's, its rounds again for every further 2^17 elements.
    """
    if not FRACTION_MIN <= fraction <= FRACTION_MAX:
        raise ContractError(f"functions take {FRACTION_MIN} to {FRACTION_MAX} fractional bits")
    flat = secret.reshape(-1)
    starts = range(0, max(1, flat.size), BLOCK_ELEMENTS)
    parts = [program(computation, flat[start : start + BLOCK_ELEMENTS]) for start in starts]
    words = parts[0]._words if len(parts) == 1 else np.concatenate([part._words for part in parts])
    return SharedWords(words.reshape(secret.shape))
