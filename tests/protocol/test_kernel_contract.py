"""One contract for kernel programs on both engines: in this process on numpy, and under CrypTen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from kernel_contract import KernelContract, Outcome, on_words, programs
from kernel_parties import NAMES, run, run_ends

from mpc.protocols.multiply import multiply
from mpc.protocols.opening import Cost

TESTS = Path(__file__).parents[1]


class TestInProcess(KernelContract):
    """Parties are threads, products are numpy's, the network is in memory."""

    def outcome(self, name: str, parties: int) -> Outcome:
        program = programs()[name]
        ran = run(on_words(program), *program.case.secrets, parties=parties)
        records = {tuple(opened.values) for opened in ran.opened.values()}
        return Outcome(ran.outputs, ran.costs[NAMES[0]], len(records))

    def refusal_of_what_is_not_planned(self) -> str:
        numbers = np.arange(3)
        ends, *_ = run_ends(multiply, numbers, numbers, planned=lambda _place, _recipes: ())
        assert len(ends.errors) == 3
        return str(ends.errors[NAMES[0]])


class TestUnderCrypten(KernelContract):
    """Parties are processes over the direct lane, products are torch's, expressions CrypTen's."""

    told: ClassVar[Mapping[str, Any]]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _ran(cls) -> None:
        """Every program of every number of parties in one process tree."""
        process = subprocess.run(
            [sys.executable, TESTS / "tensor_worker.py", "contract:2", "contract:3", "contract:5"],
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert process.returncode == 0, process.stderr
        cls.told = json.loads(process.stdout)
        for outcome in cls.told.values():
            assert "failed" not in outcome, outcome

    def outcome(self, name: str, parties: int) -> Outcome:
        told = self.told[f"contract:{parties}"]
        parts = [np.array(told[f"{name}, {at}"]["value"]) for at in range(told[f"parts of {name}"])]
        output = parts[0] if told[f"is one of {name}"] else parts
        return Outcome(output, Cost(*told[f"cost of {name}"]), len(told["record of openings"]))

    def refusal_of_what_is_not_planned(self) -> str:
        return str(self.told["contract:3"]["refused"])
