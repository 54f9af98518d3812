"""Random cases of every operation among 2 to 5 parties, judged by plain integers."""

from __future__ import annotations

import time

import pytest
from kernel_cases import OPERATIONS, judged

PARTIES = [2, 3, 4, 5]
CASES = 1_000_000
EACH = 100_000
SIZES = (*(size for size in (1, 2, 5, 17, 63, 64, 65, 130) for _ in range(5)), 700, 9000, 30_000)
"""Cases of each operation at each number of parties, by run: each draws its own public numbers."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_random_cases_of_an_operation_are_what_plain_integers_give(name: str) -> None:
    for seed in range(3):
        for parties in PARTIES:
            assert judged(name, parties, seed, (1, 40, 150)[seed]) > 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_million_random_cases_of_all_operations_are_what_plain_integers_give() -> None:
    reached = dict.fromkeys(OPERATIONS, 0)
    for name in OPERATIONS:
        begun = time.monotonic()
        for parties in PARTIES:
            reached[name] += sum(
                judged(name, parties, seed, count) for seed, count in enumerate(SIZES, start=100)
            )
        print(f"{name}: {reached[name]:,} cases in {time.monotonic() - begun:.1f} s")
        assert reached[name] >= EACH, name
    print(f"all operations: {sum(reached.values()):,} cases")
    assert sum(reached.values()) >= CASES
