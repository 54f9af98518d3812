"""``parley data``: what an owner does with its own table before anybody asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from mpc.canonical import Plain
from parties.commands.output import Json, answering, emit_json, out

if TYPE_CHECKING:
    from parties.data.faults import Telling

app = typer.Typer(
    no_args_is_help=True, help="An owner's tables: check, register, show what is published."
)

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Every = Annotated[
    bool, typer.Option("--all", help="Tell every faulty line, not one line a column and fault.")
]
ACCEPTED = (
    "Accepted: a cell that cannot be read is what a study's rule for missing says; one outside the"
    " bounds or levels here, what its rules for outside and unknown_level say."
)


@app.command()
def register(
    table: Annotated[str, typer.Argument(help="A table of the node's file.")],
    config: Config,
    accept_cells: Annotated[
        bool,
        typer.Option(
            "--accept-cells",
            help="Announce in spite of faulty cells: every study treats them as its rules for"
            " missing, outside and unknown_level say.",
        ),
    ] = False,
    every: Every = False,
    json: Json = False,
) -> None:
    """Hold a table to its schema, cell by cell, and announce its version.

    Everything that is wrong is told here, with file, line and column, and then nothing is
    announced, unless single cells are all that is wrong and you accept that. Studies name the
    version; a changed file has to be registered again.

    Example: parley data register visits --config node.yaml
    """
    from parties.config import load_node_config
    from parties.data.register import register_table

    with answering(as_json=json):
        registered = register_table(
            load_node_config(config), table, accept_cells=accept_cells, telling=_telling(every)
        )
        number, accepted = registered.version.number, registered.accepted
        faults = [] if accepted is None else accepted.message.splitlines()
        if json:
            emit_json(
                {"table": table, "version": number, "rows": registered.rows, "accepted": faults}
            )
        else:
            line = f"{table}: version {number} is announced; {registered.rows} rows (told you only)"
            out.print(Text(line), soft_wrap=True)
            for fault in [ACCEPTED, *faults] if faults else []:
                out.print(Text(fault), soft_wrap=True)


@app.command()
def check(
    schema: Annotated[Path, typer.Argument(help="A table's schema file.")],
    every: Every = False,
    json: Json = False,
) -> None:
    """Hold a table's files to its schema, cell by cell, and announce nothing. Needs no node.

    Example: parley data check visits.schema.yaml
    """
    from parties.data.register import check_data
    from parties.data.schema import load_schema

    with answering(as_json=json):
        written = load_schema(schema)
        _files, _header, rows = check_data(written, _telling(every))
        if json:
            emit_json({"table": written.value.table, "rows": rows})
        else:
            line = f"{written.value.table}: {rows} rows, as {schema.name} says (told you only)"
            out.print(Text(line), soft_wrap=True)


@app.command()
def show(config: Config, json: Json = False) -> None:
    """Show what this node publishes of its tables: columns, levels, bounds, versions. No counts.

    Tells you alone why a table has no version for studies now.

    Example: parley data show --config node.yaml
    """
    from parties.config import load_node_config
    from parties.data.catalogue import Catalogue

    with answering(as_json=json):
        catalogue = Catalogue(load_node_config(config))
        published, offline = catalogue.published(), catalogue.offline()
        if json:
            emit_json({"tables": published, "offline": offline})
            return
        for name, table in published.items():
            if not isinstance(table, dict) or not isinstance(table["columns"], dict):
                continue
            version = "offline" if table["version"] is None else f"version {table['version']}"
            out.print(Text(f"{name}: {version}, at most {table['rows_max']} rows"))
            for column, field in table["columns"].items():
                if isinstance(field, dict):
                    out.print(Text(f"  {column}: {field['type']}{_limits(field)}"), soft_wrap=True)
        for why in offline.values():
            out.print(Text(f"told you only: {why}", style="yellow"), soft_wrap=True)


def _telling(every: bool) -> Telling:
    from parties.data.faults import Telling

    return Telling.EVERY if every else Telling.GROUPED


def _limits(field: Mapping[str, Plain]) -> str:
    """`` from 0 to 120``, `` F, M``, or nothing; whether a cell is required."""
    levels, bounds = field.get("levels"), field.get("bounds")
    text = ""
    if isinstance(levels, list):
        text = f" {', '.join(map(str, levels))}"
    elif isinstance(bounds, list) and len(bounds) == 2:
        text = f" from {bounds[0]} to {bounds[1]}"
    return text + (", required" if field.get("required") else "")
