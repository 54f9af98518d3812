"""Ranges of CrypTen's tensors: what keeps products of fixed-point numbers from wrapping.

Nothing in a share tells its size, and a product that left (-2^62, 2^62) is some number. What a
program cannot prove of its inputs it checks by these before it multiplies them: at 16 bits after
the point, factors below 2^15 have products below 2^30, which fit. Whole numbers, entered at scale
1, have exact products up to 2^62.
"""

from __future__ import annotations

import math
from typing import Any

from mpc.backend.kernel import Kernel, arithmetic, bits_of, words_of, wrapped
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError
from mpc.protocols import choose
from mpc.protocols.compare import to_words
from mpc.protocols.functions.fixed import FRACTION_MAX

PRODUCT_BITS_MAX = 2 * FRACTION_MAX
"""After the point, of both factors together: leaves products below 2^14."""


def replace_ranging() -> None:
    """Give CrypTen's MPCTensor these two methods, for the rest of this process."""
    tensor = import_crypten().mpc.MPCTensor
    tensor.within, tensor.zeroed_outside = within, zeroed_outside


def within(self: Any, low: float, high: float) -> Any:
    """1 where the secret lies in [``low``, ``high``], else 0: exact for every word of the ring.

    Off the tape. Raises ContractError on ends that leave the ring. Opens: masked values alone, to
    all parties. Cost: 5 rounds, 199 bits an element to each peer, counting 64 at a time.
    """
    computation = Kernel.computation()
    kept = choose.inside(computation, words_of(self), *_ends(self, low, high))
    flags = to_words(computation, kept).reshape(*self.size())
    return wrapped(arithmetic(flags, 0))


def zeroed_outside(self: Any, low: float, high: float) -> Any:
    """The secret where it lies in [``low``, ``high``], else 0.

    Off the tape. Raises as :func:`within`. Opens: masked values alone, to all parties. Cost: 5
    rounds, 263 bits an element to each peer, counting 64 at a time.
    """
    ends = _ends(self, low, high)
    result = choose.zeroed_outside(Kernel.computation(), words_of(self), *ends)
    return wrapped(arithmetic(result, bits_of(self)))


def check_scales(own: int, others: int) -> None:
    """Raises SecretMisuseError if a product of these many bits after the point has no room."""
    if own + others > PRODUCT_BITS_MAX:
        raise SecretMisuseError(
            f"factors with {own} and {others} bits after the point leave no room for a product",
            hint=f"{PRODUCT_BITS_MAX} together at most; 16 each unless told otherwise",
        )


def _ends(self: Any, low: float, high: float) -> tuple[int, int]:
    """The words at or within both ends."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SecretMisuseError("a range has finite ends")
    scale = 1 << bits_of(self)
    return math.ceil(low * scale), math.floor(high * scale)
