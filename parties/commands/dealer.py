"""``parley dealer``: who makes correlated randomness, and holds no data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from parties.commands.output import Json, answering, emit_json, out

app = typer.Typer(no_args_is_help=True, help="A dealer: make its files, start it, ask it.")

Config = Annotated[Path, typer.Option("--config", help="The dealer's file.")]


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="A folder for everything this dealer keeps.")],
    *,
    dealer: Annotated[str, typer.Option("--id", help="This dealer's id, as dealing-house.")],
    organization: Annotated[
        str, typer.Option(help="Who runs it: no party's and not the coordinator's organization.")
    ],
    coordinator: Annotated[str, typer.Option(help="Id of who may start studies.")],
    host: Annotated[str, typer.Option(help="Name or address that others dial.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65_000, help="Control plane; the next 16 are for studies.")
    ] = 7200,
    json: Json = False,
) -> None:
    """Make a dealer: its keys and request, and a dealer.yaml that deals for nobody yet.

    Overwrites nothing. It starts once certificates are installed and peers are pinned.

    Example: parley dealer new dealer --id dealing-house --organization "Dealing House"
    --coordinator study-office --host mpc.dealing-house.example
    """
    from parties.commands.making import NewDealer, make_dealer

    with answering(as_json=json):
        asked = NewDealer(directory, dealer, organization, coordinator, host, port)
        make_dealer(asked).show(as_json=json)


@app.command()
def start(config: Config) -> None:
    """Deal until stopped. Prints its address as one JSON line; logs go to stderr.

    Example: parley dealer start --config dealer.yaml
    """
    from parties.commands.own_server import serving

    with serving():
        from parties.dealer.config import load_dealer_config
        from parties.dealer.main import serve

        serve(load_dealer_config(config))


@app.command()
def health(config: Config, json: Json = False) -> None:
    """Ask the dealer of this file whether it deals: a call over mutual TLS, as itself.

    Exits 0 if it answers, 5 if it cannot be reached or shows other certificates.

    Example: parley dealer health --config dealer.yaml
    """
    from parties.commands.own_server import own_health
    from parties.dealer.config import load_dealer_config

    with answering(as_json=json):
        said = load_dealer_config(config)
        report = own_health(said.identity, said.listen)
        if json:
            emit_json(
                {
                    "dealer": report.party,
                    "ready": report.ready,
                    "runs": report.runs,
                    "organizations": list(said.organizations),
                }
            )
            return
        out.print(Text(f"{report.party}: ready; studies under way: {report.runs}"))
        if not said.organizations:
            out.print(Text("organizations is empty: it deals for nobody", style="yellow"))
