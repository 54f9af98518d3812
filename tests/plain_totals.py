"""Plain sums of cells as the integers that a release without noise must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpc.plan.model import Plan

Cells = Mapping[str, Sequence[Mapping[str, "int | str"]]]
"""For each question its cells in order, with labels and ``n``, ``s1``, ``s2``, not centred."""


def totals_of(plan: Plan, cells: Cells) -> list[int]:
    """``cells`` centred as ``plan`` declares, in the order of its vector."""
    return [
        _centred(cell, block.power, question.layout.term.centre if question.layout.term else 0)
        for question in plan.questions
        for block in question.layout.blocks
        for cell in cells[question.name]
    ]


def _centred(cell: Mapping[str, int | str], power: int, centre: int) -> int:
    """The sum of (x - centre) ** power out of sums of powers of x."""
    if power == 0:
        return int(cell["n"])
    if centre == 0:
        return int(cell[f"s{power}"])
    count, total = int(cell["n"]), int(cell["s1"])
    if power == 1:
        return total - centre * count
    return int(cell["s2"]) - 2 * centre * total + centre * centre * count
