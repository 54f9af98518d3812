"""``parley node``: a party's node."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from parties.commands.output import answering

app = typer.Typer(no_args_is_help=True, help="A party's node.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]


@app.command()
def start(config: Config) -> None:
    """Serve studies until stopped. Prints its address as one JSON line; logs go to stderr.

    Example: parley node start --config node.yaml
    """
    import logging

    from parties.config import load_node_config
    from parties.node.main import LOG_FORMAT, serve

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    with answering():
        serve(load_node_config(config))
