"""A study: what is asked, of whom, of which columns, under which privacy. Frozen and typed.

This is the *meaning* of a scenario file; ``mpc.study.parse`` makes it from YAML with errors that
point at lines, ``mpc.study.canonical`` gives its one encoding. No field has a default that widens
what is released.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mpc.accounting.event import Noise
from mpc.columns.model import Column, Frozen, LeftOutIfNone
from mpc.columns.text import printable
from mpc.questions.registry import Question
from mpc.units import (
    ID_LENGTH_MAX,
    ID_PATTERN,
    NAME_LENGTH_MAX,
    NAME_PATTERN,
    PARTIES_MAX,
    PARTIES_MIN,
    Adjacency,
    ProtectedUnit,
)

Identifier = Annotated[str, Field(pattern=ID_PATTERN, max_length=ID_LENGTH_MAX)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=NAME_LENGTH_MAX)]
Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(printable)]
Filter = Annotated[
    str, Field(max_length=2000), AfterValidator(lambda text: printable(text, breaks=True))
]
"""Grammar: :mod:`mpc.study.where`."""


UnitRows = Annotated[int, Field(ge=1, le=1000)]

QUESTIONS_MAX = 50
MIN_CELL_MAX = 1_000_000
ROWS_MAX = 10**10  # of one party
VERSION_MAX = 10**9


class Lead(Frozen):
    """The person who answers for the study."""

    name: Text
    organization: Text
    email: Text


class PartyEntry(Frozen):
    """What a study takes from one party: an announced data version and declared sizes.

    ``rows_max`` enters the range proof: the party refuses if its declared capacity is larger.
    ``rows_expected``, at most that, only predicts errors before anything is spent. Neither is a
    count of rows.
    """

    version: Annotated[int, Field(ge=1, le=VERSION_MAX)]
    rows_max: Annotated[int, Field(ge=1, le=ROWS_MAX)]
    rows_expected: Annotated[int, Field(ge=0, le=ROWS_MAX)]


class RowUnit(Frozen):
    """Whom privacy protects: one row (record level). ``rows_max`` rows at most are one unit's.

    Nobody holds the rows to that: it is what the study says of them.
    """

    kind: Literal["row"]
    rows_max: UnitRows = 1

    @property
    def group_rows(self) -> int:
        """How many of them may fall in one group: all."""
        return self.rows_max


class FirstBy(Frozen):
    """Keep the rows of a person that are least by a column: the earliest day, the lowest number.

    Missing comes last. Rows that tie are ordered by all columns of the study, in its order; rows
    that tie there too are the same to every question.
    """

    first_by: Name


class PersonUnit(Frozen):
    """Whom privacy protects: one person with all of its rows, however many they are.

    ``column`` says whose row it is. Each owner counts at most ``rows_max`` rows of one person, of
    those that pass the study's filter, and of these at most ``group_rows_max`` in one group of a
    question (all, if it is not given; a question without groups is one group); ``keep`` says which,
    by those rows alone. ``hashed`` takes them in the order of an HMAC of id and row, under a key
    that is fresh for the run. ``across_parties``: whether one person may have rows at several
    owners.
    """

    kind: Literal["person"]
    column: Name
    rows_max: UnitRows
    group_rows_max: Annotated[UnitRows | None, LeftOutIfNone()] = None
    across_parties: bool
    keep: Literal["hashed"] | FirstBy

    @model_validator(mode="after")
    def _groups_hold_no_more(self) -> PersonUnit:
        if self.group_rows_max is not None and self.group_rows_max > self.rows_max:
            raise ValueError("group_rows_max exceeds rows_max")
        return self

    @property
    def group_rows(self) -> int:
        """How many rows of one person count in one group at one owner."""
        return self.group_rows_max or self.rows_max


Unit = Annotated[RowUnit | PersonUnit, Field(discriminator="kind")]


class Table(Frozen):
    """The table as the study sees it: columns by name, each with its rule, and a filter."""

    name: Name
    unit: Unit
    columns: Annotated[dict[Name, Column], Field(min_length=1, max_length=200)]
    where: Filter = ""


class Privacy(Frozen):
    """(epsilon, delta) of the whole study for one unit, its adjacency, and the coalition t.

    ``coalition``: how many parties may pool what they know with the coordinator before the
    promise weakens; n - 1 if not given. Owners' policies may demand more, never less.
    ``noises``: who may make the noise; the plan takes whichever is least of these. Own if not
    given; dealt and joint noise take a dealer.
    """

    epsilon: Annotated[Decimal, Field(gt=0, le=20)]
    delta: Annotated[Decimal, Field(gt=0, le=Decimal("0.01"))]
    adjacency: Adjacency
    coalition: Annotated[int, Field(ge=1)] | None = None
    noises: Annotated[
        tuple[Noise, ...] | None, Field(min_length=1, max_length=len(Noise)), LeftOutIfNone()
    ] = None

    @field_validator("noises")
    @classmethod
    def _noises_are_distinct(cls, noises: tuple[Noise, ...] | None) -> tuple[Noise, ...] | None:
        if noises is not None and len(set(noises)) != len(noises):
            raise ValueError("noises names each once")
        return noises


class Study(Frozen):
    """A whole scenario file.

    ``dealer``: who makes correlated randomness, if a question compares or multiplies secrets. It
    holds no data and receives no result, so it is neither a party nor a recipient. ``min_cell``:
    answers leave out cells whose noisy count is below it (:mod:`mpc.questions.suppression`).
    """

    version: Literal[1]
    id: Identifier
    title: Text
    purpose: Identifier
    lead: Lead
    parties: Annotated[
        dict[Identifier, PartyEntry], Field(min_length=PARTIES_MIN, max_length=PARTIES_MAX)
    ]
    dealer: Annotated[Identifier | None, LeftOutIfNone()] = None
    recipients: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=PARTIES_MAX + 1)]
    table: Table
    privacy: Privacy
    min_cell: Annotated[int | None, Field(ge=1, le=MIN_CELL_MAX), LeftOutIfNone()] = None
    questions: Annotated[dict[Name, Question], Field(min_length=1, max_length=QUESTIONS_MAX)]

    @property
    def protected(self) -> ProtectedUnit:
        """Whom the study's epsilon protects, at each owner."""
        adjacency = self.privacy.adjacency
        if isinstance(self.table.unit, PersonUnit):
            return ProtectedUnit.person(adjacency)
        return ProtectedUnit(self.table.unit.rows_max, adjacency)

    @property
    def shares_noise(self) -> bool:
        """Whether noise is allowed that is not each party's own, so that a dealer is needed."""
        return any(noise is not Noise.OWN for noise in self.privacy.noises or ())

    @property
    def dealt_questions(self) -> tuple[str, ...]:
        """The names of the questions that need a dealer, in the study's order."""
        return tuple(name for name, asked in self.questions.items() if asked.needs_dealer)
