"""``parley coordinator``: the office that proposes studies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from mpc.errors import ParleyError, PeerError
from mpc.units import PartyId
from parties.commands.output import Json, answering, emit_json, fail, out

if TYPE_CHECKING:
    from parties.coordinator.surveying import Answer, PartyAnswer

app = typer.Typer(
    no_args_is_help=True, help="A coordinator: make its files, ask its parties and dealers."
)

Config = Annotated[Path, typer.Option("--config", help="The coordinator's file.")]


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="A folder for everything it keeps.")],
    id: Annotated[str, typer.Option("--id", help="Its id, as study-office.")],  # noqa: A002
    organization: Annotated[str, typer.Option(help="Who runs it; written into certificates.")],
    party: Annotated[
        list[str] | None, typer.Option(help="PARTY=HOST:PORT of a node; again for each.")
    ] = None,
    dealer: Annotated[
        list[str] | None, typer.Option(help="DEALER=HOST:PORT of a dealer; again for each.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a coordinator: its keys and request, and coordinator.yaml. Overwrites nothing.

    Example: parley coordinator new office --id study-office --organization "Northern University"
    --party hospital-a=mpc.hospital-a.example:7100 --party hospital-b=10.0.0.7:7100
    """
    from parties.commands.making import make_coordinator

    with answering(as_json=json):
        parties, dealers = tuple(party or ()), tuple(dealer or ())
        make_coordinator(directory, id, organization, parties, dealers).show(as_json=json)


@app.command()
def health(config: Config, json: Json = False) -> None:
    """Call every party's node over mutual TLS: who takes studies, and which tables they announce.

    Calls every dealer too. Exits 0 if all do, 5 if one cannot be reached.

    Example: parley coordinator health --config coordinator.yaml
    """
    from parties.coordinator.office import Office
    from parties.coordinator.surveying import Answer, survey_dealers, survey_parties
    from parties.report.tables import plain_text

    with answering(as_json=json):
        office = Office.open(config)
        parties, dealers = survey_parties(office), survey_dealers(office)
        everyone: dict[PartyId, Answer | ParleyError] = {**parties, **dealers}
        for member, found in () if json else everyone.items():
            answered = isinstance(found, Answer)
            style = "green" if answered else "red"
            said = found.text if isinstance(found, Answer) else found.what_of(member)
            role = "dealer, " if member in dealers and answered else ""
            line = Text.assemble((f"{member}  ", style), plain_text(f"{role}{said}"))
            out.print(line, soft_wrap=True)
        _end(parties, dealers, as_json=json)


@app.command()
def tables(config: Config, json: Json = False) -> None:
    """Show what every party publishes of its tables: versions, capacities, columns, bounds, levels.

    It is what scenarios have to fit. Exits 5 if a party cannot be reached.

    Example: parley coordinator tables --config coordinator.yaml
    """
    from parties.coordinator.office import Office
    from parties.coordinator.surveying import Answer, column_text, survey_parties
    from parties.report.tables import plain_text

    with answering(as_json=json):
        answers = survey_parties(Office.open(config))
        for party, found in () if json else answers.items():
            if not isinstance(found, Answer):
                line = Text.assemble((f"{party}  ", "red"), plain_text(found.what_of(party)))
                out.print(line, soft_wrap=True)
                continue
            out.print(plain_text(f"{party}  {found.organization}", "green"), soft_wrap=True)
            for table, offer in found.tables.items():
                out.print(plain_text(f"  {table}: {offer.text}"), soft_wrap=True)
                for column, fields in offer.columns.items():
                    line = plain_text(f"    {column}: {column_text(fields)}")
                    out.print(line, soft_wrap=True)
        _end(answers, None, as_json=json)


def _end(
    parties: Mapping[PartyId, PartyAnswer | ParleyError],
    dealers: Mapping[PartyId, Answer | ParleyError] | None,
    *,
    as_json: bool,
) -> None:
    """Everyone who was asked as JSON if asked for, and exit 5 if one of them gave no answer."""
    data: dict[str, object] = {
        "parties": {party: _plain(party, found, {"tables": {}}) for party, found in parties.items()}
    }
    if dealers is not None:
        data["dealers"] = {dealer: _plain(dealer, found, {}) for dealer, found in dealers.items()}
    answers = {**parties, **(dealers or {})}
    silent = [member for member, found in answers.items() if isinstance(found, ParleyError)]
    if silent:
        error = PeerError(", ".join(silent), "cannot take part now")
        fail(error, as_json=as_json, data=data)
    if as_json:
        emit_json(data)


def _plain(
    member: PartyId, found: Answer | ParleyError, nothing: dict[str, object]
) -> dict[str, object]:
    """An answer for ``--json``; why there is none, beside ``nothing``, if there is none."""
    if isinstance(found, ParleyError):
        why = {"code": found.code, "what": found.what_of(member)}
        return {"ready": False, **nothing, "error": why}
    return {"ready": True, **found.to_plain(), "error": None}
