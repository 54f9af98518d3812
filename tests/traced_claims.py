"""Tables in documents that trace what is said to the tests that hold it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent


def names_in(text: str) -> list[tuple[str, str]]:
    """Every ``file::test`` in backticks: the file below ``tests/``, and the function."""
    return sorted(set(re.findall(r"`([^`\s]+)::(\w+)`", text)))


def section(text: str, heading: str) -> str:
    """What stands under ``## heading``."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def rows_under(text: str, heading: str) -> list[list[str]]:
    """Cells of the table under a heading, without its head."""
    lines = [line for line in section(text, heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@cache
def functions_of(file: str) -> frozenset[str]:
    """Functions of a test file that pytest runs; none if there is no such file."""
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
