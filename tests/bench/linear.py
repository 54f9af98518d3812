"""What a joint linear study costs over plain SQL, for three parties on one machine.

    python -m tests.bench.linear [--rows 10000 1000000 10000000] [--format parquet csv] [--json]

For each size and format: the questions of scenarios/visits as plain DuckDB queries by each party
over typed columns (the three side by side), the same sums through the declared rules (clip, grid,
levels), and the joint study with real processes, keys and noise, stage by stage. The bar: the study
takes at most the slowest party's plain queries and 3 s.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from mpc.plan.model import Plan
from mpc.questions.local import local_sums
from mpc.study.model import Study
from mpc.study.parse import parse_study
from parties.coordinator.office import Office
from parties.data.catalogue import Catalogue
from parties.data.table import DuckTable, EngineLimits
from parties.data.versions import RegisteredVersion
from parties.simulation import Federation, SimulatedNode

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "visits" / "scenario.yaml"
SIZES = (10_000, 1_000_000, 10_000_000)
BAR_S = 3.0
THREADS = 2
MEMORY_MB = 2048
APPROVAL_S = 60.0

WHERE = "WHERE mdvis IS NOT NULL AND coinsurance IS NOT NULL AND health IS NOT NULL"
PLAIN = (
    f"SELECT coinsurance, idp, count(*) FROM visits {WHERE} GROUP BY ALL",
    f"SELECT sum(mdvis) FROM visits {WHERE}",
    f"SELECT coinsurance, count(*), avg(mdvis) FROM visits {WHERE} GROUP BY ALL",
    f"SELECT health, count(*), avg(mdvis) FROM visits {WHERE} GROUP BY ALL",
    f"SELECT count(disea), avg(disea), var_samp(disea) FROM visits {WHERE}",
    f"""SELECT CASE WHEN mdvis < 1 THEN 0 WHEN mdvis < 2 THEN 1 WHEN mdvis < 3 THEN 2
        WHEN mdvis < 5 THEN 3 WHEN mdvis < 10 THEN 4 WHEN mdvis < 20 THEN 5 ELSE 6 END AS bin,
        count(*) FROM visits {WHERE} GROUP BY ALL""",
)


@dataclass(frozen=True)
class Measured:
    """Seconds of wall time. Of several parties, the slowest one's."""

    rows: int  # of each party
    format: str
    plain_s: float
    bounded_s: float
    study_s: float
    stages_s: Mapping[str, float]

    @property
    def over_s(self) -> float:
        """What the joint study takes beyond the slowest party's plain queries."""
        return self.study_s - self.plain_s

    def to_plain(self) -> dict[str, Any]:
        return {**asdict(self), "over_s": self.over_s, "passes": self.over_s <= BAR_S}

    def lines(self) -> list[str]:
        """For people."""
        verdict = "within" if self.over_s <= BAR_S else "OVER"
        stages = ", ".join(f"{stage} {took:.2f}" for stage, took in self.stages_s.items())
        return [
            f"{self.rows:>10,} rows a party, {self.format}:",
            f"{'':>12}plain queries {self.plain_s:7.2f} s",
            f"{'':>12}bounded sums  {self.bounded_s:7.2f} s"
            f"   ({self.bounded_s / self.plain_s:.1f} times)",
            f"{'':>12}joint study   {self.study_s:7.2f} s"
            f"   ({self.over_s:+.2f} s, {verdict} the bar of +{BAR_S:.0f} s)",
            f"{'':>12}stages, slowest party: {stages}",
        ]


def write_rows(path: Path, rows: int, seed: int) -> None:
    """A party's table: the columns of the visits scenario, typed, spread by hashes of the row."""
    kind = "parquet" if path.suffix == ".parquet" else "csv, header true"
    uniform = f"(hash(i * 8 + {{}} + {seed} * 1000000007) % 1000003 / 1000003.0)"
    level = "list_extract([{}], 1 + CAST(floor({} * {}) AS INTEGER))"
    plans = level.format("'0%', '25%', '50%', '95%', '100%'", uniform.format(1), 5)
    healths = level.format("'excellent', 'good', 'fair', 'poor'", uniform.format(2), 4)
    with duckdb.connect(":memory:") as engine:
        engine.execute(
            f"""COPY (SELECT CAST(floor(78 * pow({uniform.format(0)}, 6)) AS INTEGER) AS mdvis,
            {plans} AS coinsurance, {healths} AS health,
            {level.format("'no', 'yes'", uniform.format(3), 2)} AS idp,
            floor(601 * {uniform.format(4)}) / 10 AS disea
            FROM range({rows}) AS source(i)) TO '{path}' (FORMAT {kind})"""
        )


def study_of(rows: int) -> Study:
    """The visits scenario for parties of at most ``rows`` rows."""
    text = re.sub(r"rows_max: 20000\b", f"rows_max: {rows}", SCENARIO.read_text())
    text = re.sub(r"rows_expected: \d+", f"rows_expected: {rows}", text)
    return parse_study(text.encode(), SCENARIO.name)


def plain_queries(path: Path) -> None:
    """Every question as a person would ask it of typed columns."""
    reader = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    with duckdb.connect(":memory:") as engine:
        engine.execute(f"SET threads = {THREADS}")
        engine.execute(f"CREATE VIEW visits AS SELECT * FROM {reader}('{path}')")
        for query in PLAIN:
            engine.execute(query).fetchall()


def slowest_s(works: Sequence[Callable[[], object]]) -> float:
    """Wall time of the slowest of ``works``, which run side by side."""

    def timed(work: Callable[[], object]) -> float:
        began = time.monotonic()
        work()
        return time.monotonic() - began

    with ThreadPoolExecutor(len(works)) as pool:
        return max(pool.map(timed, works))


class StageClock:
    """When each party entered each stage."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._entered: dict[str, dict[str, float]] = {}

    def entered(self, party: str, stage: str) -> None:
        self._entered.setdefault(party, {})[stage] = time.monotonic() - self._began

    def durations(self, end: float) -> dict[str, float]:
        """From the order to the first stage, then each stage until the next; the longest one."""
        longest: dict[str, float] = {}
        for stages in self._entered.values():
            names = ["approve and start", *stages]
            times = [0.0, *stages.values(), end - self._began]
            for index, name in enumerate(names):
                longest[name] = max(longest.get(name, 0.0), times[index + 1] - times[index])
        return longest


def bounded_sums(federation: Federation, plan: Plan) -> list[Callable[[], object]]:
    """Each party's own integers through the declared rules, as its worker computes them."""
    table = plan.study.table

    def of(node: SimulatedNode) -> Callable[[], object]:
        version = RegisteredVersion.from_plain(Catalogue(node.node_config).for_worker(table.name))
        temporary = node.directory / "state" / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        opened = DuckTable(version, table, EngineLimits(THREADS, MEMORY_MB, temporary))
        return partial(local_sums, plan.questions, opened)

    return [of(node) for node in federation.nodes.values()]


def measure(rows: int, kind: str, folder: Path) -> Measured:
    """One size and format, data made afresh in ``folder``."""
    study = study_of(rows)
    files = {party: folder / f"{party}.{kind}" for party in study.parties}
    for seed, path in enumerate(files.values()):
        write_rows(path, rows, seed)
    works = [partial(plain_queries, path) for path in files.values()]
    slowest_s(works)  # once for the file cache
    plain_s = slowest_s(works)
    federation = Federation(folder / "federation", study)
    federation.build(files)
    with federation:
        federation.start()
        office = Office.open(federation.coordinator_config)
        plan = office.plan(study)
        bounded_s = slowest_s(bounded_sums(federation, plan))
        clock = StageClock()
        began = time.monotonic()
        office.run(plan, APPROVAL_S, clock.entered, lambda _parties: None)
        end = time.monotonic()
    return Measured(rows, kind, plain_s, bounded_s, end - began, clock.durations(end))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="rows of each party")
    parser.add_argument("--format", nargs="+", choices=("parquet", "csv"), default=["parquet"])
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    asked = parser.parse_args()
    passed = True
    for kind in asked.format:
        for rows in asked.rows:
            with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
                measured = measure(rows, kind, Path(folder))
            passed = passed and measured.over_s <= BAR_S
            if asked.json:
                print(json.dumps(measured.to_plain()), flush=True)
            else:
                print("\n".join(measured.lines()), flush=True)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
