"""YAML text as a tree of nodes that know where they stand. No values are guessed here.

A leaf keeps its text and whether it was quoted; what it means is decided by what is expected of
it (:mod:`mpc.study.shape`). Anchors, aliases, tags and several documents are refused: they make
small files large and one key mean two things. Text is brought to Unicode NFC.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from mpc.errors import Fault
from mpc.study.spelling import safe, shown

BYTES_MAX = 512 << 10
DEPTH_MAX = 12
NODES_MAX = 50_000

SYNTAX = "001"
ENCODING = "002"
LIMIT = "003"
FOREIGN = "004"
DUPLICATE = "011"


@dataclass(frozen=True)
class Mark:
    """A place in the file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Leaf:
    """A scalar: its text after YAML's own unquoting and unfolding."""

    text: str
    quoted: bool
    mark: Mark
    raw: str = field(repr=False)  # as written, from mark on

    def mark_at(self, offset: int) -> Mark:
        """Where character ``offset`` of ``text`` stands in the file.

        Follows the characters through folding and quote doubling; the start of the leaf if it
        holds escapes.
        """
        if "\\" in self.raw and self.raw.startswith('"'):
            return self.mark
        position = 0
        if self.raw[:1] in ("|", ">"):
            position = self.raw.find("\n") + 1
        elif self.raw[:1] in ("'", '"'):
            position = 1
        single = self.raw.startswith("'")
        for character in self.text[:offset]:
            position = self._after(character, position)
            if single and character == "'":
                position += 1
        if offset < len(self.text):
            position = self._after(self.text[offset], position) - 1
        if position < 0 or position > len(self.raw):
            return self.mark
        breaks = self.raw.count("\n", 0, position)
        if breaks == 0:
            return Mark(self.mark.line, self.mark.column + position)
        return Mark(self.mark.line + breaks, position - self.raw.rfind("\n", 0, position))

    def _after(self, character: str, position: int) -> int:
        if character.isspace():
            return position
        return self.raw.find(character, position) + 1 or len(self.raw) + 2


@dataclass(frozen=True)
class Entry:
    """One ``key: value`` of a block."""

    key: Leaf
    value: Node


@dataclass(frozen=True)
class Block:
    """A YAML mapping; keys are distinct, in the order of the file."""

    entries: dict[str, Entry]
    mark: Mark


@dataclass(frozen=True)
class Listing:
    """A YAML sequence."""

    items: tuple[Node, ...]
    mark: Mark


Node: TypeAlias = "Leaf | Block | Listing"


class Unreadable(Exception):
    """The file has no tree; carries why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


def read_tree(data: bytes, family: str) -> tuple[Node, tuple[Fault, ...]]:
    """The tree of ``data`` and the faults that leave it readable (duplicate keys).

    ``family`` opens every code (``PLY-S`` gives ``PLY-S001``). Raises Unreadable.
    """
    text = _decoded(data, family)
    builder = _Builder(text, family)
    try:
        return builder.document(), tuple(builder.faults)
    except MarkedYAMLError as error:
        raise Unreadable(_syntax_fault(error, family)) from None
    except YAMLError:
        raise Unreadable(Fault(family + SYNTAX, "file", "not YAML", line=1, column=1)) from None


def _decoded(data: bytes, family: str) -> str:
    if len(data) > BYTES_MAX:
        what = f"{len(data)} bytes"
        raise Unreadable(
            Fault(family + LIMIT, "file", what, f"at most {BYTES_MAX} bytes", line=1, column=1)
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        last = before[before.rfind(b"\n") + 1 :]
        column = len(last.decode("utf-8", "replace")) + 1
        raise Unreadable(
            Fault(
                family + ENCODING,
                "file",
                "not UTF-8 text",
                "save the file as UTF-8",
                line=line,
                column=column,
            )
        ) from None
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]", text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        raise Unreadable(
            Fault(
                family + ENCODING,
                "file",
                "a control character",
                "printable text only",
                line=line,
                column=column,
            )
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _syntax_fault(error: MarkedYAMLError, family: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = " ".join(str(error.problem or "not YAML").split())
    context = " ".join(str(error.context or "").split())
    what = f"not YAML: {problem}" + (f" {context}" if context else "")
    allowed = ""
    if "'\\t'" in what:
        allowed = "indent with blanks, not tabs"
    return Fault(family + SYNTAX, "file", what[:200], allowed, line=line, column=column)


class _Builder:
    """Turns the parser's events into nodes; every limit is met before anything is built on it."""

    def __init__(self, text: str, family: str) -> None:
        self._text = text
        self._family = family
        self._nodes = 0
        self.faults: list[Fault] = []
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent) and root is not None:
                self._refuse(FOREIGN, event, "a second document (---)", "one document a file")
            if isinstance(event, NodeEvent):
                root = self._node(event, ())
        if root is None or (isinstance(root, Leaf) and not root.text and not root.quoted):
            raise Unreadable(
                Fault(self._family + SYNTAX, "file", "the file is empty", line=1, column=1)
            )
        return root

    def _node(self, event: Event, path: tuple[str, ...]) -> Node:
        self._nodes += 1
        if len(path) >= DEPTH_MAX:
            self._refuse(LIMIT, event, "too deeply nested", f"at most {DEPTH_MAX} levels")
        if self._nodes > NODES_MAX:
            self._refuse(LIMIT, event, "too many values", f"at most {NODES_MAX} in a file")
        self._check_plain(event)
        mark = _mark(event)
        if isinstance(event, ScalarEvent):
            raw = self._text[event.start_mark.index : event.end_mark.index]
            text = unicodedata.normalize("NFC", str(event.value))
            if event.style in ("|", ">"):
                text = text.rstrip("\n")
            return Leaf(text, event.style is not None and event.style != "", mark, raw)
        if isinstance(event, SequenceStartEvent):
            return Listing(tuple(self._items(path)), mark)
        return Block(self._entries(path), mark)

    def _items(self, path: tuple[str, ...]) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                return
            yield self._node(event, (*path, "[]"))

    def _entries(self, path: tuple[str, ...]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._node(event, (*path, "?"))
            name = key.text if isinstance(key, Leaf) else "?"
            value = self._node(next(self._events), (*path, name))
            if not isinstance(key, Leaf):
                self._refuse(SYNTAX, event, "a key that is a list or block", "keys are words")
            elif key.text in entries:
                first = entries[key.text].key.mark
                self.faults.append(
                    Fault(
                        self._family + DUPLICATE,
                        ".".join(safe(part) for part in (*path, key.text)),
                        f"key {shown(key.text)} again",
                        f"each key once; it is also in line {first.line}",
                        line=key.mark.line,
                        column=key.mark.column,
                    )
                )
            else:
                entries[key.text] = Entry(key, value)
        return entries

    def _check_plain(self, event: Event) -> None:
        if isinstance(event, AliasEvent):
            self._refuse(FOREIGN, event, f"alias *{event.anchor}"[:60], "write the value out")
        for name, sign in (("anchor", "&"), ("tag", "")):
            given = getattr(event, name, None)
            if given is not None:
                self._refuse(FOREIGN, event, f"{name} {sign}{given}"[:60], "write the value out")

    def _refuse(self, code: str, event: Event, what: str, allowed: str) -> None:
        mark = _mark(event)
        raise Unreadable(
            Fault(self._family + code, "file", what, allowed, line=mark.line, column=mark.column)
        )


def _mark(event: Event) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
