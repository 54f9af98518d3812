"""Every audit, planted fault and known pitfall names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from traced_claims import functions_of, names_in, rows_under

README = Path(__file__).with_name("README.md").read_text()
NAMED = names_in(README)
AUDITS, FAULTS, PITFALLS = (
    rows_under(README, heading) for heading in ("Audits", "Planted faults", "Pitfalls")
)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    assert name in functions_of(file)


def test_all_28_pitfalls_have_tests_or_a_reason() -> None:
    assert [cells[0] for cells in PITFALLS] == [str(number) for number in range(1, 29)]
    for cells in PITFALLS:
        assert re.search(r"`[\w/]+\.py::test_\w+`", cells[-1]) or cells[-1].endswith(".")


def test_every_audit_and_every_planted_fault_has_tests() -> None:
    assert len(FAULTS) >= 8
    for cells in (*AUDITS, *FAULTS):
        assert re.fullmatch(r"`[\w/]+\.py::test_\w+`( `[\w/]+\.py::test_\w+`)*", cells[-1]), cells


def test_every_file_of_audits_is_named() -> None:
    files = {f"privacy/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    own = {"privacy/test_pitfalls.py"}
    assert files - own - {file for file, _ in NAMED} == set()
