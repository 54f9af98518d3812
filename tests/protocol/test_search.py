"""A secret walk down a tree: where it ends, what it costs, and that nothing else comes out."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from kernel_parties import run
from numpy.typing import NDArray

from mpc.errors import ContractError
from mpc.protocols.search import search


def walked(row: NDArray[np.int64]) -> int:
    """Where a walk over ``row`` ends, in the clear."""
    node, start, width = 0, 0, 1
    while start < len(row):
        up = int(row[start + node] < 0)
        start, width, node = start + width, 2 * width, 2 * node + up
    return node


@pytest.mark.parametrize("parties", [2, 3, 4, 5])
@pytest.mark.parametrize("levels", [1, 2, 5, 8])
def test_every_walk_ends_where_it_does_in_the_clear(parties: int, levels: int) -> None:
    words = np.random.default_rng(levels).integers(-3, 4, (6, (1 << levels) - 1))
    words[0, :], words[1, :] = -1, 0
    words[2, 0] = -(2**62)
    assert list(run(search, words, parties=parties).outputs) == [walked(row) for row in words]


@pytest.mark.parametrize(("walks", "levels"), [(1, 1), (3, 4), (64, 7)])
def test_a_search_takes_three_rounds_and_one_a_level(walks: int, levels: int) -> None:
    nodes = (1 << levels) - 1
    ran = run(search, np.zeros((walks, nodes), np.int64))
    (cost,) = set(ran.costs.values())
    plane = ceil(walks * nodes / 64) * 8
    compared = walks * nodes * 8 + (7 * 4 + 6 + 1) * plane
    chosen = 16 * walks * ((1 << (levels - 1)) - 1)
    assert cost.rounds == 3 + levels
    assert cost.bytes_to_each == compared + chosen


@pytest.mark.parametrize("nodes", [0, 2, 4, 6])
def test_nodes_that_are_no_complete_tree_are_refused(nodes: int) -> None:
    with pytest.raises(ContractError, match="tree"):
        run(search, np.zeros((2, nodes), np.int64))
