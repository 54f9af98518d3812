"""Post-processing of what was noised, while it is still shared: a search's end instead of its sums.

What comes of it is released; the noised integers that it was computed of are not.
"""

from __future__ import annotations

from functools import partial

from mpc.errors import ContractError
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
    Raises ContractError without a computation to search in, and what the channel raises.
    """
    layouts = [question.layout for question in plan.questions]
    if not needs_search(layouts):
        return noised
    if computation is None:
        raise ContractError("the plan compares secrets, and nothing was dealt for it")
    return engine.postprocess(noised, partial(release, computation, layouts))
