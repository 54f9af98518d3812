"""CrypTen's tensors on the kernel: each party a process, shares added up by their parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensor_cases import ARITHMETIC, Case

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def ran() -> Mapping[str, Any]:
    """Every program of :mod:`tensor_worker`, in one process tree: torch is imported once."""
    process = subprocess.run(
        [sys.executable, TESTS / "tensor_worker.py", "arithmetic:3", "arithmetic:2"],
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    outcomes: Mapping[str, Any] = json.loads(process.stdout)
    for name, outcome in outcomes.items():
        assert "failed" not in outcome, (name, outcome)
    return outcomes


def check(ran: Mapping[str, Any], program: str, name: str, case: Case) -> None:
    got, expected = ran[program][name], np.array(ran["expected"][name])
    assert got["bits"] == case.bits
    assert np.array(got["value"]).shape == expected.shape
    assert np.abs(np.array(got["value"]) - expected).max() <= case.tolerance


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_right_within_one_unit_at_its_scale(
    ran: Mapping[str, Any], name: str, parties: int
) -> None:
    check(ran, f"arithmetic:{parties}", name, ARITHMETIC[name])


@pytest.mark.parametrize(
    ("rounds", "names"),
    [
        (0, ["whole public factor", "sum of bits and numbers", "quotient by fractions",
             "bits and numbers side by side"]),
        (1, ["product of bits", "bits times numbers", "square of bits", "quotient by 3",
             "quotient by whole numbers", "public factor"]),
        (2, ["product", "matrix product", "convolution in two directions", "square"]),
    ],
)  # fmt: skip
def test_a_product_takes_a_round_and_its_truncation_another(
    ran: Mapping[str, Any], rounds: int, names: list[str]
) -> None:
    assert {ran["arithmetic:3"][f"rounds of {name}"] for name in names} == {rounds}
