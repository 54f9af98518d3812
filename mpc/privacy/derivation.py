"""Post-processing of what was noised, while it is still shared: a search's end instead of its sums.

What comes of it is released; the noised integers that it was computed of are not.
"""

from __future__ import annotations

from functools import partial

from mpc.errors import ContractError, SecretMisuseError
from mpc.plan.model import Plan
from mpc.plan.programs import needs_search, release
from mpc.protocols.opening import Computation
from mpc.secret.engine import Engine
from mpc.secret.sealed import NoisedStatistic, Releasable


def derive_released(
    noised: NoisedStatistic, plan: Plan, engine: Engine, computation: Computation | None
) -> Releasable:
    """What ``plan`` releases of ``noised``: itself, unless a question searches.

    Opens: masked values alone, to all parties. Cost: that of :func:`mpc.plan.programs.release`.
    Raises ContractError without a computation to search in, what the channel raises, and
    SecretMisuseError on another number of integers than ``plan`` releases: its price is that of
    the nodes that a search looks at, not of all that are noised.
    """
    layouts = [question.layout for question in plan.questions]
    released: Releasable = noised
    if needs_search(layouts):
        if computation is None:
            raise ContractError("the plan compares secrets, and nothing was dealt for it")
        released = engine.postprocess(noised, partial(release, computation, layouts))
    if released.size != plan.size:
        raise SecretMisuseError(f"{released!r} has other integers than the plan releases")
    return released
