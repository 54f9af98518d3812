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
from mpc.study.model import PersonUnit, RowUnit
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


def sensitivity_squared(
    block: Block, cells: int, unit: RowUnit | PersonUnit, parties: int, adjacency: Adjacency
) -> int:
    """Largest squared L2 change of the block when one unit changes. Exact: some tables reach it.

    At one owner the unit has at most m rows that count (``rows_max``), at most r of them in one
    cell (``group_rows``), and each moves its cell by at most v (``value_max``). Let it have k_c
    rows in cell c: its contribution x has |x_c| <= k_c v. The sum of k_c^2, convex, is largest at a
    corner of {0 <= k_c <= r, sum of k_c <= m}: floor(m / r) cells of r rows and one of the m mod r
    that are left, as far as there are cells. So

        |x|^2 <= S = v^2 (floor(m / r) r^2 + (m mod r)^2) <= m r v^2,

    and (m v)^2 where r = m.

    *Added or removed*: the change is x, so S. *Replaced*: it is x - y, two such contributions.
    Signed ones may be opposite: |x - y| <= |x| + |y|, squared 4 S. Where none is negative,
    |x_c - y_c| <= max(x_c, y_c), so x and y with no cell in common are the worst: S twice where
    there are cells enough, and else the largest k_c of both that the cells hold.

    *A person at several owners* has such an x at each of the n, and the sums of all are added up:
    |x_1 + ... + x_n| <= sum of |x_i|, with equality where all are alike: n^2 times the above.

    *A search* has several nodes a cell (:class:`mpc.layout.Search`) and looks at one of them,
    whichever the noised sums before led to: v bounds what one row does to any node, so k_c v bounds
    the one that is looked at, and all of this holds of the vector of those.

    Capping keeps this true: an owner chooses the rows of a person that count by a rule that looks
    at that person's rows alone (:class:`mpc.study.model.PersonUnit`). If tables differ in the rows
    of one person, then the rows kept of everybody else are the same in both, and of that person at
    most m, and at most r a cell, in each. Nobody's rows move up in another's place, as they would
    under a cap on the table.
    """
    rows, group_rows = unit.rows_max, unit.group_rows
    opposite = adjacency is Adjacency.REPLACE_ONE and block.signed
    apart = 2 if adjacency is Adjacency.REPLACE_ONE and not block.signed else 1
    full = min(cells, apart * (rows // group_rows))
    rest = min(cells - full, apart)
    squared = full * group_rows**2 + rest * (rows % group_rows) ** 2
    owners = parties if isinstance(unit, PersonUnit) and unit.across_parties else 1
    return squared * (owners * block.value_max * (2 if opposite else 1)) ** 2
