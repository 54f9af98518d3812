"""From the parties' noised, masked shares to answers. For the coordinator and every recipient.

Only here are shares added up, and what the sum holds is already noised inside the computation.
This module reaches no table, no secret and no release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mpc.canonical import canonical_bytes
from mpc.errors import IntegrityError
from mpc.layout import Layout
from mpc.plan.model import Plan, PlannedQuestion
from mpc.questions.adjusting import adjusted
from mpc.questions.answer import Answer, Cell, ReleasedCell
from mpc.questions.decoding import decode_cell
from mpc.questions.sampling import sampled
from mpc.questions.suppression import suppressed
from mpc.ring.words import add, decode


def combine_shares(plan: Plan, shares: Sequence[NDArray[np.int64]]) -> list[int]:
    """The released integers: the sum modulo 2^64 of one share of every party, read as signed.

    Shape: ``plan.parties`` vectors of ``plan.size`` int64 words → ``plan.size`` integers.
    Opens: the noised totals, to the caller. Cost: none.
    Raises IntegrityError on a missing, foreign or misshapen share, and on a total that the plan's
    range proof rules out.
    """
    if len(shares) != plan.parties:
        raise IntegrityError(
            f"{len(shares)} shares where the plan has {plan.parties} parties; no result without all"
        )
    for share in shares:
        if share.dtype != np.int64 or share.shape != (plan.size,):
            raise IntegrityError(f"a share is not a vector of {plan.size} ring words")
    totals = decode(add(shares))
    for question in plan.questions:
        _check_range(question, totals)
    return totals


def decode_totals(plan: Plan, totals: Sequence[int]) -> tuple[Answer, ...]:
    """Answers to all questions, in the plan's order, out of its released integers.

    Post-processing only: costs no privacy. Raises IntegrityError if ``totals`` is not of the
    plan's size.
    """
    if len(totals) != plan.size:
        raise IntegrityError(f"{len(totals)} released integers where the plan has {plan.size}")
    study = plan.study
    variances = {question.name: question.blocks[0].total_variance for question in plan.questions}
    released = {question.name: _released(question, totals) for question in plan.questions}
    raw = [_answer(plan, question, released[question.name]) for question in plan.questions]
    seed = sha256(canonical_bytes([plan.digest, *map(str, totals)])).digest()
    columns, unit = study.table.columns, study.table.unit
    ranged = sampled(study.questions, columns, raw, released, seed) if unit.rows_max == 1 else raw
    answers = adjusted(
        study.questions,
        columns,
        ranged,
        variances,
        same_rows=unit.group_rows == unit.rows_max,
    )
    if study.min_cell is not None:
        answers = tuple(suppressed(answer, study.min_cell) for answer in answers)
    return tuple(replace(answer, warnings=_warnings(answer.cells)) for answer in answers)


def _released(question: PlannedQuestion, totals: Sequence[int]) -> list[ReleasedCell]:
    layout = question.layout
    noises = tuple(block.noises for block in question.blocks[: layout.released])
    return [
        ReleasedCell(
            integers=tuple(
                totals[question.offset + block * layout.cells + index]
                for block in range(layout.released)
            ),
            noises=noises,
        )
        for index in range(layout.cells)
    ]


def _answer(plan: Plan, question: PlannedQuestion, released: Sequence[ReleasedCell]) -> Answer:
    declared = plan.study.questions[question.name]
    columns = plan.study.table.columns
    cells = tuple(
        Cell(labels=labels, estimates=decode_cell(declared, columns, cell))
        for labels, cell in zip(_labels(question.layout), released, strict=True)
    )
    return Answer(question=question.name, kind=question.kind, cells=cells)


def _labels(layout: Layout) -> list[tuple[tuple[str, str], ...]]:
    """Labels of every cell, row-major by axes."""
    axes = [[(axis.column, label) for label in axis.labels] for axis in layout.axes]
    return list(product(*axes))


def _warnings(cells: Sequence[Cell]) -> tuple[str, ...]:
    estimates = [estimate for cell in cells for estimate in cell.estimates]
    found: list[str] = []
    negative = sum(
        1 for e in estimates if e.name == "count" and e.value is not None and e.value < 0
    )
    if negative:
        found.append(
            f"{negative} of {len(cells)} counts are below 0 by noise; they are kept raw, "
            "so that sums of them stay unbiased, and adjusted beside"
        )
    for reason in sorted({e.reason for e in estimates if e.value is None}):
        hit = sum(1 for c in cells if any(e.reason == reason for e in c.estimates))
        found.append(f"{hit} of {len(cells)} cells have null estimates: {reason}")
    return tuple(found)


def _check_range(question: PlannedQuestion, totals: Sequence[int]) -> None:
    start, layout = question.offset, question.layout
    if layout.search is not None:
        ends = totals[start + layout.cells : start + question.size]
        if not all(0 <= end < 1 << layout.search.levels for end in ends):
            raise IntegrityError(f"{question.name}: a search ended nowhere; a party deviated")
    for block in question.summed:
        high = block.sum_max + block.noise_max
        low = -high if block.block.signed else -block.noise_max
        if not all(low <= total <= high for total in totals[start : start + block.cells]):
            raise IntegrityError(
                f"{question.name}: a total of {block.name} lies outside the range that the plan "
                "proves; a party deviated, or holds more rows than its rows_max"
            )
        start += block.cells
