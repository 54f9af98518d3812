"""The visits scenario, its data, and its plain answers."""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from mpc.study.model import Study
from mpc.study.parse import parse_study

FOLDER = Path(__file__).parents[1] / "scenarios" / "visits"
SCENARIO = FOLDER / "scenario.yaml"


def visits() -> Study:
    return parse_study(SCENARIO.read_bytes(), str(SCENARIO))


def write_visits(folder: Path) -> dict[str, Path]:
    """Every insurer's file, party to path."""
    paths: dict[str, Path] = recipe().write(folder)
    return paths


@cache
def recipe() -> ModuleType:
    spec = spec_from_file_location("visits_recipe", FOLDER / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def expected_cells() -> dict[str, list[dict[str, int | str]]]:
    """``expected.json``: plain sums of every cell, not centred."""
    cells: dict[str, list[dict[str, int | str]]] = json.loads(
        (FOLDER / "expected.json").read_text()
    )
    return cells
