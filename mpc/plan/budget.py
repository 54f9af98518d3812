"""The study's rho, split over questions and their blocks in whole pico-rho, rounded down.

Splitting rho and not epsilon is what makes twenty questions cost sqrt(20) times the noise of one
instead of 20 times.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from mpc.errors import PlanRefusal
from mpc.layout import Block
from mpc.questions.registry import Question
from mpc.units import RHO_UNIT, Adjacency, RhoPico, rho_text


def split_rho(questions: Mapping[str, Question], budget: RhoPico) -> dict[str, RhoPico]:
    """Each question's part: its own ``rho``, or by weight of what all explicit ones leave.

    Raises PlanRefusal if the explicit ones exceed ``budget`` or leave too little to split.
    """
    parts: dict[str, RhoPico] = {}
    weights: dict[str, Fraction] = {}
    for name, question in questions.items():
        if question.rho is not None:
            parts[name] = RhoPico(int(Fraction(question.rho) * RHO_UNIT))
        else:
            weights[name] = Fraction(question.weight or Decimal(1))
    rest = budget - sum(parts.values())
    if rest < 0:
        raise PlanRefusal(
            ", ".join(parts),
            f"rho of {rho_text(RhoPico(sum(parts.values())))} together exceeds the study's "
            f"{rho_text(budget)}",
            hint="lower them, or raise privacy.epsilon",
        )
    total = sum(weights.values(), Fraction(0))
    for name, weight in weights.items():
        parts[name] = RhoPico(int(rest * weight / total))
    return {name: parts[name] for name in questions}


def block_rho(question: str, rho: RhoPico, blocks: int) -> RhoPico:
    """An equal part for each block. Raises PlanRefusal below one pico-rho."""
    part = rho // blocks
    if part < 1:
        raise PlanRefusal(
            question,
            f"its part of the budget, rho {rho_text(rho)}, is too small to split over {blocks} "
            "blocks",
            hint="raise its weight or privacy.epsilon, or ask fewer questions",
        )
    return RhoPico(part)


def sensitivity_squared(block: Block, cells: int, rows_max: int, adjacency: Adjacency) -> int:
    """Largest squared L2 change of the block when one unit of ``rows_max`` rows changes.

    Added or removed, its m rows move at most m times ``value_max``, all in one cell at worst:
    (m v)^2. Replaced: contributions of one sign stay within that in one cell and move two cells at
    worst (twice); signed ones can swing from -m v to m v (four times).
    """
    one = (rows_max * block.value_max) ** 2
    if adjacency is Adjacency.ADD_OR_REMOVE_ONE:
        return one
    if block.signed:
        return 4 * one
    return one if cells == 1 else 2 * one
