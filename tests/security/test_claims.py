"""SECURITY.md promises nothing that tests/security/README.md does not trace to a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from traced_claims import functions_of, names_in, rows_under, section

ROOT = Path(__file__).parents[2]
TRACE = Path(__file__).with_name("README.md").read_text()
NAMED = names_in(TRACE)


def flat(text: str) -> str:
    """One line, so that a quote may cross the ends of lines."""
    return " ".join(text.split())


SECURITY = (ROOT / "SECURITY.md").read_text()
LEARNED = rows_under(TRACE, "Who learns what")
PROTECTED = rows_under(TRACE, "What is protected")
HARDENED = rows_under(TRACE, "CrypTen, hardened")


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
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
