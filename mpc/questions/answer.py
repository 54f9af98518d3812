"""What a recipient reads: every cell of a question with its estimates and their intervals.

Answers are post-processing of released integers, so they cost no privacy. Floats are fine here:
nothing in this module is hashed or signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


@dataclass(frozen=True)
class Estimate:
    """One number with its error, in the column's unit (its square for a variance).

    ``low`` to ``high`` covers the noise alone, 95 %. ``noise_sd`` is the noise's standard
    deviation, for ratios and variances to first order. ``standard_error`` adds what sampling the
    rows from a larger population adds, with its own 95 % range ``sampling_low`` to
    ``sampling_high`` (:mod:`mpc.questions.sampling`); None where the release does not say enough.
    ``exact`` spells counts and sums out as decimals. A null ``value`` has a ``reason``. Where noise
    carried the estimate beyond what it can be, ``value`` is cut to that, ``raw`` is what the
    released integers come to (None if that is no number), and ``note`` says so. ``adjusted`` is
    what agrees with the study's other answers and with reason: totals with their cells, quantiles
    in order, no count below 0; ``value`` stays raw and unbiased beside it. None where the whole
    answer needs no adjusting.
    ``below`` is set for a count that the study does not show because it is below that.
    """

    name: str
    value: int | float | None
    noise_sd: float | None
    low: float | None
    high: float | None
    reason: str = ""
    exact: str | None = None
    standard_error: float | None = None
    sampling_low: float | None = None
    sampling_high: float | None = None
    raw: float | None = None
    note: str = ""
    adjusted: float | None = None
    below: int | None = None

    def to_plain(self) -> dict[str, JsonValue]:
        return {
            "name": self.name,
            "value": self.value,
            "exact": self.exact,
            "noise_sd": self.noise_sd,
            "low": self.low,
            "high": self.high,
            "standard_error": self.standard_error,
            "sampling_low": self.sampling_low,
            "sampling_high": self.sampling_high,
            "reason": self.reason,
            "raw": self.raw,
            "note": self.note,
            "adjusted": self.adjusted,
            "below": self.below,
        }


@dataclass(frozen=True)
class Cell:
    """One group: a label for each axis, as (column, label), and its estimates."""

    labels: tuple[tuple[str, str], ...]
    estimates: tuple[Estimate, ...]

    def estimate(self, name: str) -> Estimate:
        """The estimate called ``name``. Raises KeyError if there is none."""
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(name)

    def to_plain(self) -> dict[str, JsonValue]:
        return {
            "labels": dict(self.labels),
            "estimates": [estimate.to_plain() for estimate in self.estimates],
        }


@dataclass(frozen=True)
class Answer:
    """A question's answer: all its cells, row-major by axes, and what to beware of."""

    question: str
    kind: str
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, JsonValue]:
        return {
            "question": self.question,
            "kind": self.kind,
            "cells": [cell.to_plain() for cell in self.cells],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class ReleasedCell:
    """One cell's released integers, and of each the variances whose discrete Gaussians it carries.

    Block by block. ``noises[b]`` lists every independent noise in ``integers[b]``.
    """

    integers: tuple[int, ...]
    noises: tuple[tuple[Fraction, ...], ...]

    @property
    def variances(self) -> tuple[Fraction, ...]:
        """The variance of all noise in each integer."""
        return tuple(sum(each, Fraction(0)) for each in self.noises)
