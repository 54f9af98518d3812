"""What no single value of a study can show: whether its parts fit each other.

Works on whatever could be read, so that a file with one broken column still learns of a
misspelled recipient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mpc.columns.model import Column, IdColumn, kind_text
from mpc.questions.declaration import (
    Complaint,
    Declaration,
    by_complaints,
    missing_column,
)
from mpc.questions.registry import QUESTION_KINDS, kind_needs_dealer
from mpc.questions.sum.declare import Sum
from mpc.study.codes import (
    COALITION,
    DEALER_IDLE,
    DEALER_MISSING,
    DEALER_ROLE,
    NOT_ALLOWED,
    PARTIES,
    QUESTION,
    RECIPIENTS,
    UNIT,
    WHERE_COLUMNS,
    WHERE_SYNTAX,
    Path,
)
from mpc.study.model import FirstBy, PartyEntry, PersonUnit, RowUnit, Study
from mpc.study.spelling import listed, nearest, shown
from mpc.study.where import read_where

COORDINATOR = "coordinator"


@dataclass(frozen=True)
class Misfit:
    """A fault between parts of a study; ``offset`` is a place inside a text value, if any."""

    code: str
    path: Path
    what: str
    allowed: str
    offset: int = 0


@dataclass(frozen=True)
class Parts:
    """The readable parts of a study. ``party_names`` are all that are written.

    ``dealer`` is None if there is no such key, and "" if what is written there cannot be read.
    ``shares_noise``: noise that a dealer is needed for is allowed. ``min_cell``: there is such a
    key. ``unit`` is None if it cannot be read. ``faulty_columns`` are names of columns which
    cannot be read; nothing is said of what uses them. ``faulty_questions`` have what could be read
    of each of their keys.
    """

    party_names: tuple[str, ...]
    parties: Mapping[str, PartyEntry]
    dealer: str | None
    recipients: tuple[str, ...]
    coalition: int | None
    shares_noise: bool
    columns: Mapping[str, Column]
    faulty_columns: frozenset[str]
    questions: Mapping[str, Declaration]
    where: str
    unit: RowUnit | PersonUnit | None
    min_cell: bool = False
    faulty_questions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def parts_of(study: Study) -> Parts:
    """All of a whole study."""
    return Parts(
        party_names=tuple(study.parties),
        parties=study.parties,
        dealer=study.dealer,
        recipients=study.recipients,
        coalition=study.privacy.coalition,
        shares_noise=study.shares_noise,
        columns=study.table.columns,
        faulty_columns=frozenset(),
        questions=study.questions,
        where=study.table.where,
        unit=study.table.unit,
        min_cell=study.min_cell is not None,
    )


def misfits(parts: Parts) -> Iterator[Misfit]:
    """Every fault between ``parts``, in the order of the file's sections."""
    yield from _parties(parts)
    yield from _dealer(parts)
    yield from _recipients(parts)
    yield from _unit(parts)
    yield from _where(parts)
    yield from _coalition(parts)
    yield from _questions(parts)


def _parties(parts: Parts) -> Iterator[Misfit]:
    if len(parts.party_names) == 1:
        yield Misfit(PARTIES, ("parties",), "one party", "at least two parties")
    if COORDINATOR in parts.party_names:
        what = "no party can be called coordinator"
        yield Misfit(PARTIES, ("parties", COORDINATOR), what, "another id")
    for name, party in parts.parties.items():
        if party.rows_expected > party.rows_max:
            path = ("parties", name, "rows_expected")
            yield Misfit(NOT_ALLOWED, path, "more than rows_max", f"at most {party.rows_max}")


def _dealer(parts: Parts) -> Iterator[Misfit]:
    """A dealer exactly where a question needs one, and one that is nothing else in the study."""
    needing = [name for name, question in parts.questions.items() if question.needs_dealer]
    kinds = {name: str(said.get("kind")) for name, said in parts.faulty_questions.items()}
    needing += [name for name, kind in kinds.items() if kind_needs_dealer(kind)]
    if parts.dealer is None:
        for name in needing:
            what = "needs a dealer, and the study names none"
            allowed = "dealer: id of a participant without data, beside parties"
            yield Misfit(DEALER_MISSING, ("questions", name), what, allowed)
        if parts.shares_noise:
            what = "dealt or joint noise needs a dealer, and the study names none"
            allowed = "[own], or dealer: id of a participant without data, beside parties"
            yield Misfit(DEALER_MISSING, ("privacy", "noises"), what, allowed)
        return
    path: Path = ("dealer",)
    if parts.dealer in (*parts.party_names, COORDINATOR):
        role = "the coordinator" if parts.dealer == COORDINATOR else "a party"
        what = f"{shown(parts.dealer)} is {role}"
        allowed = "id of somebody else: who deals and has a share reads what is compared"
        yield Misfit(DEALER_ROLE, path, what, allowed)
    judged = parts.dealer and (parts.questions or kinds)
    needed = needing or parts.shares_noise
    if judged and not needed and all(kind in QUESTION_KINDS for kind in kinds.values()):
        what = "a dealer that no question and no noise needs"
        allowed = "no key dealer, a question that needs one, or privacy.noises: [own, dealt, joint]"
        yield Misfit(DEALER_IDLE, path, what, allowed)


def _recipients(parts: Parts) -> Iterator[Misfit]:
    known = (*parts.party_names, COORDINATOR)
    for index, name in enumerate(parts.recipients):
        path = ("recipients", index)
        if name == parts.dealer and name not in known:
            what = f"{shown(name)} is the dealer, which receives nothing"
            yield Misfit(DEALER_ROLE, path, what, f"parties of this study, or {COORDINATOR}")
        elif parts.party_names and name not in known:
            what = f"{shown(name)} takes no part{nearest(name, known)}"
            yield Misfit(RECIPIENTS, path, what, f"parties of this study, or {COORDINATOR}")
        elif name in parts.recipients[:index]:
            yield Misfit(RECIPIENTS, path, f"{shown(name)} again", "each recipient once")
    meant = all(name in (*known, parts.dealer) for name in parts.recipients)
    if parts.recipients and meant and COORDINATOR not in parts.recipients:
        what = "the coordinator is missing: it adds the shares up, so it learns the result"
        yield Misfit(RECIPIENTS, ("recipients",), what, f"a list with {COORDINATOR}")


def _coalition(parts: Parts) -> Iterator[Misfit]:
    count = len(parts.party_names)
    if parts.coalition is not None and count >= 2 and parts.coalition > count - 1:
        what = f"a coalition of {parts.coalition} among {count} parties"
        allowed = f"at most {count - 1}: one party's own noise must remain"
        yield Misfit(COALITION, ("privacy", "coalition"), what, allowed)


def _questions(parts: Parts) -> Iterator[Misfit]:
    for name, question in parts.questions.items():
        if parts.min_cell and isinstance(question, Sum):
            what = "a sum releases no count, and min_cell leaves cells out by their counts"
            yield Misfit(QUESTION, ("questions", name, "kind"), what, "mean, which gives both")
        yield from _complaints(parts, name, question.complaints(parts.columns))
    for name, said in parts.faulty_questions.items():
        found: list[Complaint] = []
        by, column = said.get("by"), said.get("column")
        if isinstance(by, tuple) and all(isinstance(each, str) for each in by):
            found.extend(by_complaints(by, parts.columns))
        if isinstance(column, str) and column not in parts.columns:
            found.append(missing_column("column", column, parts.columns))
        yield from _complaints(parts, name, found)


def _complaints(parts: Parts, question: str, found: Iterable[Complaint]) -> Iterator[Misfit]:
    """``found`` without those that follow from a column whose own fault is told."""
    followed = {missing_column("", name, parts.columns).what for name in parts.faulty_columns}
    for complaint in found:
        if complaint.what in followed:
            continue
        within = [int(part) if part.isdigit() else part for part in complaint.path.split(".")]
        what = complaint.what
        if what.startswith("no column "):
            what += nearest(what.removeprefix("no column ").strip("'"), parts.columns)
        yield Misfit(QUESTION, ("questions", question, *within), what, complaint.allowed)


def _unit(parts: Parts) -> Iterator[Misfit]:
    """A person unit names an id and, to keep rows by it, another column; no id is idle."""
    unit = parts.unit
    if unit is None:
        return
    ids = [name for name, column in parts.columns.items() if isinstance(column, IdColumn)]
    named = unit.column if isinstance(unit, PersonUnit) else None
    place: Path = ("table", "unit")
    if isinstance(unit, PersonUnit):
        yield from _unit_column(parts, unit.column, (*place, "column"), ids)
        if isinstance(unit.keep, FirstBy):
            others = [name for name in parts.columns if name not in ids]
            yield from _unit_column(parts, unit.keep.first_by, (*place, "keep", "first_by"), others)
    for name in ids:
        if name != named and (named in ids or named is None):
            what = f"an id that is not the unit's: {shown(name)}"
            allowed = "unit: {kind: person, column: that id, …}, or no such column"
            yield Misfit(UNIT, ("table", "columns", name), what, allowed)


def _unit_column(parts: Parts, name: str, path: Path, fitting: Sequence[str]) -> Iterator[Misfit]:
    column = parts.columns.get(name)
    if name in fitting or name in parts.faulty_columns:
        return
    allowed = f"one of {listed(fitting)}" if fitting else "a column of table.columns of type id"
    if column is None:
        what = f"no column {shown(name)}{nearest(name, parts.columns)}"
    else:
        what = f"column {shown(name)} is {kind_text(column)}"
    yield Misfit(UNIT, path, what, allowed)


def _where(parts: Parts) -> Iterator[Misfit]:
    _, faults = read_where(parts.where, parts.columns, parts.faulty_columns)
    for fault in faults:
        code = WHERE_SYNTAX if fault.syntax else WHERE_COLUMNS
        yield Misfit(code, ("table", "where"), fault.what, fault.allowed, fault.offset)
