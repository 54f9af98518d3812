"""The same study with 2, 3, 5 and 16 parties: released, charged to those who took part, verified.

Nodes are shared: five real ones serve studies of two, three and five of them. Sixteen parties run
in this process, and, marked long, as sixteen real nodes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from pathlib import Path

import pytest
from running_federation import balances, finish, office_of, running
from seeded_randomness import SeededRandomness
from visits_study import recipe, visits

from mpc.plan.model import Plan
from mpc.privacy.sampler import DiscreteGaussian
from mpc.questions.local import local_sums
from mpc.study.model import PartyEntry, Study
from mpc.testing.parties import InProcessParties
from mpc.testing.table import MemoryTable
from parties.simulation import Federation

ROWS = 1_500
DEVIATIONS = 8
"""A normal error beyond this: once in 10^15, so in all of this file's integers once in 10^12."""

Rows = list[dict[str, str]]


def study_of(count: int) -> Study:
    """The visits study among ``owner-1`` … ``owner-<count>``."""
    entry = PartyEntry(version=1, rows_max=1_000, rows_expected=ROWS // count)
    parties = {f"owner-{number}": entry for number in range(1, count + 1)}
    return visits().model_copy(update={"parties": parties})


def dealt(count: int) -> dict[str, Rows]:
    """Rows of each owner: unequal numbers, and the last owner has none."""
    rows = [row._asdict() for row in recipe().rows()[:ROWS]]
    owners: dict[str, Rows] = {f"owner-{number}": [] for number in range(1, count + 1)}
    names = list(owners)[:-1]
    for number, row in enumerate(rows):
        owners[names[number % (number % len(names) + 1)]].append(row)
    return owners


def write(owners: Mapping[str, Rows], folder: Path) -> dict[str, Path]:
    folder.mkdir()
    paths = {owner: folder / f"{owner}.csv" for owner in owners}
    for owner, path in paths.items():
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(recipe().Row._fields), lineterminator="\n")
            writer.writeheader()
            writer.writerows(owners[owner])
    return paths


def assert_close(plan: Plan, totals: Sequence[int], owners: Mapping[str, Rows]) -> None:
    """Every released integer lies within the planned noise of the plain one, and some differ."""
    own = [
        local_sums(plan.questions, MemoryTable(owners[member.id], plan.study.table))
        for member in plan.roster.parties
    ]
    truth = [sum(column) for column in zip(*own, strict=True)]
    assert truth[0] > 0
    assert list(totals) != truth
    for question in plan.questions:
        start = question.offset
        for block in question.blocks:
            reach = DEVIATIONS * sqrt(block.total_variance)
            for at in range(start, start + block.cells):
                assert abs(totals[at] - truth[at]) <= reach, (question.name, block.name)
            start += block.cells


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Federation, dict[str, Rows]]]:
    yield from federation(5, tmp_path_factory.mktemp("five"))


@pytest.fixture(scope="module")
def sixteen(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Federation, dict[str, Rows]]]:
    yield from federation(16, tmp_path_factory.mktemp("sixteen"))


def federation(count: int, root: Path) -> Iterator[tuple[Federation, dict[str, Rows]]]:
    owners = dealt(count)
    data = write(owners, root / "data")
    with running(root / "federation", study_of(count), data) as started:
        yield started, owners


def run_among(count: int, started: Federation, owners: Mapping[str, Rows]) -> None:
    before = balances(started)
    office = office_of(started)
    plan = office.plan(study_of(count))
    assert (plan.parties, plan.coalition) == (count, count - 1)
    finished = finish(office, plan)
    verified = finished.verified
    assert_close(plan, verified.released, owners)
    assert verified.pinned
    assert [share.party for share in verified.shares] == list(plan.study.parties)
    assert {budget.party for budget in finished.budgets} == set(plan.study.parties)
    for owner, after in balances(started).items():
        charged = plan.rho_total if owner in plan.study.parties else 0
        assert after.rho_spent - before[owner].rho_spent == charged, owner
        assert after.rho_reserved == 0, owner


@pytest.mark.parametrize("count", [2, 3, 5])
def test_real_parties_release_the_study_and_only_they_are_charged(
    count: int, five: tuple[Federation, dict[str, Rows]]
) -> None:
    run_among(count, *five)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [16, 2])
def test_sixteen_real_nodes_release_studies_of_all_and_of_two(
    count: int, sixteen: tuple[Federation, dict[str, Rows]]
) -> None:
    run_among(count, *sixteen)


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_parties_in_one_process_release_the_study(count: int) -> None:
    study, owners = study_of(count), dealt(count)
    tables = {owner: MemoryTable(rows, study.table) for owner, rows in owners.items()}
    parties = InProcessParties(study, tables, SeededRandomness(f"counts/{count}"))
    released = parties.run(
        {
            owner: DiscreteGaussian(SeededRandomness(f"counts/{count}/{owner}"))
            for owner in parties.ledgers
        }
    )
    assert_close(parties.plan, released.totals, owners)
    assert {ledger.balance("population").rho_spent for ledger in parties.ledgers.values()} == {
        parties.plan.rho_total
    }
