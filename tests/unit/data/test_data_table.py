"""Many questions in few scans: what is asked together is answered as if asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from dirty_tables import COLUMNS, DIRT, Dialect, requests, table
from hypothesis import given, settings
from hypothesis import strategies as st
from owner_tables import TABLE, open_version, plan_text, scenario, write_owner

from mpc.layout import Axis, Search, Term
from mpc.table.model import CellSums
from mpc.testing.table import MemoryTable
from parties.data.combinations import COMBINATIONS_MAX, batches
from parties.data.register import register_table
from parties.data.table import DuckTable


def opened(folder: Path, where: str = "") -> tuple[DuckTable, MemoryTable]:
    rows = [
        {name: DIRT[(row * 7 + place * 11) % len(DIRT)] for place, name in enumerate(COLUMNS)}
        for row in range(300)
    ]
    config = write_owner(folder, Dialect().fields(), Dialect().write(rows))
    version = register_table(config, TABLE, accept_cells=True).version
    meant = [
        {name: Dialect().meaning(name, cell) for name, cell in row.items()} for row in rows
    ]  # fmt: skip
    return open_version(version, table(where), folder), MemoryTable(meant, table(where))


def assert_equal(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for left, right in zip(found, wanted, strict=True):
        assert left.shape == right.shape
        assert np.array_equal(left, right)


def bins(column: str, count: int, width: int, low: int) -> Axis:
    edges = tuple(low + width * index for index in range(count + 1))
    return Axis(column, tuple(f"b{index}" for index in range(count)), edges)


def test_no_request_costs_no_scan_and_gives_no_answer(tmp_path: Path) -> None:
    duck, _memory = opened(tmp_path)
    assert duck.cell_sums(()) == ()


def test_requests_asked_alone_or_in_another_order_give_the_same(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path, "halves is not missing")
    asked = requests()
    together = duck.cell_sums(asked)
    assert_equal(together, memory.cell_sums(asked))
    assert_equal(duck.cell_sums(asked[::-1]), together[::-1])
    for request, wanted in list(zip(asked, together, strict=True))[::4]:
        assert_equal(duck.cell_sums((request,)), (wanted,))


def test_same_request_twice_is_answered_twice(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path)
    asked = (requests()[1], requests()[1])
    assert_equal(duck.cell_sums(asked), memory.cell_sums(asked))


def test_several_centres_and_powers_of_one_column_are_exact(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path)
    asked = tuple(
        CellSums((), Term("wide", centre), powers)
        for centre in (0, 5, -(10**15), 10**15)
        for powers in ((0,), (1,), (2,), (2, 0), (0, 1, 2))
    )
    found = duck.cell_sums(asked)
    assert_equal(found, memory.cell_sums(asked))
    assert max(abs(value) for each in found for value in each.reshape(-1)) > 2**64


def test_many_axes_are_dealt_into_few_scans(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path)
    axes = [
        bins("whole", 17, 1, -5), bins("halves", 300, 1, -100), bins("late", 500, 52, -3653),
        bins("tens", 40, 5, -100), bins("thirds", 40, 1, -10), bins("wide", 99, 10**13, -(10**15)),
    ]  # fmt: skip
    asked = tuple(CellSums((axis,), Term("cents", 3), (0, 1, 2)) for axis in axes)
    asked += tuple(CellSums((axes[0], axis), None, (0,)) for axis in axes[1:])
    dealt = batches(asked)
    assert sorted(index for batch in dealt for index in batch) == list(range(len(asked)))
    assert 1 < len(dealt) < len(asked)
    assert_equal(duck.cell_sums(asked), memory.cell_sums(asked))


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.lists(st.integers(1, 3000), min_size=0, max_size=2), max_size=8))
def test_batches_hold_every_request_once_within_the_limit(sizes: list[list[int]]) -> None:
    asked = tuple(
        CellSums(tuple(Axis(f"c{n}", tuple(map(str, range(n)))) for n in set(each)), None, (0,))
        for each in sizes
    )
    dealt = batches(asked)
    assert sorted(index for batch in dealt for index in batch) == list(range(len(asked)))
    for batch in dealt:
        axes = {axis for index in batch for axis in asked[index].axes}
        combinations = int(np.prod([len(axis.labels) + 1 for axis in axes], dtype=object))
        assert combinations <= COMBINATIONS_MAX or len(batch) == 1


def test_question_with_the_most_cells_is_answered(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path)
    asked = (CellSums((bins("wide", 10_000, 2 * 10**11, -(10**15)),), None, (0,)),)
    assert_equal(duck.cell_sums(asked), memory.cell_sums(asked))


@pytest.mark.parametrize("last", range(1, 14))
def test_a_grid_that_ends_between_two_points_is_counted_at_every_point(
    last: int, tmp_path: Path
) -> None:
    """Of columns whose bins are looked up, divided for, or compared for."""
    duck, memory = opened(tmp_path)
    low, high = -(10**15), 10**15
    grids = (("whole", -5, 2), ("late", -3653, 97), ("wide", low, high // 7))
    searches = [
        Search(column, first, stride, first + last * stride - over, 1, 2)
        for column, first, stride in grids
        for over in (0, 1, stride - 1)
    ]
    asked = tuple(CellSums((search.axis,), None, (0,)) for search in searches)
    assert_equal(duck.cell_sums(asked), memory.cell_sums(asked))


@pytest.mark.parametrize("content", [b"x,g\n", b"x,g\n,\n,\n"])
def test_table_without_values_gives_zeros(content: bytes, tmp_path: Path) -> None:
    columns = {"x": {"type": "number"}, "g": {"type": "text"}}
    version = register_table(write_owner(tmp_path, columns, content), TABLE).version
    study = plan_text(
        scenario(
            {
                "x": {"type": "number", "bounds": [0, 9]},
                "g": {"type": "category", "levels": ["a", "b"]},
            },
            {"n": {"kind": "count"}},
        )
    ).study
    duck = open_version(version, study.table, tmp_path)
    group = Axis("g", ("a", "b"))
    rows = content.count(b"\n") - 1
    count, sums = duck.cell_sums(
        (CellSums((), None, (0,)), CellSums((group,), Term("x", 4), (0, 1, 2)))
    )
    assert count.tolist() == [[rows]]
    assert sums.tolist() == [[0, 0], [0, 0], [0, 0]]


def test_where_alone_reads_its_columns(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path, "tens < 5 and level = 'a'")
    asked = (CellSums((), None, (0,)),)
    assert_equal(duck.cell_sums(asked), memory.cell_sums(asked))


def test_axis_with_some_levels_in_another_order_is_answered(tmp_path: Path) -> None:
    duck, memory = opened(tmp_path)
    asked = (CellSums((Axis("level", ("NA", "a")),), None, (0,)),)
    assert_equal(duck.cell_sums(asked), memory.cell_sums(asked))
