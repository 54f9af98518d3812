"""``parley plan --tune``: weights that reach the errors a scenario asks for."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.text import Text

from mpc.plan.tuning import Tuning, tuned
from mpc.study.model import Study
from parties.commands.output import emit_json, out
from parties.coordinator.office import Office
from parties.coordinator.scenarios import read_scenario
from parties.report.tables import plain_text
from parties.report.tuning import tuning_document, tuning_table

UNMET_EXIT = 4  # nothing but a privacy budget speaks against it


def tune(office: Office, scenario: Path, *, as_json: bool) -> None:
    """Print the weights to write into ``scenario``. Asks no party and spends nothing.

    With the weights in it the study is planned once, so that what cannot be planned is refused
    here. Leaves with exit code 4 if the scenario's epsilon does not reach every target.
    """
    study, _ = read_scenario(scenario)
    found = tuned(study)
    office.plan(found.study(study))
    if as_json:
        emit_json(tuning_document(study, found), status="ok" if found.met else "refused")
    else:
        _show(study, found)
    if not found.met:
        raise typer.Exit(UNMET_EXIT)


def _show(study: Study, found: Tuning) -> None:
    out.print(plain_text(study.title, "bold"))
    out.print(tuning_table(study, found))
    if found.met:
        out.print(Text("Every target is met: write these weights into the scenario."))
        return
    for name in found.alone:
        line = f"{name}: its target takes more than the whole budget, even alone"
        out.print(plain_text(line, "yellow"), soft_wrap=True)
    out.print(Text("The budget does not reach every target.", style="bold red"))
