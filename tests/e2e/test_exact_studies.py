"""Without noise, four studies release exactly the plain answers.

The build of the mechanism that adds no noise lives under tests/ only, and says so in every Hello.
Three studies run in this process over the owners' DuckDB tables; one runs as processes, with the
product's nodes, coordinator, CrypTen engine and TLS. Plain answers come from plain Python and
pandas, from the rows as written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import isclose
from pathlib import Path

import pandas as pd
import pytest
from cases.studies import STUDIES, expected
from cases.studies import study as written_study
from joint_release import SilentSource
from plain_totals import totals_of
from running_federation import balances, finish, office_of, running
from seeded_randomness import SeededRandomness
from study_tables import tables_of
from visits_study import expected_cells, visits, write_visits

from mpc.columns.model import NumberColumn
from mpc.errors import IntegrityError
from mpc.plan.model import Plan
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.questions.answer import Answer, Cell
from mpc.questions.mean.declare import Mean
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.study.parse import parse_study
from mpc.testing.parties import InProcessParties
from mpc.units import PartyId
from parties.coordinator.state import Charged
from parties.report.receipt import load_receipt
from parties.report.verify import ReceiptRefused, verify_receipt
from parties.simulation import Federation

RELATIVE = 1e-9
SILENT = SilentSource.build


@dataclass(frozen=True)
class Ran:
    """A study run without noise, and the rows it ran on."""

    plan: Plan
    totals: list[int]
    answers: tuple[Answer, ...]
    data: Mapping[str, Path]
    cells: Mapping[str, list[dict[str, int | str]]]

    def rows(self) -> pd.DataFrame:
        """All parties' rows, numbers on the declared grid; no cell of these files breaks a rule."""
        frame = pd.concat([pd.read_csv(path, dtype=str) for path in self.data.values()])
        for name, column in self.plan.study.table.columns.items():
            if isinstance(column, NumberColumn):
                step = float(column.step)
                frame[name] = (frame[name].astype(float) / step).round() * step
        return frame.reset_index(drop=True)


@pytest.fixture(scope="module")
def silent_federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    root = tmp_path_factory.mktemp("visits")
    data = write_visits(root / "data")
    with running(root / "federation", visits(), data, module="silent_node") as federation:
        yield federation


def run_as_processes(federation: Federation) -> Ran:
    office = office_of(federation, SILENT)
    verified = finish(office, office.plan(federation.study)).verified
    data = {party: federation.root.parent / "data" / f"{party}.csv" for party in federation.nodes}
    return Ran(verified.plan, list(verified.released), verified.answers, data, expected_cells())


def run_in_process(name: str, folder: Path) -> Ran:
    scenario, directory = written_study(name, folder / "data")
    study = parse_study(scenario.read_bytes(), str(scenario))
    data = {party: directory / f"{party}.csv" for party in study.parties}
    tables = tables_of(study, data, folder / "tables")
    parties = InProcessParties(study, tables, SeededRandomness(name))
    released = parties.run({party: SilentSource() for party in parties.ledgers}, build=SILENT)
    return Ran(parties.plan, list(released.totals), released.answers, data, expected(name))


@pytest.fixture(scope="module", params=["visits", *STUDIES])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    if request.param == "visits":
        return run_as_processes(request.getfixturevalue("silent_federation"))
    return run_in_process(request.param, tmp_path_factory.mktemp(request.param))


def test_released_integers_equal_the_plain_sums(ran: Ran) -> None:
    assert ran.totals == totals_of(ran.plan, ran.cells)
    assert sum(map(abs, ran.totals)) > 0


def test_counts_and_sums_read_as_the_plain_numbers(ran: Ran) -> None:
    for answer in ran.answers:
        question = ran.plan.study.questions[answer.question]
        for cell, plain in zip(answer.cells, ran.cells[answer.question], strict=True):
            assert {column: plain[column] for column, _ in cell.labels} == dict(cell.labels)
            if isinstance(question, Sum):
                column = ran.plan.study.table.columns[question.column]
                assert isinstance(column, NumberColumn)
                exact = cell.estimate("sum").exact
                assert exact is not None
                assert pd.to_numeric(exact) == pytest.approx(
                    int(plain["s1"]) * float(column.step), rel=1e-15
                )
            else:
                assert cell.estimate("count").value == plain["n"]


def test_means_and_variances_agree_with_pandas(ran: Ran) -> None:
    frame = ran.rows()
    compared = 0
    for answer in ran.answers:
        question = ran.plan.study.questions[answer.question]
        if not isinstance(question, Mean | Variance):
            continue
        for cell in answer.cells:
            values = group(frame, cell)[question.column]
            compared += agrees(cell, "mean", values.mean())
            if isinstance(question, Variance):
                compared += agrees(cell, "variance", values.var(ddof=1))
                compared += agrees(cell, "standard_deviation", values.std(ddof=1))
    assert compared >= 5


def group(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    for column, label in cell.labels:
        frame = frame[frame[column] == label]
    return frame


def agrees(cell: Cell, name: str, plain: float) -> int:
    value = cell.estimate(name).value
    assert value is not None
    assert isclose(value, plain, rel_tol=RELATIVE), (name, cell.labels)
    return 1


def test_a_real_coordinator_refuses_parties_that_add_no_noise(
    silent_federation: Federation,
) -> None:
    before = balances(silent_federation)
    office = office_of(silent_federation)
    unheard = silent_federation.study.model_copy(update={"title": "Not released before"})
    plan = office.plan(unheard)
    with pytest.raises(
        IntegrityError, match=r"insurer-north: its Hello is refused: it has another mechanism"
    ):
        finish(office, plan)
    assert balances(silent_federation) == before
    (record,) = office.state.runs(plan.digest)
    assert record.receipt is None
    assert record.charged is Charged.NO


def test_a_receipt_without_noise_is_refused_by_a_real_reader(silent_federation: Federation) -> None:
    office = office_of(silent_federation, SILENT)
    receipt = load_receipt(finish(office, office.plan(silent_federation.study)).receipt)
    assert verify_receipt(receipt, None, build=SILENT).released
    with pytest.raises(ReceiptRefused, match="another mechanism"):
        verify_receipt(receipt, None)


@pytest.mark.parametrize("silent", [0, 2])
def test_one_party_without_noise_is_refused_and_nobody_is_charged(
    silent: int, tmp_path: Path
) -> None:
    scenario, directory = written_study("clinics_diabetes", tmp_path / "data")
    study = parse_study(scenario.read_bytes(), str(scenario))
    data = {party: directory / f"{party}.csv" for party in study.parties}
    tables = tables_of(study, data, tmp_path / "tables")
    parties = InProcessParties(study, tables, SeededRandomness("mixed"))
    names = list(parties.ledgers)
    sources: dict[PartyId, NoiseSource] = {
        name: DiscreteGaussian(SeededRandomness(name)) for name in names
    }
    sources[names[silent]] = SilentSource()
    before = {name: ledger.balance("population") for name, ledger in parties.ledgers.items()}
    run = partial(parties.run, sources)
    with pytest.raises(IntegrityError, match=rf"{names[silent]}: its Hello .* another mechanism"):
        run()
    assert {
        name: ledger.balance("population") for name, ledger in parties.ledgers.items()
    } == before
