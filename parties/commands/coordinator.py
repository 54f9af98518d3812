"""``parley coordinator``: the office that proposes studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.errors import ParleyError, PeerError
from parties.commands.output import answering, emit_json, out

app = typer.Typer(no_args_is_help=True, help="A coordinator: make its files, ask its parties.")

Config = Annotated[Path, typer.Option("--config", help="The coordinator's file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="A folder for everything it keeps.")],
    id: Annotated[str, typer.Option("--id", help="Its id, as study-office.")],  # noqa: A002
    organization: Annotated[str, typer.Option(help="Who runs it; written into certificates.")],
    party: Annotated[
        list[str] | None, typer.Option(help="PARTY=HOST:PORT of a node; again for each.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a coordinator: its keys and request, and coordinator.yaml. Overwrites nothing.

    Example: parley coordinator new office --id study-office --organization "Northern University"
    --party hospital-a=mpc.hospital-a.example:7100 --party hospital-b=10.0.0.7:7100
    """
    from parties.commands.making import make_coordinator

    with answering(as_json=json):
        request = make_coordinator(directory, id, organization, tuple(party or ()))
        if json:
            emit_json({"config": str(directory / "coordinator.yaml"), "request": str(request)})
            return
        out.print(
            Text(
                f"made in {directory}: coordinator.yaml, identity\n"
                f"1. parley pki approve {request}, then parley pki install\n"
                "2. approve the parties' requests; parley pki trust their bundles\n"
                "3. parley coordinator health; parley plan; parley run"
            ),
            soft_wrap=True,
        )


@app.command()
def health(config: Config, json: Json = False) -> None:
    """Call every party's node over mutual TLS: who takes studies, and which tables they announce.

    Exits 0 if all do, 5 if one cannot be reached.

    Example: parley coordinator health --config coordinator.yaml
    """
    from concurrent.futures import ThreadPoolExecutor

    from parties.coordinator.office import Office
    from parties.coordinator.surveying import Answer, survey

    def line(party: str, found: Answer | ParleyError) -> str:
        if isinstance(found, ParleyError):
            return found.what if found.party == party else found.message
        return found.text

    with answering(as_json=json):
        office = Office.open(config)
        with ThreadPoolExecutor(max_workers=16) as pool:
            parties = tuple(office.config.parties)
            answers = dict(
                zip(parties, pool.map(lambda each: survey(office, each), parties), strict=True)
            )
        silent = [party for party, found in answers.items() if isinstance(found, ParleyError)]
        if json and not silent:
            emit_json({"parties": {party: line(party, found) for party, found in answers.items()}})
        if not json:
            for party, found in answers.items():
                style = "red" if isinstance(found, ParleyError) else "green"
                out.print(Text.assemble((f"{party}  ", style), line(party, found)), soft_wrap=True)
        if silent:
            raise PeerError(", ".join(silent), "cannot take part now")
