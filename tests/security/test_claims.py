"""SECURITY.md promises nothing that tests/security/README.md does not trace to a test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
TRACE = Path(__file__).with_name("README.md").read_text()
NAMED = sorted(set(re.findall(r"`([^`\s]+)::(\w+)`", TRACE)))


def flat(text: str) -> str:
    """One line, so that a quote may cross the ends of lines."""
    return " ".join(text.split())


def section(text: str, heading: str) -> str:
    """What stands under ``## heading``."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def rows(heading: str) -> list[list[str]]:
    """Cells of the table under a heading of the trace, without its head."""
    lines = [line for line in section(TRACE, heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


SECURITY = (ROOT / "SECURITY.md").read_text()
LEARNED = rows("Who learns what")
PROTECTED = rows("What is protected")
HARDENED = rows("CrypTen, hardened")


@cache
def functions_of(file: str) -> frozenset[str]:
    """Functions of a test file that pytest runs."""
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    assert (TESTS / file).is_file(), file
    assert name in functions_of(file)


def test_every_row_names_tests_and_every_name_is_read() -> None:
    for cells in (*LEARNED, *PROTECTED, *HARDENED):
        assert re.fullmatch(r"`[\w/]+\.py::test_\w+`( `[\w/]+\.py::test_\w+`)*", cells[-1]), cells
    assert len(NAMED) > 50


@pytest.mark.parametrize(
    "claim", [cells[0] for cells in LEARNED] + [cells[1] for cells in PROTECTED]
)
def test_a_claim_is_quoted_as_it_stands(claim: str) -> None:
    assert claim in flat(SECURITY)


def test_every_paragraph_on_what_is_protected_is_traced() -> None:
    paragraphs = re.findall(r"^\*\*(.+?)\.\*\*", section(SECURITY, "What is protected"), re.M)
    assert len(paragraphs) >= 5
    assert {cells[0] for cells in PROTECTED} == set(paragraphs)


def test_every_row_on_crypten_is_traced() -> None:
    stated = re.findall(r"^\| (H[\d, H]+) \|", section(SECURITY, "CrypTen, hardened"), re.M)
    assert len(stated) >= 16
    assert [cells[0] for cells in HARDENED] == stated
