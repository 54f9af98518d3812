"""``parley data``: what an owner does with its own table before anybody asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from parties.commands.output import answering, emit_json, out
from parties.config import load_node_config

app = typer.Typer(no_args_is_help=True, help="An owner's tables: register and show versions.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def register(
    table: Annotated[str, typer.Argument(help="A table of the node's file.")],
    config: Config,
    json: Json = False,
) -> None:
    """Hold a table to its schema, cell by cell, and announce its version.

    Everything that is wrong is told here, with file, line and column, and then nothing is
    announced. Studies name the version; a changed file has to be registered again.

    Example: parley data register visits --config node.yaml
    """
    from parties.data.register import register_table

    with answering(as_json=json):
        registered = register_table(load_node_config(config), table)
        number = registered.version.number
        if json:
            emit_json({"table": table, "version": number, "rows": registered.rows})
        else:
            line = f"{table}: version {number} is announced; {registered.rows} rows (told you only)"
            out.print(Text(line))


@app.command()
def show(config: Config, json: Json = False) -> None:
    """Show what this node publishes of its tables: columns, levels, bounds, versions. No counts.

    Example: parley data show --config node.yaml
    """
    from parties.data.catalogue import Catalogue

    with answering(as_json=json):
        published = Catalogue(load_node_config(config)).published()
        if json:
            emit_json({"tables": published})
            return
        for name, table in published.items():
            if not isinstance(table, dict) or not isinstance(table["columns"], dict):
                continue
            version = table["version"] or "none registered"
            out.print(Text(f"{name}: version {version}, at most {table['rows_max']} rows"))
            for column, field in table["columns"].items():
                if isinstance(field, dict):
                    limits = field.get("levels") or field.get("bounds") or ""
                    out.print(Text(f"  {column}: {field['type']} {limits}"))
