"""A charge's mechanism event in words, as its owner reads it back from the ledger."""

from __future__ import annotations

from collections import Counter
from math import sqrt

from mpc.accounting.event import NoiseEvent
from mpc.canonical import from_canonical
from mpc.errors import IntegrityError

GROUPS_SHOWN_MAX = 3
NO_MECHANISM = "none: nothing was released for it"
OTHER_MECHANISM = "of another version of Parley"


def event_text(event: bytes) -> str:
    """``discrete Gaussian noise, own of sd 4.531 on 2 integers …``: what was drawn, against whom.

    The deviations are of the noise that stays when the coalition subtracts its own.
    """
    plain = from_canonical(event)
    if plain == {}:
        return NO_MECHANISM
    try:
        said = NoiseEvent.from_plain(plain)
    except IntegrityError:
        return OTHER_MECHANISM
    sizes: Counter[str] = Counter()
    for block in said.blocks:
        sizes[f"{block.noise.value} of sd {sqrt(block.variance):.4g}"] += block.size
    groups = [f"{noise} on {_integers(size)}" for noise, size in sizes.items()]
    more = len(groups) - GROUPS_SHOWN_MAX
    listed = ", ".join(groups[:GROUPS_SHOWN_MAX]) + (f" and {more} others" if more > 0 else "")
    return (
        f"discrete Gaussian noise, {listed}; {said.parties} parties,"
        f" {said.coalition} of which may pool what they know"
    )


def _integers(count: int) -> str:
    return "1 integer" if count == 1 else f"{count} integers"
