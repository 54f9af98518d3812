"""The visits scenario: its recipe is the same everywhere and its file says what its data are."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import subprocess
import sys
from decimal import Decimal
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.study.parse import parse_study
from mpc.units import Adjacency

pytest.importorskip("statsmodels")

FOLDER = Path(__file__).parents[3] / "scenarios" / "visits"
STUDY = parse_study((FOLDER / "scenario.yaml").read_bytes(), "scenario.yaml")
SHA256 = {
    "insurer-north": "9a8931315391f20ef83f7ac9447cdad6cfdcea08f103d12180aabe480ad258d0",
    "insurer-south": "54fbf3a61c91ca56b35b72ccb48c4208a4e38632a66f35fc0e6c0dc2dae02288",
    "insurer-west": "d0d4b844bf714e52df1ba6048be021acb4a9718087cdf2dbc603eda724d8164b",
}


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("visits_recipe", FOLDER / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables(recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths: dict[str, Path] = recipe.write(tmp_path_factory.mktemp("visits"))
    return paths


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_recipe_gives_each_party_of_the_study_the_same_bytes_everywhere(
    tables: dict[str, Path],
) -> None:
    assert list(tables) == list(STUDY.parties)
    assert {
        party: hashlib.sha256(path.read_bytes()).hexdigest() for party, path in tables.items()
    } == SHA256


def test_the_recipe_runs_as_a_command(tables: dict[str, Path], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(FOLDER / "recipe.py"), "--out", str(tmp_path / "new")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    for party, path in tables.items():
        assert (tmp_path / "new" / f"{party}.csv").read_bytes() == path.read_bytes()


def test_every_row_is_given_out_once_in_unequal_parts(tables: dict[str, Path]) -> None:
    counts = {party: len(rows_of(path)) for party, path in tables.items()}
    assert sum(counts.values()) == 20_190
    assert len(set(counts.values())) == 3
    assert all(counts[party] <= entry.rows_max for party, entry in STUDY.parties.items())


def test_the_declared_bounds_and_levels_hold_every_cell(tables: dict[str, Path]) -> None:
    for path in tables.values():
        rows = rows_of(path)
        assert set(rows[0]) == set(STUDY.table.columns)
        for name, column in STUDY.table.columns.items():
            cells = {row[name] for row in rows}
            if isinstance(column, CategoryColumn):
                assert cells <= set(column.levels)
            else:
                assert isinstance(column, NumberColumn)
                low, high = column.bounds
                assert all(low <= Decimal(cell) <= high for cell in cells)


def test_the_stored_answers_are_those_of_the_recipe(recipe: ModuleType) -> None:
    stored = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
    assert stored == recipe.expected()
    assert list(stored) == list(STUDY.questions)
    for name, cells in stored.items():
        layout = STUDY.questions[name].layout(STUDY.table.columns)
        assert len(cells) == layout.cells
        every = product(*(axis.labels for axis in layout.axes))
        for cell, labels in zip(cells, every, strict=True):
            assert tuple(cell.values())[: len(labels)] == labels
            assert list(cell)[len(labels) :] == [block.name for block in layout.blocks]


def test_the_study_shows_every_kind_of_question_at_epsilon_one() -> None:
    kinds = {question.kind for question in STUDY.questions.values()}
    assert kinds == {"count", "sum", "mean", "variance", "histogram"}
    assert (STUDY.privacy.epsilon, STUDY.privacy.delta) == (1, Decimal("1e-6"))
    assert STUDY.privacy.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    assert STUDY.recipients == ("coordinator",)
