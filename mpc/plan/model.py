"""What all parties agree to: one study worked out to the last number, and its digest.

Every party computes the plan from the study and the roster by itself. Only integers, exact
fractions and decimals enter it, so its canonical bytes are the same on every machine; an approval
signs their SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from mpc.accounting.event import Noise, NoiseEvent
from mpc.canonical import Plain, canonical_bytes
from mpc.layout import Block, Layout
from mpc.roster import Roster
from mpc.study.canonical import decimal_text, study_to_plain
from mpc.study.model import Study
from mpc.units import DeltaAtto, PlanDigest, RhoPico, sha256_hex

PLAN_VERSION = 1
MECHANISM = "own-discrete-gaussian/1"
"""Exact discrete Gaussians (Canonne, Kamath and Steinke 2020), each party's own or dealt, or joint
ones within a stated distance: each block of a plan says which."""


class ColumnUse(StrEnum):
    """What a study does with a column: sums it, splits rows by it, or selects rows by it.

    Or tells by it whose rows they are, or which of a person's rows come first.
    """

    AGGREGATE = "aggregate"
    GROUP = "group"
    FILTER = "filter"
    IDENTIFY = "identify"
    ORDER = "order"


@dataclass(frozen=True)
class PlannedBlock:
    """One noised statistic of a question: its sensitivity, its noise, its room in the ring.

    ``variance`` is V* = sensitivity_squared / (2 rho), which must survive when the coalition
    takes its own noise away; ``noise`` says who makes it, and so what each party and the dealer add
    and what the released sum carries (:class:`mpc.accounting.event.Noise`): ``noises`` has the
    variance of every independent discrete Gaussian in it. ``sum_max`` bounds the
    sum over all parties without noise, ``noise_max`` is 12 standard deviations of the noise;
    together they stay below 2^62. All in steps, to the block's power.
    """

    block: Block
    cells: int
    sensitivity_squared: int
    rho: RhoPico
    variance: Fraction
    party_variance: Fraction
    noises: tuple[Fraction, ...]
    sum_max: int
    noise_max: int
    noise: Noise = Noise.OWN

    @property
    def name(self) -> str:
        return self.block.name

    @property
    def total_variance(self) -> Fraction:
        """Of all noise in the released sum."""
        return sum(self.noises, Fraction(0))

    def to_plain(self) -> Plain:
        further: dict[str, Plain] = {}
        if self.block.nodes > 1:
            further["nodes"] = self.block.nodes
        if self.noise is not Noise.OWN:
            further["noise"] = self.noise.value
        return {
            **further,
            "name": self.block.name,
            "power": self.block.power,
            "value_max": str(self.block.value_max),
            "signed": self.block.signed,
            "cells": self.cells,
            "sensitivity_squared": str(self.sensitivity_squared),
            "rho_pico": str(self.rho),
            "variance": fraction_text(self.variance),
            "party_variance": fraction_text(self.party_variance),
            "total_variance": fraction_text(self.total_variance),
            "sum_max": str(self.sum_max),
            "noise_max": str(self.noise_max),
        }


@dataclass(frozen=True)
class ExpectedError:
    """Half-width of the 95 % noise interval of one estimate, foretold without data.

    In the column's unit (its square for a variance), at most: for ratios the worst value within
    bounds is taken, with the study's ``rows_expected`` spread evenly over the cells. None if that
    is no row a cell.
    """

    estimate: str
    half_width: Decimal | None

    def to_plain(self) -> Plain:
        text = None if self.half_width is None else f"{self.half_width:f}"
        return {"estimate": self.estimate, "half_width": text}


@dataclass(frozen=True)
class PlannedQuestion:
    """One question worked out; its integers stand at ``offset`` of the study's vector.

    ``rho`` is what its blocks cost together, ``epsilon`` the same at the study's delta.
    """

    name: str
    kind: str
    layout: Layout
    offset: int
    rho: RhoPico
    epsilon: Decimal
    blocks: tuple[PlannedBlock, ...]
    expected_errors: tuple[ExpectedError, ...]

    @property
    def size(self) -> int:
        """Integers released."""
        return self.layout.cells * self.layout.released

    @property
    def summed(self) -> tuple[PlannedBlock, ...]:
        """Blocks whose integers are released themselves: not those that are searched."""
        return self.blocks if self.layout.search is None else self.blocks[:1]

    def to_plain(self) -> Plain:
        return {
            "name": self.name,
            "kind": self.kind,
            "layout": _layout_plain(self.layout),
            "offset": self.offset,
            "size": self.size,
            "rho_pico": str(self.rho),
            "epsilon": f"{self.epsilon:f}",
            "blocks": [block.to_plain() for block in self.blocks],
            "expected_errors": [error.to_plain() for error in self.expected_errors],
        }


@dataclass(frozen=True)
class CoalitionLoss:
    """What the study costs one unit if ``parties`` owners pool all they know with the coordinator.

    0 is the coordinator or a reader of the result alone. ``promised`` holds up to the study's t.
    With the ``dealer`` in it, who knows every mask, they read all that is compared: every noised
    sum of a search, also those that it never looks at. That is never promised. None where no noise
    is left: then they read sums as they are.
    """

    parties: int
    rho: RhoPico | None
    epsilon: Decimal | None
    promised: bool
    dealer: bool = False

    def to_plain(self) -> Plain:
        plain: dict[str, Plain] = {
            "parties": self.parties,
            "rho_pico": None if self.rho is None else str(self.rho),
            "epsilon": None if self.epsilon is None else f"{self.epsilon:f}",
            "promised": self.promised,
        }
        return {**plain, "dealer": True} if self.dealer else plain


@dataclass(frozen=True)
class Cost:
    """Traffic of one party, without TLS and framing. ``*_bytes_max`` are upper bounds."""

    rounds: int  # between the parties: hello, confirm, what is opened under masks, ready
    peer_bytes_max: int  # sent to all other parties, and the dealer, together
    share_bytes: int  # the masked vector, sent to the coordinator once
    dealt_bytes: int = 0  # from the dealer to the last party; the others expand theirs

    def to_plain(self) -> Plain:
        plain: dict[str, Plain] = {
            "rounds": self.rounds,
            "peer_bytes_max": self.peer_bytes_max,
            "share_bytes": self.share_bytes,
        }
        return {**plain, "dealt_bytes": self.dealt_bytes} if self.dealt_bytes else plain


@dataclass(frozen=True)
class Plan:
    """A study worked out. Made by :func:`mpc.plan.build.plan_study` and by nothing else.

    ``rho_total``, ``delta_charged``: what every owner is charged for one unit, from the one event
    that the noise is drawn from too. ``epsilon_total`` is rho_total at ``delta``, rounded up.
    ``largest_value`` of the range proof stays below ``range_limit`` = 2^62.
    """

    study: Study
    roster: Roster
    mechanism: str
    event: NoiseEvent
    questions: tuple[PlannedQuestion, ...]
    parties: int
    coalition: int
    rho_total: RhoPico
    delta_charged: DeltaAtto
    epsilon_total: Decimal
    delta: Decimal
    coalitions: tuple[CoalitionLoss, ...]
    columns: tuple[tuple[str, tuple[ColumnUse, ...]], ...]
    largest_value: int
    range_limit: int
    cost: Cost

    @property
    def size(self) -> int:
        """Length of the vector that is released."""
        return sum(question.size for question in self.questions)

    @property
    def noises(self) -> tuple[Noise, ...]:
        """Who makes this plan's noise, in the order of :class:`Noise`."""
        return tuple(each for each in Noise if any(b.noise is each for b in self.event.blocks))

    @property
    def searches(self) -> bool:
        """Whether noised sums are compared on shares before anything is released."""
        return any(question.layout.search is not None for question in self.questions)

    @property
    def columns_used(self) -> Mapping[str, frozenset[ColumnUse]]:
        """Every column the study touches, and how."""
        return {name: frozenset(uses) for name, uses in self.columns}

    @property
    def asked(self) -> tuple[PlannedQuestion, ...]:
        """What a party computes on its own rows, for :func:`mpc.questions.local.local_sums`."""
        return self.questions

    def question(self, name: str) -> PlannedQuestion:
        """The planned question ``name``. Raises KeyError if there is none."""
        for question in self.questions:
            if question.name == name:
                return question
        raise KeyError(name)

    def to_plain(self) -> dict[str, Plain]:
        """All of the plan in canonical form: no floats."""
        return {
            "plan": PLAN_VERSION,
            "study": study_to_plain(self.study),
            "roster": self.roster.to_plain(),
            "mechanism": self.mechanism,
            "event": self.event.to_plain(),
            "questions": [question.to_plain() for question in self.questions],
            "parties": self.parties,
            "coalition": self.coalition,
            "rho_pico": str(self.rho_total),
            "delta_atto": str(self.delta_charged),
            "epsilon": f"{self.epsilon_total:f}",
            "delta": decimal_text(self.delta),
            "coalitions": [loss.to_plain() for loss in self.coalitions],
            "columns": {name: [use.value for use in uses] for name, uses in self.columns},
            "largest_value": str(self.largest_value),
            "range_limit": str(self.range_limit),
            "cost": self.cost.to_plain(),
        }

    def canonical(self) -> bytes:
        """The bytes that are agreed: the same on every machine for the same study and roster."""
        return self._canonical

    @property
    def digest(self) -> PlanDigest:
        """Hex SHA-256 of :meth:`canonical`."""
        return PlanDigest(sha256_hex(self._canonical))

    @cached_property
    def _canonical(self) -> bytes:
        return canonical_bytes(self.to_plain())


def fraction_text(value: Fraction) -> str:
    """``numerator/denominator`` in lowest terms."""
    return f"{value.numerator}/{value.denominator}"


def _layout_plain(layout: Layout) -> Plain:
    term, search = layout.term, layout.search
    searched: dict[str, Plain] = {}
    if search is not None:
        numbers = ("first", "stride", "last", "part", "whole")
        tree: dict[str, Plain] = {name: str(getattr(search, name)) for name in numbers}
        searched["search"] = {"column": search.column, **tree}
    return {
        **searched,
        "axes": [
            {
                "column": axis.column,
                "labels": list(axis.labels),
                "edges": [str(edge) for edge in axis.edges],
            }
            for axis in layout.axes
        ],
        "term": None if term is None else {"column": term.column, "centre": str(term.centre)},
    }
