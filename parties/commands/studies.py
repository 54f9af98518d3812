"""``parley plan``, ``run``, ``verify``, ``schema``: studies."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.errors import IntegrityError, PeerError, UsageError
from mpc.plan.model import Plan
from mpc.session.agreement import Phase
from mpc.study.jsonschema import study_json_schema
from mpc.units import PlanDigest, RunId
from parties.commands.output import Interrupted, Json, answering, emit_json, err, fail, out
from parties.commands.progress import StudyProgress
from parties.commands.results import check_folder, check_repeat, write_results
from parties.commands.tuning import tune as tune_scenario
from parties.coordinator.asking import ask_all, raise_if_refused, refusal
from parties.coordinator.office import Finished, Office
from parties.coordinator.prepared_runs import PreparedRecord, PreparedState
from parties.coordinator.scenarios import FILE_SIZE_MAX, plan_file_bytes, read_scenario
from parties.coordinator.state import (
    Charged,
    CoordinatorState,
    RunState,
)
from parties.file_reading import read_bounded
from parties.report.figures import time_text
from parties.report.pins import load_pins
from parties.report.plan_document import plan_document
from parties.report.receipt import RECEIPT_SIZE_MAX, Receipt, load_receipt
from parties.report.standing import Decision
from parties.report.tables import plain_text, plan_table, result_table
from parties.report.verify import CheckState, verify_receipt

Scenario = Annotated[Path, typer.Argument(help="A scenario file, or a plan file (.json).")]
Config = Annotated[Path, typer.Option("--config", help="The coordinator's file.")]

NOT_PINNED = "the receipt is consistent; whose keys these are was not checked"


def planned_for(office: Office, scenario: Path) -> Plan:
    """The plan of a scenario or plan file. Raises IntegrityError if the file's digest differs."""
    study, expected = read_scenario(scenario)
    planned = office.plan(study if expected else office.with_noises(study))
    if expected is not None and expected != planned.digest:
        raise IntegrityError(
            "this plan comes out otherwise now: a certificate or this software changed",
            hint="make the plan file again with parley plan -o",
        )
    return planned


def plan(
    scenario: Scenario,
    config: Config,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a plan file for parley run.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Ask nobody; print the weights that reach all targets.")
    ] = False,
    json: Json = False,
) -> None:
    """Ask every party about a scenario, and show cost and expected error. Spends nothing.

    With --tune it asks nobody: it finds the weights that reach the target of every question that
    states one, with the least budget, and exits 4 if the scenario's is too small.

    Exits 3 with each party's reasons if any refuses, 4 if only a budget speaks against it, and else
    5 if one, or the dealer, gives no answer.

    Example: parley plan scenario.yaml --config coordinator.yaml -o plan.json
    """
    with answering(as_json=json):
        office = Office.open(config)
        if tune:
            if output is not None:
                raise UsageError("--tune writes no plan file", hint="leave --out away")
            tune_scenario(office, scenario, as_json=json)
            return
        planned = planned_for(office, scenario)
        verdicts = office.verdicts(planned)
        if output is not None:
            output.write_bytes(plan_file_bytes(planned))
        against = refusal(verdicts)
        held = office.state.prepared.holding(planned.digest)
        no_dealer = None if held is not None else office.dealer_silence(planned)
        document = plan_document(planned, verdicts)
        document["runnable"] = bool(document["runnable"]) and no_dealer is None
        proposal = office.state.proposal(planned.digest)
        document["proposal"] = None if proposal is None else proposal.to_plain()
        document["prepared"] = None if held is None else held.to_plain()
        silent = [each.party for each in verdicts if each.decision is Decision.NO_ANSWER]
        if no_dealer is not None and planned.roster.dealer is not None:
            silent.append(planned.roster.dealer.id)
        if not json:
            out.print(plan_table(planned, verdicts))
            if no_dealer is not None:
                line = f"no answer of the dealer: {no_dealer.code} {no_dealer.message}"
                out.print(plain_text(line), soft_wrap=True)
            asks = any(each.decision is Decision.ASK for each in verdicts)
            line = _standing(office.state, planned.digest, runnable=bool(document["runnable"]))
            if line and (asks or proposal is not None or held is not None):
                out.print(plain_text(line), soft_wrap=True)
        elif against or not silent:
            emit_json(document, status="refused" if against else "ok")
        if against:
            raise typer.Exit(against.exit_code)
        if silent:
            error = PeerError(", ".join(silent), "gave no answer; nothing was proposed or spent")
            fail(error, as_json=json, data=document)


def _standing(state: CoordinatorState, digest: PlanDigest, *, runnable: bool) -> str:
    """How far a plan came here, by the coordinator's own record: a dry run asks no person."""
    proposal, runs = state.proposal(digest), state.runs(digest)
    held = state.prepared.holding(digest)
    if held is not None:
        until = time_text(held.expires_unix_s)
        return f"prepared as run {held.run[:12]} until {until}; parley run uses it"
    if proposal is not None:
        said = proposal.said.replace("\n", "; ")
        line = f"proposed before; when last asked, {time_text(proposal.asked_at)}: {said}"
        return f"{line}; parley run asks again" if runnable else line
    if runs:
        line = f"proposed before, as run {runs[0].run[:12]}: {runs[0].state.value}"
        return f"{line}; parley run proposes it anew" if runnable else line
    return "not proposed yet: parley run proposes it" if runnable else ""


def run(
    scenario: Scenario,
    config: Config,
    to: Annotated[Path, typer.Option("--out", "-o", help="Folder for results and receipt.")],
    wait_s: Annotated[
        float, typer.Option(min=0, help="How long to wait for people who have to approve.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """Run a study: propose, wait for approvals, compute, release. Writes results and a receipt.

    What parley prepare prepared for it is used as long as it holds: nobody is asked again then, and
    no dealer takes part.

    Example: parley run scenario.yaml --config coordinator.yaml --out results
    """
    with answering(as_json=json):
        office = Office.open(config)
        planned = planned_for(office, scenario)
        _check_out(office, planned, to)
        held = office.state.prepared.holding(planned.digest)
        if not json:
            _tell_prepared(held, office.state.prepared.latest(planned.digest))
        roster = planned.roster if held is None else Phase.PREPARED.present(planned.roster)
        linked = tuple(member.id for member in roster.linked)
        with _interruptible(office.state, planned.digest, config):
            with StudyProgress(linked, quiet=json) as progress:
                if held is None:
                    finished = office.run(planned, wait_s, progress.entered, progress.waiting)
                else:
                    finished = office.run_prepared(planned, held, progress.entered)
            document = write_results(to, finished, again_hint(finished.verified.run, config))
        show(finished, to, document, as_json=json)


def _tell_prepared(held: PreparedRecord | None, latest: PreparedRecord | None) -> None:
    """Say first whether a dealer takes part, if something was prepared for the plan."""
    if held is not None:
        at = time_text(held.prepared_unix_s)
        line = (
            f"uses the material prepared at {at} for run {held.run[:12]}; the dealer takes no part"
        )
    elif latest is not None and latest.state is PreparedState.EXPIRED:
        at = time_text(latest.expires_unix_s)
        line = f"what was prepared for run {latest.run[:12]} expired at {at}; the dealer takes part"
    else:
        return
    err.print(plain_text(line), soft_wrap=True)


def _check_out(office: Office, planned: Plan, to: Path) -> None:
    """Refuse ``to`` unless it is free, or holds the very run that the parties would repeat."""
    released = [each.run for each in office.state.runs(planned.digest) if each.receipt is not None]
    held = check_folder(to, released)
    if held is None:
        return
    with office.clients(planned) as clients:
        judgements = ask_all(planned, clients, dry_run=True)
    raise_if_refused(judgements)
    check_repeat(to, held, [each.run for each in judgements.values()])


@contextmanager
def _interruptible(state: CoordinatorState, digest: PlanDigest, config: Path) -> Iterator[None]:
    """Say on Ctrl-C what became of the run. The driver cancelled it before this hears of it."""
    known = {record.run for record in state.runs(digest)}
    try:
        yield
    except KeyboardInterrupt:
        begun = [each for each in state.runs(digest) if each.run not in known]
        if not begun:
            raise Interrupted(
                "interrupted before the run began; nothing was computed or charged",
                hint="requests and approvals stay as they are; the same command goes on from there",
            ) from None
        record = begun[0]
        if record.state is RunState.RELEASED:
            raise Interrupted("interrupted", hint=again_hint(record.run, config)) from None
        run, over = record.run[:12], record.state is not RunState.STARTED
        free = over and record.charged is Charged.NO
        how = "and nothing was charged" if free else "wherever it was not over"
        raise Interrupted(
            f"interrupted; run {run} was cancelled {how}; approvals are used",
            hint=f"parley status {run} --config {config} tells what became of it",
        ) from None


def again_hint(run: RunId, config: Path) -> str:
    """How to get the results of a released run."""
    return (
        "the study was released and charged;"
        f" parley status {run[:12]} --config {config} --out DIR writes its results"
    )


def show(finished: Finished, to: Path, document: dict[str, object], *, as_json: bool) -> None:
    """Print a result as a table or as JSON."""
    if as_json:
        emit_json(document)
        return
    out.print(result_table(finished.verified.answers, finished.verified.plan, finished.budgets))
    if finished.repeated:
        out.print("released before: the stored receipt, charged only then")
    out.print(Text(f"report and receipt in {to}"), soft_wrap=True)


def verify(
    receipt: Annotated[Path, typer.Argument(help="A receipt.json.")],
    roster: Annotated[
        Path | None,
        typer.Option(help="Fingerprints got from the parties by another way (id: fingerprint)."),
    ] = None,
    json: Json = False,
) -> None:
    """Check every signature of a receipt and add its shares up again. Needs no network.

    Without --roster it shows that the receipt is consistent, not whose the keys are.

    Example: parley verify results/receipt.json --roster roster.json
    """
    with answering(as_json=json):
        pins = (
            None if roster is None else load_pins(read_bounded(roster, FILE_SIZE_MAX), str(roster))
        )
        verified = verify_receipt(_receipt(receipt), pins)
        if json:
            emit_json(
                {
                    "receipt_sha256": verified.receipt_digest,
                    "plan_digest": verified.plan.digest,
                    "run": verified.run,
                    "pinned": verified.pinned,
                    "approved_by": {
                        approval.party: approval.approved_by for approval in verified.approvals
                    },
                    "checks": [asdict(check) for check in verified.checks],
                    "warnings": list(verified.warnings),
                }
            )
            return
        for check in verified.checks:
            passed = check.state is CheckState.PASSED
            mark = ("✓ ", "green") if passed else ("– ", "yellow")
            line = Text.assemble(mark, plain_text(f"{check.name}: {check.detail}"))
            out.print(line, soft_wrap=True)
        for approval in verified.approvals:
            said = f"  {approval.party}: approved by {approval.approved_by}"
            out.print(plain_text(said, "dim"), soft_wrap=True)
        for warning in verified.warnings:
            out.print(plain_text(f"! {warning}", "yellow"), soft_wrap=True)
        if verified.pinned:
            out.print(plain_text(f"the receipt holds: {verified.plan.study.title}", "bold"))
        else:
            out.print(Text(NOT_PINNED, style="bold"), soft_wrap=True)


def _receipt(path: Path) -> Receipt:
    """The receipt at ``path``. Raises UsageError if it is another kind of file."""
    data = read_bounded(path, RECEIPT_SIZE_MAX)
    try:
        content = json_text.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "signature" not in content:
        raise UsageError(f"{path}: this is no receipt", hint="parley run writes receipt.json")
    try:
        return load_receipt(data)
    except IntegrityError as fault:
        raise IntegrityError(f"{path} is no valid receipt: {fault.message}") from None


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Example: parley schema > scenario.schema.json
    """
    out.file.write(json_text.dumps(study_json_schema(), indent=2) + "\n")
