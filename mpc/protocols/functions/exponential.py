"""The exponential of a shared number, in 4 rounds.

With c = x + r opened, exp(c - r) is exp(c) times the dealt exp(-r), but for the wrap: split both in
segments 2 wide and rests, x is (segment of c - segment of r) + (rest of c - rest of r). The dealer
puts exp(-rest of r) at the place of r's segment in a table of zeros, and the public factor of each
place is exp(rest of c) times that of the segment. Which of two neighbouring segments x lies in does
not matter, since the rests' difference is between -2 and 2.
"""

from __future__ import annotations

import numpy as np

from mpc.dealing.functions import SEGMENT_BITS, Exponentials
from mpc.errors import ContractError
from mpc.protocols.functions.clamped import Ends, clamped
from mpc.protocols.functions.fixed import FRACTION, Domain, everything, in_blocks
from mpc.protocols.opening import Computation, Masked
from mpc.protocols.shares import SharedWords
from mpc.ring.elementary import exponential, power_of_e
from mpc.ring.planes import Ring

END = 16
"""Where it saturates unless told otherwise: e^16 is 8.9 million."""
_WIDTH = 1 << SEGMENT_BITS
_SCALE_MAX = 28
_BLOCK = 8192


def exp(
    computation: Computation, secret: SharedWords, fraction: int = FRACTION, end: int = END
) -> SharedWords:
    """e^x; e^``end`` for any x above the even ``end``, and 0 where it is below half a unit.

    Domain: everything; :func:`saturation` says where it is not constant. Error: 2 units in the last
    place (half of one the public factor's rounding, one truncation) and 1e-6 of the result at the
    default end: 3.7 / 2^s, since exp(-rest) is at least e^-2 and rounded to s bits, here 22; s is
    what e^end leaves of 62 bits. Raises ContractError where it leaves less than 16.
    Opens: masked values alone, to all parties. Cost: 4 rounds; 28.75 bytes an element (230 bits).
    """
    return exp_scaled(computation, secret, fraction, end, fraction)


def exp_scaled(
    computation: Computation, secret: SharedWords, fraction: int, end: int | None, result: int
) -> SharedWords:
    """:func:`exp` with ``result`` fractional bits. ``end`` None: of secrets proved not above 0.

    Without an end: 195 bits an element.
    """
    top = end or 0
    low, scale = _lowest(result), _scale(top, result)

    def program(c: Computation, x: SharedWords) -> SharedWords:
        table = _Segments(c, x, fraction, (low, top), (result, scale))
        limit = None if end is None else end << fraction
        above = 0 if end is None else round(power_of_e(end, result))
        return clamped(c, x, Ends(low << fraction, limit, above=above), table, scale)

    return in_blocks(computation, secret, fraction, program)


def domain(fraction: int = FRACTION) -> Domain:
    """Whatever fits, since it saturates."""
    return everything(fraction)


def saturation(fraction: int = FRACTION, end: int = END) -> Domain:
    """Between what ends the result is e^x, not 0 or e^``end``."""
    return Domain(_lowest(fraction), end)


class _Segments:
    """The exponential between two even ends, at scale ``result`` + ``scale``, around one opening.

    It is below e^top 2^(result + scale) < 2^62 there.
    """

    def __init__(
        self, computation: Computation, secret: SharedWords, fraction: int,
        ends: tuple[int, int], scales: tuple[int, int],
    ) -> None:  # fmt: skip
        low, top = ends
        count = (top - low) // _WIDTH + 1  # the highest one for a secret at the end, or beside it
        key_bits = (count - 1).bit_length()
        self._width = fraction + SEGMENT_BITS
        self._fraction = fraction
        result, scale = scales
        segments = np.arange(1 << key_bits)
        first = low // _WIDTH
        # The segment of the number 0 is 0, of a negative one the last: as the ring wraps.
        exponents = _WIDTH * ((segments - first) % len(segments) + first)
        self._powers = np.array([power_of_e(int(each), result) for each in exponents])
        dealt = computation.draw(Exponentials(secret.size, fraction, key_bits, scale))
        (mask,), (self._dealt,) = dealt.masks, dealt.derived
        self.masked: Masked = mask.hide(secret, self._width + key_bits)

    def given(self, opened: Ring) -> SharedWords:
        total = np.zeros(opened.size, np.uint64)
        for start in range(0, opened.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            self._add(total[part], opened[part], self._dealt[:, part])
        return SharedWords(total)

    def _add(self, total: Ring, opened: Ring, dealt: Ring) -> None:
        rest = exponential(opened & np.uint64((1 << self._width) - 1), self._fraction)
        segment = opened >> np.uint64(self._width)
        last = np.uint64(len(self._powers) - 1)
        for at, share in enumerate(dealt):
            factor = self._powers[(segment - np.uint64(at)) & last] * rest
            total += np.rint(factor).astype(np.int64).view(np.uint64) * share


def _lowest(result: int) -> int:
    """An even number below which e^x is less than half a unit: ln 2 is below 7 / 10."""
    return -_WIDTH * (-(-(7 * (result + 1)) // (10 * _WIDTH)))


def _scale(top: int, result: int) -> int:
    """Fractional bits for what is dealt, so that e^top with them is below 2^62: log2 e < 1.443."""
    if top < 0 or top % _WIDTH:
        raise ContractError("an exponential ends at an even number, 0 or above")
    scale = min(_SCALE_MAX, 62 - result - -(-(1443 * top) // 1000))
    if scale < 16:
        raise ContractError(f"an exponential with {result} fractional bits ends before {top}")
    return scale
