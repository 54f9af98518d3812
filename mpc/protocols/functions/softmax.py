"""Softmax of rows of shared numbers: exponentials of what is below each row's largest, divided."""

from __future__ import annotations

from mpc.errors import ContractError
from mpc.protocols.choose import largest, maximum
from mpc.protocols.functions.division import reciprocal
from mpc.protocols.functions.exponential import exp_scaled
from mpc.protocols.functions.fixed import FRACTION, Domain
from mpc.protocols.functions.logarithm import log
from mpc.protocols.multiply import multiply
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords, stacked
from mpc.protocols.truncate import truncate

ENTRIES_MAX = 1 << 12
_AT_ONCE = 16
"""Entries whose largest is found by comparing all pairs."""
_WEIGHT = 24
"""Fractional bits of weights and of their sum's reciprocal."""


def domain(fraction: int = FRACTION) -> Domain:
    """Entries whose differences lie within 2^62 units."""
    return Domain(-(2.0 ** (61 - fraction)), 2.0 ** (61 - fraction))


def softmax(computation: Computation, secret: SharedWords, fraction: int = FRACTION) -> SharedWords:
    """exp(x) / the sum of it over each row of a (rows, entries) secret, 2 to 4,096 entries.

    Domain: :func:`domain`. Error: 3e-6 and one unit in the last place for each entry: weights have
    24 fractional bits, their sum is at least 1, its reciprocal is within 1.5e-6. Of a row's sum:
    3e-6 and one unit for each entry. Opens: masked values alone, to all parties. Cost for 10
    entries: 21 rounds, 1,200.625 bytes a row; 4 rounds more for each halving of entries above 16.
    """
    rows, entries = secret.shape
    _, weights = _weighed(computation, secret, fraction)
    inverse = reciprocal(computation, weights.sum(axis=1), _WEIGHT, Domain(1, entries))
    # At most 1 each but for their rounding, so 2^48 before the truncation.
    shared = multiply(computation, weights, inverse.reshape(rows, 1))
    return truncate(computation, shared, 2 * _WEIGHT - fraction)


def log_softmax(
    computation: Computation, secret: SharedWords, fraction: int = FRACTION
) -> SharedWords:
    """The logarithm of :func:`softmax`: x, less the largest of its row, less log of the row's sum.

    Domain, entries and openings as :func:`softmax`. Error: two units in the last place and 3e-6,
    for a row of at most 100 entries. Cost for 10 entries: 18 rounds, 1,016.625 bytes a row.
    """
    rows, entries = secret.shape
    under, weights = _weighed(computation, secret, fraction)
    whole = log(computation, weights.sum(axis=1), _WEIGHT, Domain(1, entries))
    return under - truncate(computation, whole.reshape(rows, 1), _WEIGHT - fraction)


def _weighed(
    computation: Computation, table: SharedWords, fraction: int
) -> tuple[SharedWords, SharedWords]:
    """Entries less the largest of their row, and exp of that."""
    if not 2 <= table.shape[1] <= ENTRIES_MAX:
        raise ContractError(f"softmax takes 2 to {ENTRIES_MAX} entries a row")
    under = table - _row_largest(computation, table)
    return under, exp_scaled(computation, under, fraction, None, _WEIGHT)


def _row_largest(computation: Computation, table: SharedWords) -> SharedWords:
    """(rows, 1). Halves of a row are compared entry by entry until few are left."""
    while table.shape[1] > _AT_ONCE:
        half = table.shape[1] // 2
        larger = maximum(computation, table[:, :half], table[:, half : 2 * half])
        table = stacked([larger, table[:, 2 * half :]], axis=1)
    flags = largest(computation, table)
    return multiply(computation, flags, table).sum(axis=1).reshape(-1, 1)
