"""What a release costs one unit when parties pool what they know with the coordinator."""

from __future__ import annotations

from mpc.accounting.event import NoiseEvent, rho_against
from mpc.units import RhoPico


def rho_of_coalition(event: NoiseEvent, pooled: int, *, dealer: bool = False) -> RhoPico | None:
    """rho, rounded up, against ``pooled`` parties, with the ``dealer`` or without; None if of some
    block no noise is left to protect anyone.

    Whoever knows less learns less, so what holds against a larger coalition holds against a
    smaller one: the least bound of all at least this large is taken. Without the excess rule of
    :func:`mpc.accounting.event.price`, since nothing is promised here.
    """
    if pooled < 0:
        raise ValueError("a coalition has no fewer than 0 parties")
    if pooled >= event.parties:
        return None
    bounds = (rho_against(event, larger, dealer=dealer) for larger in range(pooled, event.parties))
    return min((rho for rho in bounds if rho is not None), default=None)
