"""``parley simulate``: a whole federation on this machine, from one scenario file."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.errors import UsageError
from mpc.outcome import decode_totals
from mpc.plan.model import Plan
from mpc.plan.programs import released_plainly
from mpc.questions.answer import Answer
from mpc.questions.local import local_sums
from mpc.study.model import Study
from parties.commands.output import Json, answering, emit_json, err, out
from parties.commands.progress import StudyProgress
from parties.commands.results import check_folder, write_results
from parties.coordinator.office import Office
from parties.coordinator.scenarios import read_scenario
from parties.report.tables import result_table
from parties.simulation import Federation
from parties.system import SystemRandomness

APPROVAL_S = 30.0
INTERRUPTED = "interrupted; the simulation was stopped, with all of its nodes"


def simulate(
    scenario: Annotated[Path, typer.Argument(help="A scenario file.")],
    data: Annotated[Path, typer.Option(help="Folder with PARTY.csv or PARTY.parquet of each.")],
    to: Annotated[Path, typer.Option("--out", "-o", help="Folder for results and receipt.")],
    truth: Annotated[
        bool, typer.Option("--truth", help="Show plain answers too: possible only in simulation.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the federation's files (keys, ledgers) here.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a scenario among all its parties on this machine: real processes, real mutual TLS.

    Keys are made for this run and thrown away. A schema.yaml or policy.yaml beside the scenario
    is used for every party; without them they are derived from the scenario. Each party's table is
    its own PARTY.csv in --data, whatever files the schema names.

    Example: parley simulate scenarios/visits/scenario.yaml --data data --out out --truth
    """
    with answering(as_json=json, interrupted=INTERRUPTED), _folder(keep) as root:
        started = time.monotonic()
        study, _ = read_scenario(scenario)
        files = data_files(study, data)
        check_folder(to)
        federation = Federation(root, study)
        with _saying("making keys and certificates, registering data", quiet=json):
            federation.build(
                files, _beside(scenario, "schema.yaml"), _beside(scenario, "policy.yaml")
            )
        with federation:
            with _saying("starting everyone's servers", quiet=json):
                federation.start()
            office = Office.open(federation.coordinator_config)
            plan = office.plan(office.with_noises(study))
            began = time.monotonic()
            linked = tuple(member.id for member in plan.roster.linked)
            with StudyProgress(linked, quiet=json) as progress:
                finished = office.run(plan, APPROVAL_S, progress.entered, progress.waiting)
            took = time.monotonic() - began
        plain = true_answers(plan, federation) if truth else None
        document = write_results(to, finished, "simulate again with another --out", plain)
        if json:
            emit_json({**document, "study_s": round(took, 3)})
            return
        out.print(result_table(finished.verified.answers, plan, finished.budgets, plain))
        whole = time.monotonic() - started
        out.print(
            Text(
                f"the study itself took {took:.1f} s; with making keys and starting nodes,"
                f" {whole:.1f} s; {to / 'report.html'},"
                f" {to / 'receipt.json'}"
            ),
            soft_wrap=True,
        )


def data_files(study: Study, folder: Path) -> Mapping[str, Path]:
    """Each party's file in ``folder``. Raises UsageError naming the parties without one."""
    found = {
        party: path
        for party in study.parties
        for path in (folder / f"{party}.parquet", folder / f"{party}.csv")
        if path.is_file()
    }
    missing = [party for party in study.parties if party not in found]
    if missing:
        raise UsageError(
            f"{folder} has no file for {', '.join(missing)}", hint="one PARTY.csv for each party"
        )
    return found


def true_answers(plan: Plan, federation: Federation) -> tuple[Answer, ...]:
    """The plain answers over all parties' rows. Nobody could compute them outside a simulation.

    Where rows of a person are kept by hash, they count another draw of them than the run did.
    """
    from parties.data.catalogue import Catalogue
    from parties.data.people import KEY_SIZE
    from parties.data.table import DuckTable, EngineLimits
    from parties.data.versions import RegisteredVersion

    totals = [0] * plan.event.size
    for node in federation.nodes.values():
        table = plan.study.table
        version = Catalogue(node.node_config).for_worker(table.name)
        limits = EngineLimits(2, 2048, node.directory / "state" / "tmp")
        key = SystemRandomness().random_bytes(KEY_SIZE)
        opened = DuckTable(RegisteredVersion.from_plain(version), table, limits, key)
        own = local_sums(plan.questions, opened)
        totals = [total + value for total, value in zip(totals, own, strict=True)]
    layouts = [question.layout for question in plan.questions]
    return decode_totals(plan, released_plainly(totals, layouts))


def _beside(scenario: Path, name: str) -> Path | None:
    path = scenario.parent / name
    return path if path.is_file() else None


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise UsageError(f"{keep} is not empty")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    root = Path(tempfile.mkdtemp(prefix="parley-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def _saying(what: str, *, quiet: bool) -> Iterator[None]:
    if quiet or not err.is_terminal:
        yield
        return
    with err.status(what):
        yield
