"""``parley status``: what became of each study that was proposed, prepared or run from here."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mpc.errors import ParleyError, UsageError
from parties.commands.output import Json, answering, emit_json, out
from parties.commands.results import check_folder, write_results
from parties.commands.studies import Config, again_hint
from parties.coordinator.office import Finished, Office
from parties.coordinator.prepared_runs import PreparedRecord, PreparedState
from parties.coordinator.state import Charged, CoordinatorState, ProposalRecord, RunRecord, RunState
from parties.report.figures import time_text
from parties.report.tables import plain_text


def status(
    config: Config,
    run_prefix: Annotated[str, typer.Argument(help="A run, or its first letters.")] = "",
    out_directory: Annotated[
        Path | None, typer.Option("--out", "-o", help="With a run: write its results again.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what became of each study, which are prepared, wait or were refused; settle open runs.

    Example: parley status --config coordinator.yaml
    """
    with answering(as_json=json):
        if out_directory is not None and not run_prefix:
            raise UsageError(
                "--out needs a run to write",
                hint=f"parley status RUN --config {config} --out {out_directory}",
            )
        office = Office.open(config)
        records, prepared = _named(office.state, run_prefix)
        if out_directory is not None:
            _check_released(records, prepared)
            check_folder(out_directory, [records[0].run])
        settled = [_settled(office, record) for record in records]
        if out_directory is not None:
            _write_again(office, settled[0], out_directory, again_hint(settled[0].run, config))
        open_ = () if run_prefix else office.state.proposals()
        if json:
            emit_json(
                {
                    "runs": [_record_plain(record) for record in settled],
                    "prepared": [each.to_plain() for each in prepared],
                    "proposals": [each.to_plain() for each in open_],
                }
            )
            return
        if not settled and not prepared and not open_:
            out.print("no study was proposed or run from here")
        _show_runs(settled)
        _show_prepared(prepared)
        _show_proposals(open_)


def _named(
    state: CoordinatorState, prefix: str
) -> tuple[Sequence[RunRecord], Sequence[PreparedRecord]]:
    """All runs, and those that were to be prepared and are not begun; or the one of ``prefix``.

    Raises UsageError if ``prefix`` is of none, or of several.
    """
    prepared = [each for each in state.prepared.list() if each.state is not PreparedState.USED]
    if not prefix:
        return state.runs(), prepared
    found = [each for each in prepared if each.run.startswith(prefix)]
    if not found:
        return (state.run(prefix),), ()
    several = len(found) + sum(each.run.startswith(prefix) for each in state.runs())
    if several > 1:
        raise UsageError(f"{several} runs start with {prefix!r}; parley status lists them")
    return (), found


def _check_released(records: Sequence[RunRecord], prepared: Sequence[PreparedRecord]) -> None:
    if not records:
        raise UsageError(
            f"run {prepared[0].run[:12]} was not begun: there are no results to write",
            hint="parley run runs what is prepared",
        )


def _show_runs(records: Sequence[RunRecord]) -> None:
    if records:
        rows = [
            (each.run, each.study, each.state, each.started_at, each.charged) for each in records
        ]
        out.print(_table(("run", "study", "state", "began", "charged"), rows))
    for record in records:
        _say(record.run, record.problem)


def _show_prepared(records: Sequence[PreparedRecord]) -> None:
    if records:
        rows = [(each.run, each.study, each.state, each.expires_unix_s) for each in records]
        out.print(_table(("run", "study", "state", "holds until"), rows))
    for record in records:
        _say(record.run, record.problem)


def _show_proposals(records: Sequence[ProposalRecord]) -> None:
    if records:
        rows = [(each.plan_digest, each.study, each.state, each.asked_at) for each in records]
        out.print(_table(("plan", "study", "state", "asked"), rows))
    for record in records:
        _say(record.plan_digest, record.said.replace("\n", "; "))


def _say(of: str, words: str) -> None:
    if words:
        out.print(plain_text(f"{of[:12]}  {words}"), soft_wrap=True)


def _table(
    heads: Sequence[str], rows: Sequence[tuple[str, str, StrEnum, int, *tuple[str, ...]]]
) -> Table:
    """Runs or proposals: the first letters of each id, its study, state and time, and more."""
    table = Table(box=SIMPLE_HEAD)
    for heading in heads:
        table.add_column(heading, overflow="fold")
    for each, study, state, unix_s, *more in rows:
        table.add_row(each[:12], plain_text(study), state.value, time_text(unix_s), *more)
    return table


def _settled(office: Office, record: RunRecord) -> RunRecord:
    """``record``, asked about again if it is open or nobody knows yet what it cost."""
    if record.state is not RunState.STARTED and record.charged is not Charged.UNKNOWN:
        return record
    try:
        return office.settle(record)
    except ParleyError:
        return record  # still open: a party cannot be reached


def _write_again(office: Office, record: RunRecord, directory: Path, again: str) -> None:
    receipt = record.receipt
    if receipt is None:
        raise UsageError(
            f"run {record.run[:12]} was not released: there are no results to write",
            hint="without --out, parley status says what became of it",
        )
    finished = Finished(receipt, office.verify(receipt), None, repeated=True)
    write_results(directory, finished, again)


def _record_plain(record: RunRecord) -> dict[str, object]:
    return {
        "run": record.run,
        "plan_digest": record.plan_digest,
        "study": record.study,
        "state": record.state.value,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "problem": record.problem,
        "charged": record.charged.value,
    }
