"""A YAML tree read as what a model expects: leaves become exact values, misfits become faults.

Nothing is guessed: a number is a decimal of its digits, a day is ISO text, and text that YAML
readers disagree about (``no``, ``1``, ``~``) must be quoted. Values that do not fit are replaced
by :data:`mpc.study.codes.FAULTY`, so that everything else can still be judged in the same run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from mpc.errors import Fault
from mpc.study.codes import (
    FAULTY,
    INEXACT,
    NOT_ALLOWED,
    QUOTE,
    REQUIRED,
    UNKNOWN_KEY,
    WRONG_TYPE,
    Path,
    fault_at,
)
from mpc.study.source import Block, Entry, Leaf, Listing, Mark, Node
from mpc.study.spelling import listed, nearest, shown
from mpc.study.wording import constraint_faults

DIGITS_BEFORE_MAX = 15
DIGITS_AFTER_MAX = 18

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_NUMBER_LIKE = re.compile(r"[+-]?(0[xob][0-9a-fA-F_]+|[0-9][0-9_,']*(\.[0-9_]*)?|\.[0-9]+).*")
_NOT_FINITE = re.compile(r"[+-]?\.?(nan|inf|infinity)", re.IGNORECASE)
_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_NULLS = frozenset({"", "~", "null"})
_SEXAGESIMAL = re.compile(r"[0-9]+(:[0-9]+)+")
_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    Decimal: "a number",
    date: "YYYY-MM-DD",
    bool: "true or false",
    dict: "a block of names",
}


class Shaper:
    """Reads one tree; ``faults`` collects, ``hints`` says for a field name what helps there."""

    def __init__(self, family: str, hints: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self._family = family
        self._hints = hints

    def model(self, model: type[BaseModel], node: Node, path: Path, anchor: Mark) -> Any:
        """``node`` as a mapping of field names to values for ``model``, or FAULTY.

        ``anchor`` is where to point if something is missing.
        """
        if not isinstance(node, Block):
            return self._misfit(node, path, f"a block with {listed(model.model_fields)}")
        values: dict[str, Any] = {}
        for key, entry in node.entries.items():
            field = model.model_fields.get(key)
            if field is None:
                self._unknown(key, entry, path, model.model_fields)
                continue
            annotation = (
                Annotated[field.annotation, field] if field.discriminator else field.annotation
            )
            values[key] = self._entry(annotation, entry, (*path, key))
        for name, field in model.model_fields.items():
            if field.is_required() and name not in values:
                values[name] = FAULTY
                self._fault(
                    REQUIRED, anchor, path, f"{name} required", self._hint(name, field.annotation)
                )
        return values

    def _hint(self, name: str, annotation: Any) -> str:
        return f"{name}: {self._wanted((name,), annotation)}"

    def _wanted(self, path: Path, annotation: Any) -> str:
        """What helps at the field that ``path`` ends in, or what its type takes."""
        return self._hints.get(str(path[-1]) if path else "") or expected(annotation)

    def _entry(self, annotation: Any, entry: Entry, path: Path) -> Any:
        value = entry.value
        if isinstance(value, Leaf) and not value.quoted and value.text.lower() in _NULLS:
            hint = f"{self._wanted(path, annotation)}, or leave the key out"
            self._fault(REQUIRED, value.mark, path, "no value", hint)
            return FAULTY
        return self._value(annotation, value, path, entry.key.mark)

    def _value(self, annotation: Any, node: Node, path: Path, anchor: Mark) -> Any:
        bare = _bare(annotation)
        origin = get_origin(bare)
        if origin in (Union, UnionType):
            return self._union(annotation, node, path, anchor)
        if origin is dict:
            return self._dict(bare, node, path)
        if origin is tuple:
            return self._tuple(bare, node, path)
        if isinstance(bare, type) and issubclass(bare, BaseModel):
            return self.model(bare, node, path, anchor)
        if not isinstance(node, Leaf):
            return self._misfit(node, path, self._wanted(path, bare))
        return self._leaf(bare, node, path)

    def _leaf(self, bare: Any, leaf: Leaf, path: Path) -> Any:
        if get_origin(bare) is Literal:
            return self._choice(get_args(bare), leaf, path)
        if isinstance(bare, type) and issubclass(bare, Enum):
            value = self._choice(tuple(item.value for item in bare), leaf, path)
            return FAULTY if value is FAULTY else bare(value)
        readers = {
            str: self._text,
            int: self._integer,
            Decimal: self._decimal,
            date: self._date,
            bool: self._boolean,
        }
        if bare not in readers:
            raise TypeError(f"no rule to read {bare!r}")
        return readers[bare](leaf, path)

    def _union(self, annotation: Any, node: Node, path: Path, anchor: Mark) -> Any:
        members = [m for m in get_args(_bare(annotation)) if m is not NoneType]
        variants = _variants(members)
        if variants is not None:
            return self._variant(*variants, node, path, anchor)
        if len(members) == 1:
            return self._value(members[0], node, path, anchor)
        if set(members) == {Decimal, date}:
            dated = isinstance(node, Leaf) and (node.quoted or node.text[4:5] == "-")
            return self._value(date if dated else Decimal, node, path, anchor)
        for member in members:
            bare = _bare(member)
            is_model = isinstance(bare, type) and issubclass(bare, BaseModel)
            if is_model and isinstance(node, Block):
                return self._built(bare, node, path, anchor)
            if not is_model and isinstance(node, Leaf):
                return self._value(member, node, path, anchor)
        return self._misfit(node, path, expected(annotation))

    def _built(self, model: type[BaseModel], node: Block, path: Path, anchor: Mark) -> Any:
        """A plain union takes an instance, so that its errors are not told once a member."""
        before = len(self.faults)
        values = self.model(model, node, path, anchor)
        if len(self.faults) > before:
            return FAULTY
        built, faults = constraint_faults(model, values, node, path, anchor, self._family)
        self.faults.extend(faults)
        return FAULTY if faults else built

    def _variant(
        self, tag: str, models: dict[str, type[BaseModel]], node: Node, path: Path, anchor: Mark
    ) -> Any:
        if not isinstance(node, Block):
            return self._misfit(node, path, f"a block with {tag}: {listed(models)}")
        entry = node.entries.get(tag)
        chosen = FAULTY
        if entry is None:
            self._fault(REQUIRED, anchor, path, f"{tag} required", f"one of {listed(models)}")
        else:
            chosen = self._entry(Literal[tuple(models)], entry, (*path, tag))
        if chosen is FAULTY:
            return {tag: FAULTY, **self._shared(tag, models, node, path, anchor)}
        return self.model(models[chosen], node, path, anchor)

    def _shared(
        self, tag: str, models: dict[str, type[BaseModel]], node: Block, path: Path, anchor: Mark
    ) -> dict[str, Any]:
        """What can be judged of a block of no known kind: keys that all kinds read alike.

        A key that kinds read differently is passed over.
        """
        known = dict.fromkeys((tag, *(key for m in models.values() for key in m.model_fields)))
        alike = {key: field for key in known if key != tag and (field := _alike(key, models))}
        values: dict[str, Any] = {}
        for key, entry in node.entries.items():
            if key in alike:
                values[key] = self._entry(alike[key].annotation, entry, (*path, key))
            elif key not in known:
                self._unknown(key, entry, path, known)
        fields: dict[str, Any] = {key: (alike[key].annotation, alike[key]) for key in values}
        probe: type[BaseModel] = create_model("Shared", **fields)
        _, faults = constraint_faults(probe, values, node, path, anchor, self._family)
        self.faults.extend(faults)
        return values

    def _unknown(self, key: str, entry: Entry, path: Path, known: Iterable[str]) -> None:
        what = f"unknown key {shown(key)}{nearest(key, known)}"
        self._fault(UNKNOWN_KEY, entry.key.mark, path, what, f"allowed: {listed(known)}")

    def _dict(self, bare: Any, node: Node, path: Path) -> Any:
        if not isinstance(node, Block):
            return self._misfit(node, path, expected(bare))
        item = get_args(bare)[1]
        values: dict[str, Any] = {}
        for key, entry in node.entries.items():
            self._text(entry.key, (*path, key))
            values[key] = self._entry(item, entry, (*path, key))
        return values

    def _tuple(self, bare: Any, node: Node, path: Path) -> Any:
        items = get_args(bare)
        if not isinstance(node, Listing):
            return self._misfit(node, path, expected(bare))
        if items[-1] is not Ellipsis and len(items) != len(node.items):
            what = f"a list of {len(node.items)}"
            self._fault(WRONG_TYPE, node.mark, path, what, expected(bare))
            return FAULTY
        return tuple(
            self._value(
                items[0] if items[-1] is Ellipsis else items[i], item, (*path, i), item.mark
            )
            for i, item in enumerate(node.items)
        )

    def _choice(self, allowed: tuple[Any, ...], leaf: Leaf, path: Path) -> Any:
        for value in allowed:
            if leaf.text == str(value) and (isinstance(value, str) or not leaf.quoted):
                return value
        words = [str(value) for value in allowed]
        guess = nearest(leaf.text, words)
        rule = f"one of {listed(words)}" if len(words) > 1 else f"only {words[0]}"
        self._fault(NOT_ALLOWED, leaf.mark, path, f"{shown(leaf.text)} is not allowed{guess}", rule)
        return FAULTY

    def _text(self, leaf: Leaf, path: Path) -> Any:
        if leaf.quoted:
            return leaf.text
        lower = leaf.text.lower()
        reading = ""
        if lower in _BOOLEANS:
            reading = "true or false"
        elif lower in _NULLS:
            reading = "nothing"
        elif (
            _SEXAGESIMAL.fullmatch(lower)
            or _DECIMAL.fullmatch(lower)
            or _NOT_FINITE.fullmatch(lower)
            or re.fullmatch(r"0[xo][0-9a-f]+", lower)
        ):
            reading = "a number"
        elif re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*", lower):
            reading = "a date"
        if not reading:
            return leaf.text
        quoted = "'" + leaf.text[:40].replace("'", "''") + "'"
        self._fault(
            QUOTE,
            leaf.mark,
            path,
            f"YAML reads {leaf.text[:40] or 'this'} as {reading}",
            f"quote it: {quoted}",
        )
        return FAULTY

    def _integer(self, leaf: Leaf, path: Path) -> Any:
        if (
            not leaf.quoted
            and _INTEGER.fullmatch(leaf.text)
            and len(leaf.text) <= 20
            and not re.match(r"[+-]?0[0-9]", leaf.text)
        ):
            return int(leaf.text)
        return self._no_number(leaf, path, "a whole number")

    def _decimal(self, leaf: Leaf, path: Path) -> Any:
        if leaf.quoted or not _DECIMAL.fullmatch(leaf.text):
            return self._no_number(leaf, path, "a number")
        value = Decimal(leaf.text) if len(leaf.text) <= 60 else None
        if value is None or not is_exact(value):
            rule = (
                f"at most {DIGITS_BEFORE_MAX} digits before the point and {DIGITS_AFTER_MAX} after"
            )
            self._fault(INEXACT, leaf.mark, path, "number beyond the exact range", rule)
            return FAULTY
        return value

    def _no_number(self, leaf: Leaf, path: Path, wanted: str) -> Any:
        text = leaf.text
        if leaf.quoted:
            return self._misfit(leaf, path, f"{wanted} without quotes")
        if _NOT_FINITE.fullmatch(text):
            self._fault(INEXACT, leaf.mark, path, f"{shown(text)} is no finite number", wanted)
            return FAULTY
        if _NUMBER_LIKE.fullmatch(text):
            code = WRONG_TYPE
            self._fault(
                code,
                leaf.mark,
                path,
                f"{shown(text)} is not {wanted}",
                f"{wanted} in plain digits, as 1000" + (" or 0.01" if wanted == "a number" else ""),
            )
            return FAULTY
        return self._misfit(leaf, path, wanted)

    def _boolean(self, leaf: Leaf, path: Path) -> Any:
        if leaf.text in ("true", "false") and not leaf.quoted:
            return leaf.text == "true"
        return self._misfit(leaf, path, "true or false")

    def _date(self, leaf: Leaf, path: Path) -> Any:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", leaf.text):
            try:
                return date.fromisoformat(leaf.text)
            except ValueError:
                pass
        self._fault(WRONG_TYPE, leaf.mark, path, f"{shown(leaf.text)} is no day", "YYYY-MM-DD")
        return FAULTY

    def _misfit(self, node: Node, path: Path, wanted: str) -> Any:
        if isinstance(node, Block):
            found = "a block of keys"
        elif isinstance(node, Listing):
            found = "a list"
        else:
            found = shown(node.text) + (" in quotes" if node.quoted else "")
        self._fault(WRONG_TYPE, node.mark, path, f"{found} does not fit here", wanted)
        return FAULTY

    def _fault(self, code: str, mark: Mark, path: Path, what: str, allowed: str) -> None:
        self.faults.append(fault_at(mark, self._family, code, path, what, allowed))


def _alike(key: str, models: Mapping[str, type[BaseModel]]) -> FieldInfo | None:
    """The field ``key``, if all models that have it read it in one way."""
    fields = [model.model_fields[key] for model in models.values() if key in model.model_fields]
    rules = [(field.annotation, field.metadata) for field in fields]
    return fields[0] if all(rule == rules[0] for rule in rules) else None


def is_exact(value: Decimal) -> bool:
    """Finite, with so few digits that arithmetic on it stays exact."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    plain_digits = value.adjusted() < DIGITS_BEFORE_MAX and int(exponent) >= -DIGITS_AFTER_MAX
    return plain_digits if value else abs(int(exponent)) <= DIGITS_AFTER_MAX


def expected(annotation: Any) -> str:
    """What may stand there, in words."""
    bare = _bare(annotation)
    origin = get_origin(bare)
    if origin in (Union, UnionType):
        return _expected_member([m for m in get_args(bare) if m is not NoneType])
    if origin is tuple:
        words = ["…" if item is Ellipsis else expected(item) for item in get_args(bare)]
        return f"{'a list ' if words[-1] == '…' else ''}[{', '.join(words)}]"
    if origin is Literal:
        return " or ".join(str(value) for value in get_args(bare))
    if isinstance(bare, type) and issubclass(bare, Enum | BaseModel):
        if issubclass(bare, Enum):
            return "one of " + listed(str(item.value) for item in bare)
        return f"a block with {listed(bare.model_fields)}"
    return _WORDS.get(origin or bare, "another value")


def _expected_member(members: list[Any]) -> str:
    variants = _variants(members)
    if variants is not None:
        return f"a block with {variants[0]}: {listed(variants[1])}"
    return ", or ".join(expected(member) for member in members)


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _variants(members: list[Any]) -> tuple[str, dict[str, type[BaseModel]]] | None:
    """The tag and its models, if every member is a model with a one-word Literal of that name."""
    for tag in ("kind", "type", "format"):
        models: dict[str, type[BaseModel]] = {}
        for member in members:
            bare = _bare(member)
            field = getattr(bare, "model_fields", {}).get(tag)
            words = get_args(field.annotation) if field is not None else ()
            if len(words) == 1:
                models[words[0]] = bare
        if len(members) > 1 and len(models) == len(members):
            return tag, models
    return None
