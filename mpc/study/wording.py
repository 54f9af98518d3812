"""Pydantic's refusals told as faults of a file: where, what is wrong, what is allowed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mpc.errors import Fault
from mpc.study.codes import BOUNDS, BUDGET, FAULTY, LEVELS, NOT_ALLOWED, PARTIES, Path, fault_at
from mpc.study.source import Block, Leaf, Listing, Mark, Node
from mpc.study.spelling import shown
from mpc.units import ID_PATTERN, NAME_PATTERN

M = TypeVar("M", bound=BaseModel)

_FIELD_CODES = {
    "bounds": BOUNDS, "step": BOUNDS, "levels": LEVELS, "weight": BUDGET, "rho": BUDGET,
}  # fmt: skip

TWICE = "a level twice"

_RULES: dict[str, tuple[str, str, str]] = {
    # rule of a model: field it is about, what is wrong, what is allowed
    "bounds must be [lower, upper] with lower < upper": (
        "bounds", "lower bound is not below upper bound", "bounds: [lower, upper], lower < upper"),
    "bounds must be [first, last] with first < last": (
        "bounds", "first day is not before last day", "bounds: [first, last], first < last"),
    "bounds must be multiples of step": (
        "bounds", "bounds lie off the grid", "multiples of step"),
    "bounds exceed the exact range: at most 2^52 steps from zero": (
        "bounds", "bounds exceed the exact range",
        "at most 2^52 steps from zero: narrow the bounds or widen the step"),
    "step must be above 0": ("step", "step is not above 0", "a number above 0"),
    "missing value must lie on the grid within bounds": (
        "missing", "value off the grid or out of bounds", "a multiple of step within bounds"),
    "missing level must be a declared level": (
        "missing", "not a declared level", "one of the column's levels"),
    "levels must be distinct (after Unicode NFC)": (
        "levels", TWICE, "each level once (compared after Unicode NFC)"),
    "give weight or rho, not both": (
        "weight", "weight and rho both given", "weight or rho, not both"),
    "text must be printable, without hidden characters": (
        "", "hidden characters", "printable text"),
    "text must be printable, without line breaks and hidden characters": (
        "", "line breaks or hidden characters", "printable text on one line (use >- to fold)"),
    "group_rows_max exceeds rows_max": (
        "group_rows_max", "more than rows_max", "at most rows_max"),
    "by names each column once": ("by", "a column twice", "each column once"),
    "noises names each once": ("noises", "a noise twice", "each once, of own, dealt, joint"),
    "a probability has at most 4 decimals": (
        "probability", "more than 4 decimals", "at most 4, as 0.3333"),
}  # fmt: skip

_PATTERNS = {
    ID_PATTERN: "lower-case words joined by hyphens, as insurer-north",
    NAME_PATTERN: "lower-case letters, digits and _, starting with a letter",
}

_COMPARISONS = {
    "greater_than": ("gt", "above"), "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"), "less_than_equal": ("le", "at most"),
}  # fmt: skip

_OF_TAGS = ("union_tag_invalid", "union_tag_not_found")  # told with the tag itself

_PLURALS = {"by": "columns", "bounds": "values"}


def constraint_faults(
    model: type[M], values: Any, tree: Node, path: Path, anchor: Mark, family: str
) -> tuple[M | None, list[Fault]]:
    """``values`` as an instance of ``model``, or None with its faults, told once.

    Misfits at :data:`FAULTY` are silent: they were told before.
    """
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    faults = []
    for detail in details:
        place = _place(values, detail["loc"])
        if place is None or detail["type"] in _OF_TAGS or _is_counted_wrong(detail, values, place):
            continue
        field, code, what, allowed = wording(detail, place)
        if field and place[-1:] != (field,):
            place = (*place, field)
        if what == TWICE:
            place, what = _second(values, place)
        mark = mark_of(tree, place, anchor, key=detail["loc"][-1:] == ("[key]",))
        faults.append(fault_at(mark, family, code, (*path, *place), what, allowed))
    return None, faults


def _place(values: Any, loc: Iterable[str | int]) -> Path | None:
    """``loc`` without the names of union members, or None if it leads to a faulty value."""
    place: list[str | int] = []
    for part in loc:
        if values is FAULTY:
            return None
        known = (isinstance(values, Mapping) and part in values) or (
            isinstance(values, tuple) and isinstance(part, int) and part < len(values)
        )
        if known:
            values = values[part]
            place.append(part)
    return None if values is FAULTY else tuple(place)


def _second(values: Any, place: Path) -> tuple[Path, str]:
    """The first level that stands there again, and what to say of it."""
    for part in place:
        values = values[part]
    seen: set[str] = set()
    for index, level in enumerate(unicodedata.normalize("NFC", level) for level in values):
        if level in seen:
            return (*place, index), f"level {shown(level)} again"
        seen.add(level)
    return place, TWICE


def _is_counted_wrong(detail: Any, values: Any, place: Path) -> bool:
    """Pydantic does not count faulty members; the author did write them."""
    if detail["type"] != "too_short":
        return False
    for part in place:
        values = values[part]
    return len(values) >= int(detail["ctx"]["min_length"])


def mark_of(tree: Node, path: Iterable[str | int], anchor: Mark, *, key: bool = False) -> Mark:
    """Where ``path`` stands, or the last part of it that the file has; ``key`` for its name."""
    node, mark = tree, anchor
    for part in path:
        if isinstance(node, Block) and part in node.entries:
            entry = node.entries[str(part)]
            node, mark = entry.value, entry.value.mark
            if key or not isinstance(node, Leaf | Listing):
                mark = entry.key.mark
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            mark = node.mark
        else:
            return mark
    return mark


def wording(detail: Any, place: Path) -> tuple[str, str, str, str]:
    """Field in ``place`` (or nothing), code, what is wrong, what is allowed."""
    kind, context = detail["type"], detail.get("ctx", {})
    name = str(place[-1]) if place else "file"
    code = _FIELD_CODES.get(name, NOT_ALLOWED)
    if kind == "value_error":
        message = str(context.get("error", detail["msg"]))
        field, what, allowed = _rule(message)
        if not field and message in _RULES:
            code = NOT_ALLOWED  # a rule of all text, wherever it stands
        return field, _FIELD_CODES.get(field, code), what, allowed
    if kind in ("too_short", "too_long"):
        return "", *_counted(kind, name, context, code)
    key = f": {name[:40]!r}" if "[key]" in detail["loc"] else ""
    what, allowed = _plain_rule(kind, context) or (str(detail["msg"]).lower(), "")
    return "", code, what + key, allowed


def _plain_rule(kind: str, context: Any) -> tuple[str, str] | None:
    """What is wrong and what is allowed by a rule on one value."""
    if kind in _COMPARISONS:
        bound, words = _COMPARISONS[kind]
        return "out of range", f"{words} {context[bound]}"
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return "not a name", _PATTERNS.get(pattern, f"pattern {pattern}")
    if kind == "string_too_short":
        return "empty text", "at least one character"
    if kind == "string_too_long":
        return "text too long", f"at most {context['max_length']} characters"
    return None


def _rule(message: str) -> tuple[str, str, str]:
    known = _RULES.get(message)
    if known is not None:
        return known
    word = re.match(r"(levels|bounds|step|missing|bins|by)\b", message)
    what, must, allowed = message.partition(" must ")
    if must:
        return word.group() if word else "", f"{what} do not fit", f"must {allowed}"
    return word.group() if word else "", message, ""


def _counted(kind: str, name: str, context: Any, code: str) -> tuple[str, str, str]:
    if name == "parties":
        what = f"{context['actual_length']} parties"
        if kind == "too_short":
            what = {0: "no party", 1: "one party"}.get(context["actual_length"], what)
            return PARTIES, what, "at least two parties"
        return PARTIES, "too many parties", f"at most {context['max_length']} parties"
    nouns = _PLURALS.get(name, name if name.endswith("s") else "entries")
    if kind == "too_short":
        return code, f"too few {nouns}", f"at least {context['min_length']}"
    return code, f"too many {nouns}", f"at most {context['max_length']}"
