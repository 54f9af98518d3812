"""The one plain form of a study: what parties exchange, hash and sign. Never YAML.

Models become objects with every field (some only where they are given), mappings by name
become lists of [name, value] pairs (the order of parties, columns and questions has meaning),
decimals their shortest plain digits, days ISO text. Each study has exactly one form, and
:func:`study_from_plain` accepts no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mpc.canonical import Plain, canonical_bytes
from mpc.columns.model import LeftOutIfNone
from mpc.errors import Fault, StudyFaults
from mpc.study.checks import misfits, parts_of
from mpc.study.codes import CANONICAL, FAMILY, Path, fault_at
from mpc.study.model import Study
from mpc.study.shape import is_exact
from mpc.study.source import Block, Mark
from mpc.study.wording import constraint_faults

PROPOSAL = "<proposal>"
NOWHERE = Mark(0, 0)
DIGITS = re.compile(r"(?P<sign>-?)(0|[1-9][0-9]{0,14})(\.[0-9]{0,17}[1-9])?")


def study_to_plain(study: Study) -> dict[str, Plain]:
    """The plain form of ``study``. Raises ValueError on decimals beyond exact range."""
    plain = _plain(study)
    if not isinstance(plain, dict):
        raise TypeError("a study is an object")
    return plain


def study_from_plain(plain: Plain) -> Study:
    """The study whose plain form is exactly ``plain``, checked as a file would be.

    Raises StudyFaults (file ``<proposal>``).
    """
    try:
        values = _valued(Study, plain)
    except _NotCanonical as stop:
        raise StudyFaults(PROPOSAL, (_fault(stop.path, stop.what),)) from None
    nothing = Block({}, NOWHERE)
    study, faults = constraint_faults(Study, values, nothing, (), NOWHERE, FAMILY)
    if study is None:
        raise StudyFaults(PROPOSAL, tuple(faults))
    found = tuple(
        fault_at(NOWHERE, FAMILY, m.code, m.path, m.what, m.allowed)
        for m in misfits(parts_of(study))
    )
    if found:
        raise StudyFaults(PROPOSAL, found)
    if canonical_bytes(study_to_plain(study)) != canonical_bytes(plain):
        raise StudyFaults(PROPOSAL, (_fault((), "another spelling of the same study"),))
    return study


def decimal_text(value: Decimal) -> str:
    """The shortest plain digits of ``value``: ``0.5``, ``1000``, ``0``."""
    if not is_exact(value):
        raise ValueError("decimal beyond the exact range")
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _plain(value: Any) -> Plain:
    if isinstance(value, BaseModel):
        given = {name: getattr(value, name) for name in type(value).model_fields}
        optional = _optional(type(value))
        return {
            name: _plain(item)
            for name, item in given.items()
            if item is not None or name not in optional
        }
    if isinstance(value, dict):
        return [[name, _plain(item)] for name, item in value.items()]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return decimal_text(value)
    if value is None or isinstance(value, int | str):  # a StrEnum is its word
        return value if type(value) in (NoneType, bool, int) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no plain form")


def _optional(model: type[BaseModel]) -> frozenset[str]:
    """The fields that stand in the plain form only where they are given."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, LeftOutIfNone) for mark in field.metadata)
    )


class _NotCanonical(Exception):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what


def _fault(path: Path, what: str) -> Fault:
    return fault_at(NOWHERE, FAMILY, CANONICAL, path, what, "the canonical form of a study")


def _valued(annotation: Any, plain: Any, path: Path = ()) -> Any:
    """``plain`` with the exact types that the strict model takes; misfits are left to the model."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _member(annotation, plain, path)
    if origin is dict:
        return _named(get_args(annotation)[1], plain, path)
    if origin is tuple:
        return _listed(get_args(annotation), plain, path)
    if origin is None and issubclass(annotation, BaseModel):
        return _fields(annotation, plain, path)
    return _scalar(annotation, plain, path)


def _scalar(annotation: Any, plain: Any, path: Path) -> Any:
    if annotation is Decimal:
        return _decimal(plain, path)
    if annotation is date:
        return _day(plain, path)
    if get_origin(annotation) is None and issubclass(annotation, Enum):
        if plain not in [item.value for item in annotation]:
            raise _NotCanonical(path, "not one of the words allowed")
        return annotation(plain)
    return plain  # text, whole numbers and words: the model is strict


def _fields(model: type[BaseModel], plain: Any, path: Path) -> dict[str, Any]:
    if not isinstance(plain, dict) or not _has_fields(model, plain):
        raise _NotCanonical(path, f"not an object with exactly {', '.join(model.model_fields)}")
    return {
        name: _valued(field.annotation, plain[name], (*path, name))
        for name, field in model.model_fields.items()
        if name in plain
    }


def _member(union: Any, plain: Any, path: Path) -> Any:
    members = [m for m in get_args(union) if m is not NoneType]
    if plain is None and NoneType in get_args(union):
        return None
    if isinstance(plain, dict):
        for model in _models(members):
            if _fits(model, plain):
                fields = _fields(model, plain, path)
                return fields if _tags(model) else _instance(model, fields, path)
        raise _NotCanonical(path, "no such kind of object")
    others = [m for m in members if not (isinstance(m, type) and issubclass(m, BaseModel))]
    if set(others) == {Decimal, date}:
        dated = isinstance(plain, str) and plain[4:5] == "-"
        return _valued(date if dated else Decimal, plain, path)
    if len(others) != 1:
        raise _NotCanonical(path, "not an object")
    return _valued(others[0], plain, path)


def _tags(model: type[BaseModel]) -> list[str]:
    return [name for name in ("kind", "type") if name in model.model_fields]


def _fits(model: type[BaseModel], plain: dict[str, Plain]) -> bool:
    return _has_fields(model, plain) and all(
        plain[tag] in get_args(model.model_fields[tag].annotation) for tag in _tags(model)
    )


def _has_fields(model: type[BaseModel], plain: dict[str, Plain]) -> bool:
    known = set(model.model_fields)
    return known - _optional(model) <= set(plain) <= known


def _instance(model: type[BaseModel], fields: dict[str, Any], path: Path) -> BaseModel:
    try:
        return model.model_validate(fields)
    except ValidationError:
        raise _NotCanonical(path, "values out of range") from None


def _models(members: list[Any]) -> Iterator[type[BaseModel]]:
    for member in members:
        while get_origin(member) is Annotated:
            member = get_args(member)[0]  # noqa: PLW2901
        if isinstance(member, type) and issubclass(member, BaseModel):
            yield member


def _named(item: Any, plain: Any, path: Path) -> dict[str, Any]:
    if not isinstance(plain, list | tuple):
        raise _NotCanonical(path, "not a list of [name, value] pairs")
    values: dict[str, Any] = {}
    for pair in plain:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise _NotCanonical(path, "not a list of [name, value] pairs")
        if pair[0] in values:
            raise _NotCanonical((*path, pair[0]), "a name twice")
        values[pair[0]] = _valued(item, pair[1], (*path, pair[0]))
    return values


def _listed(items: tuple[Any, ...], plain: Any, path: Path) -> tuple[Any, ...]:
    if not isinstance(plain, list | tuple):
        raise _NotCanonical(path, "not a list")
    if items[-1] is Ellipsis:
        return tuple(_valued(items[0], item, (*path, i)) for i, item in enumerate(plain))
    if len(items) != len(plain):
        raise _NotCanonical(path, f"not a list of {len(items)}")
    return tuple(_valued(items[i], item, (*path, i)) for i, item in enumerate(plain))


def _decimal(plain: Any, path: Path) -> Decimal:
    found = DIGITS.fullmatch(plain) if isinstance(plain, str) else None
    if found is None or plain == "-0":
        raise _NotCanonical(path, "not a decimal in its shortest plain digits")
    return Decimal(plain)


def _day(plain: Any, path: Path) -> date:
    try:
        day = date.fromisoformat(plain)
        if day.isoformat() == plain:
            return day
    except (ValueError, TypeError):
        pass
    raise _NotCanonical(path, "not a day as YYYY-MM-DD")
