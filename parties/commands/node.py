"""``parley node``: a party's node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from parties.commands.output import Json, answering, emit_json, out

if TYPE_CHECKING:
    from parties.config import NodeConfig

app = typer.Typer(no_args_is_help=True, help="A party's node: make its files, start it, ask it.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="A folder for everything this party keeps.")],
    *,
    party: Annotated[str, typer.Option("--id", help="This party's id, as hospital-a.")],
    organization: Annotated[str, typer.Option(help="Who runs it; written into certificates.")],
    table: Annotated[str, typer.Option(help="The table it offers, as studies call it.")],
    coordinator: Annotated[str, typer.Option(help="Id of who may propose studies.")],
    data: Annotated[
        Path | None, typer.Option(help="The table's CSV file: its header becomes the schema's.")
    ] = None,
    delimiter: Annotated[
        str, typer.Option(help="Of the CSV file: , ; | or \\t for a tab. Written into the schema.")
    ] = ",",
    encoding: Annotated[
        str,
        typer.Option(
            help="Of the CSV file: utf-8, windows-1252, latin-1, latin-9 or utf-16."
            " Written into the schema."
        ),
    ] = "utf-8",
    host: Annotated[str, typer.Option(help="Name or address that others dial.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65_000, help="Control plane; the next 16 are for studies.")
    ] = 7100,
    rows_max: Annotated[
        int, typer.Option(min=1, help="A number of rows that the table never exceeds; published.")
    ] = 1_000_000,
    json: Json = False,
) -> None:
    """Make a party: its keys and request, node.yaml, a policy that refuses all, a schema to edit.

    Overwrites nothing. The node starts once certificates are installed and peers are pinned.

    Example: parley node new hospital-a --id hospital-a --organization "Hospital A"
    --table visits --data visits.csv --coordinator study-office --host mpc.hospital-a.example
    """
    from parties.commands.making import NewParty, make_party

    with answering(as_json=json):
        asked = NewParty(directory, party, organization, coordinator, host, port, table, rows_max,
                         delimiter.replace("\\t", "\t"), encoding)  # fmt: skip
        make_party(asked, data).show(as_json=json)


@app.command()
def start(config: Config) -> None:
    """Serve studies until stopped. Prints its address as one JSON line; logs go to stderr.

    Example: parley node start --config node.yaml
    """
    from parties.commands.own_server import serving

    with serving():
        from parties.config import load_node_config
        from parties.node.main import serve

        serve(load_node_config(config))


@app.command()
def health(config: Config, json: Json = False) -> None:
    """Ask the node of this file whether it takes studies: a call over mutual TLS, as itself.

    Tells its owner too which tables are offline, and why: the node refuses studies of those.
    Exits 0 if the node answers, 5 if it cannot be reached or shows other certificates.

    Example: parley node health --config node.yaml
    """
    from parties.commands.own_server import own_health
    from parties.config import load_node_config

    with answering(as_json=json):
        said = load_node_config(config)
        report = own_health(said.identity, said.listen)
        offline, fault = _offline(said)
        if json:
            emit_json(
                {
                    "party": report.party,
                    "ready": report.ready,
                    "runs": report.runs,
                    "offline": offline,
                    "fault": fault,
                }
            )
            return
        out.print(Text(f"{report.party}: ready; studies under way: {report.runs}"))
        for why in offline.values():
            out.print(Text(f"offline: {why}", style="yellow"), soft_wrap=True)
        if fault is not None:
            out.print(Text(f"the node would not start again: {fault}", "yellow"), soft_wrap=True)
        elif len(offline) == len(said.tables):
            out.print(Text("no table is online: every study is refused", "yellow"), soft_wrap=True)


def _offline(config: NodeConfig) -> tuple[dict[str, str], str | None]:
    """Which tables studies cannot use, and why; or what is wrong with the files that say so."""
    from mpc.errors import ParleyError
    from parties.data.catalogue import Catalogue

    try:
        return Catalogue(config).offline(), None
    except ParleyError as fault:  # the node read them when it started
        return {}, fault.message
