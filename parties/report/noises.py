"""What noise a plan takes, and what each other would come to: for whoever chooses."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mpc.accounting.event import Noise
from mpc.plan.model import Plan, PlannedBlock, PlannedQuestion
from mpc.plan.noises import possible, total
from parties.report.figures import significant_text

_STATISTICS = {"n": "rows", "s1": "sum", "s2": "sum of squares"}
SEARCHED = "search steps"


def deviations(plan: Plan, block: PlannedBlock) -> dict[Noise, float | None]:
    """The standard deviation of the released sum with each noise; None where it cannot be made."""
    size, variance = block.cells, block.variance
    n, t = plan.parties, plan.coalition
    return {
        noise: math.sqrt(total(noise, size, variance, n, t))
        if possible(noise, size, variance, n, t)
        else None
        for noise in Noise
    }


def noise_plain(plan: Plan, question: PlannedQuestion) -> list[dict[str, object]]:
    """For ``--json``: each statistic's noise, its deviation, and that of each noise, in steps."""
    return [
        {
            "statistic": name,
            "noise": block.noise.value,
            "noise_sd": math.sqrt(block.total_variance),
            "noise_sd_of": {n.value: sd for n, sd in deviations(plan, block).items()},
        }
        for name, block in _told(question)
    ]


def noise_lines(plan: Plan) -> Iterator[str]:
    """``people: rows joint noise, s.d. 4.53 (own 7.85, dealt 5.85)``; nothing without a dealer."""
    if plan.roster.dealer is None:
        return
    for question in plan.questions:
        parts = []
        for name, block in _told(question):
            others = ", ".join(
                f"{noise.value} {significant_text(sd, 3)}"
                for noise, sd in deviations(plan, block).items()
                if noise is not block.noise and sd is not None
            )
            own = significant_text(math.sqrt(block.total_variance), 3)
            compared = f" ({others})" if others else ""
            parts.append(f"{name} {block.noise.value} noise, s.d. {own}{compared}")
        yield f"{question.name}: {'; '.join(parts)}"


def _told(question: PlannedQuestion) -> Iterator[tuple[str, PlannedBlock]]:
    """Every block by its name; of a search, whose levels are alike, the first."""
    for block in question.summed:
        yield _STATISTICS.get(block.name, block.name), block
    for block in question.blocks[len(question.summed) :][:1]:
        yield SEARCHED, block
