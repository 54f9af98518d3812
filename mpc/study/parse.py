"""A scenario file as a :class:`Study`, or every fault of it at once, each with its place.

Numbers are the exact decimals of their digits, days ISO text, and nothing is guessed: see
:mod:`mpc.study.shape`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mpc.accounting.event import Noise
from mpc.columns.model import Column
from mpc.errors import Fault, StudyFaults
from mpc.questions.declaration import Declaration
from mpc.questions.registry import Question
from mpc.study.checks import Misfit, Parts, misfits
from mpc.study.codes import FAMILY, FAULTY, fault_at
from mpc.study.document import Document, in_order, read_document
from mpc.study.model import PartyEntry, PersonUnit, RowUnit, Study, Table, Unit
from mpc.study.source import Block, Leaf, Listing, Mark, Node
from mpc.study.wording import mark_of

_HINTS = {
    "bounds": "[lower, upper], public limits that come from knowledge and never from the data",
    "levels": "[level, …], every level in the order of the study",
    "recipients": "[coordinator], or ids of parties",
    "dealer": "id of a participant without data, as dealing-house",
    "probability": "a number above 0 and below 1, as 0.5 for the median",
    "by": "a list of categories, as [health]",
    "bins": "a list of rising edges, as [0, 10, 20]",
    "unit": "{kind: row, rows_max: 1}, or {kind: person, column: …, …}",
    "across_parties": "true if one person may have rows at several parties, else false",
    "keep": "hashed, or {first_by: a column}",
    "missing": "exclude, or {value: 0} for a number, or {level: 'none'} for a category",
}

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_COLUMN: TypeAdapter[Column] = TypeAdapter(Column)
_UNIT: TypeAdapter[Unit] = TypeAdapter(Unit)
_QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


def parse_study(text: bytes, file: str) -> Study:
    """The study that the scenario file ``text`` declares; ``file`` names it in faults.

    Raises StudyFaults with every fault, in the order of the file.
    """
    document = read_document(text, Study, FAMILY, _HINTS)
    faults = list(document.faults)
    if document.tree is not None and document.values is not FAULTY:
        parts = _parts(document)
        placed = [_placed(misfit, document.tree) for misfit in misfits(parts)]
        faults.extend(fault for fault in placed if fault not in faults)
    if faults or document.instance is None:
        raise StudyFaults(file, in_order(tuple(faults)))
    return document.instance


def _parts(document: Document[Study]) -> Parts:
    """What can be judged of a file, however broken the rest is."""
    values = document.values
    table = _block(values.get("table"))
    raw_columns = _block(table.get("columns"))
    columns = _valid(_COLUMN, raw_columns)
    raw_parties = _block(values.get("parties"))
    recipients = values.get("recipients")
    dealer = values.get("dealer")
    privacy = _block(values.get("privacy"))
    coalition, noises = privacy.get("coalition"), privacy.get("noises")
    where = table.get("where")
    readable = isinstance(table.get("columns"), dict)
    raw_questions = _block(values.get("questions")) if readable else {}
    questions: dict[str, Declaration] = _valid(_QUESTION, raw_questions)
    unread = [name for name in raw_columns if name not in columns]
    unread += set(_keys_at(document.tree, "table")) - set(Table.model_fields)  # one indent too few
    return Parts(
        party_names=tuple(raw_parties),
        parties=_valid(TypeAdapter(PartyEntry), raw_parties),
        dealer=dealer if isinstance(dealer, str | None) else "",
        recipients=recipients if _is_texts(recipients) else (),
        coalition=coalition if isinstance(coalition, int) else None,
        shares_noise=isinstance(noises, tuple) and bool({*noises} - {Noise.OWN, Noise.OWN.value}),
        columns=columns,
        faulty_columns=frozenset((*unread, *map(_as_name, unread))),
        questions=questions,
        faulty_questions={
            name: _block(raw) for name, raw in raw_questions.items() if name not in questions
        },
        unit=_unit(table.get("unit")),
        min_cell=values.get("min_cell") is not None,
        where=where if isinstance(where, str) and len(where) <= 2000 and readable else "",
    )


def _valid(adapter: TypeAdapter[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if _NAME.fullmatch(name) is None:
            continue
        try:
            found[name] = adapter.validate_python(value)
        except ValidationError:
            continue  # told by the whole
    return found


def _unit(raw: Any) -> RowUnit | PersonUnit | None:
    """The unit, if it can be read."""
    found: RowUnit | PersonUnit | None = _valid(_UNIT, {"unit": raw}).get("unit")
    return found


def _block(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_name(text: str) -> str:
    """The name that somebody means who writes ``text``: ``Age (y)`` is ``age_y``."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def _keys_at(tree: Node | None, name: str) -> tuple[str, ...]:
    """The keys of the block ``name`` as they are written, known or not."""
    entry = tree.entries.get(name) if isinstance(tree, Block) else None
    return tuple(entry.value.entries) if entry and isinstance(entry.value, Block) else ()


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _placed(misfit: Misfit, tree: Node) -> Fault:
    mark = mark_of(tree, misfit.path, Mark(1, 1))
    leaf = _node_at(tree, misfit)
    if isinstance(leaf, Leaf) and misfit.path[-1] == "where":
        mark = leaf.mark_at(misfit.offset)
    return fault_at(mark, FAMILY, misfit.code, misfit.path, misfit.what, misfit.allowed)


def _node_at(tree: Node, misfit: Misfit) -> Node | None:
    node: Node = tree
    for part in misfit.path:
        if isinstance(node, Block) and part in node.entries:
            node = node.entries[str(part)].value
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node
