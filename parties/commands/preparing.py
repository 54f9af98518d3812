"""``parley prepare``: a study's dealer deals beforehand, so that its run needs no dealer."""

from __future__ import annotations

from typing import Annotated

import typer

from parties.commands.output import Json, answering, emit_json, out
from parties.commands.progress import StudyProgress
from parties.commands.studies import Config, Scenario, planned_for
from parties.coordinator.office import Office
from parties.coordinator.preparing import Preparation
from parties.report.figures import bytes_text, time_text
from parties.report.tables import plain_text

INTERRUPTED = (
    "interrupted; nothing is prepared and nothing was charged. No approval was used: the same"
    " command goes on from there"
)


def prepare(
    scenario: Scenario,
    config: Config,
    wait_s: Annotated[
        float, typer.Option(min=0, help="How long to wait for people who have to approve.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """Have a study's dealer deal beforehand: parley run then needs no dealer.

    Asks every party for its approval, as parley run does, and for nothing else then: the run has
    the same approvals. Reads no row and spends nothing. It holds until the first approval ends, or
    a party's machine is started anew.

    Example: parley prepare scenario.yaml --config coordinator.yaml
    """
    with answering(as_json=json, interrupted=INTERRUPTED):
        office = Office.open(config)
        planned = planned_for(office, scenario)
        linked = tuple(member.id for member in planned.roster.linked)
        with StudyProgress(linked, quiet=json) as progress:
            prepared = office.prepare(planned, wait_s, progress.entered, progress.waiting)
        command = f"parley run {scenario} --config {config} --out DIR"
        if json:
            emit_json(_plain(prepared, command))
        else:
            _show(prepared, command)


def _show(prepared: Preparation, command: str) -> None:
    record = prepared.record
    study = f"study {record.study} is prepared, as run {record.run[:12]}"
    if prepared.already:
        study = f"{study}, since {time_text(record.prepared_unix_s)}; nothing was done again"
    lines = (
        study,
        f"{prepared.dealer} dealt {bytes_text(prepared.dealt_bytes)} to {prepared.last};"
        " the other parties expand theirs",
        f"holds until {time_text(record.expires_unix_s)}, or until a party's machine starts anew;"
        " nothing was charged",
        f"next: {command}",
    )
    for line in lines:
        out.print(plain_text(line), soft_wrap=True)


def _plain(prepared: Preparation, command: str) -> dict[str, object]:
    return {
        **prepared.record.to_plain(),
        "already": prepared.already,
        "dealer": prepared.dealer,
        "dealt_bytes": prepared.dealt_bytes,
        "dealt_to": prepared.last,
        "next": command,
    }
