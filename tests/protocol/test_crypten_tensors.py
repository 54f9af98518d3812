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
from tensor_cases import ARITHMETIC, COMPARISONS, FUNCTIONS, GRADIENTS, Case
from tensor_training import STEPS, TRAININGS

PROGRAMS = [
    "arithmetic:3",
    "arithmetic:2",
    "comparisons:3",
    "comparisons:2",
    "functions:3",
    "gradients:3",
    "training:3",
    "refused:2",
]
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def ran() -> Mapping[str, Any]:
    """Every program of :mod:`tensor_worker`, in one process tree: torch is imported once."""
    process = subprocess.run(
        [sys.executable, TESTS / "tensor_worker.py", *PROGRAMS],
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


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_and_selections_are_exact(
    ran: Mapping[str, Any], name: str, parties: int
) -> None:
    check(ran, f"comparisons:{parties}", name, COMPARISONS[name])


@pytest.mark.parametrize(
    ("rounds", "name"),
    [(4, "below"), (4, "equal"), (4, "relu"), (4, "absolute"), (5, "chosen by shares"),
     (5, "within a range"), (5, "zero outside a range"),
     (5, "largest along an axis"), (5, "where the largest is"), (13, "smallest of many")],
)  # fmt: skip
def test_a_comparison_takes_4_rounds_and_a_choice_by_it_one_more(
    ran: Mapping[str, Any], rounds: int, name: str
) -> None:
    assert ran["comparisons:3"][f"rounds of {name}"] == rounds


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_right_within_their_domain(ran: Mapping[str, Any], name: str) -> None:
    check(ran, "functions:3", name, FUNCTIONS[name])


@pytest.mark.parametrize(
    ("name", "wrt"), [(name, each) for name, slope in GRADIENTS.items() for each in slope.wrt]
)
def test_gradients_are_those_of_torch(ran: Mapping[str, Any], name: str, wrt: str) -> None:
    got = np.array(ran["gradients:3"][f"{name} by {wrt}"]["value"])
    expected = np.array(ran["expected"][f"{name} by {wrt}"])
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= GRADIENTS[name].tolerance


@pytest.mark.parametrize("name", TRAININGS)
def test_a_model_trains_as_in_torch(ran: Mapping[str, Any], name: str) -> None:
    """Losses and every weight after four steps; CrypTen's log is right to 0.08."""
    told = {key: value for key, value in ran["training:3"].items() if key.startswith(f"{name},")}
    assert len(told) == STEPS + 4
    for key, value in told.items():
        allowed = 0.08 if "loss" in key else 0.02
        assert np.abs(np.array(value["value"]) - ran["expected"][key]).max() < allowed, key
    losses = [told[f"{name}, loss {at}"]["value"] for at in range(STEPS)]
    assert losses[-1] < losses[0]


def test_what_is_refused_raises_what_nothing_takes_for_a_lack_of_memory(
    ran: Mapping[str, Any],
) -> None:
    """H17: CrypTen retries on a RuntimeError."""
    refusals = ran["refused:2"]
    assert len(refusals) == 17
    for name, said in refusals.items():
        assert said.startswith("SecretMisuseError"), name


def test_a_program_is_rehearsed_before_the_session_alone() -> None:
    """That what was rehearsed is what is dealt: every program here runs on its rehearsal."""
    script = """
from mpc.backend.rehearsal import rehearse_tensors
import crypten
needs = rehearse_tensors(lambda x, y: (x * y).relu(), (3, 4), (3, 4), parties=5)
print(needs.cost.rounds, len(needs.recipes), crypten.comm.is_initialized())
crypten.communicator.DistributedCommunicator.instance = object()
rehearse_tensors(lambda: None)
"""
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert process.stdout.split() == ["6", "6", "False"]
    assert "before the session starts" in process.stderr
