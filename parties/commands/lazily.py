"""A group of commands of which only the one that is asked for is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "simulate": "parties.commands.simulation:simulate",
    "plan": "parties.commands.studies:plan",
    "prepare": "parties.commands.preparing:prepare",
    "run": "parties.commands.studies:run",
    "status": "parties.commands.status:status",
    "verify": "parties.commands.studies:verify",
    "schema": "parties.commands.studies:schema",
    "pki": "parties.commands.pki:app",
    "node": "parties.commands.node:app",
    "dealer": "parties.commands.dealer:app",
    "budget": "parties.commands.budget:app",
    "data": "parties.commands.data:app",
    "requests": "parties.commands.requests:app",
    "coordinator": "parties.commands.coordinator:app",
}


_MisusedError: Any = typer.BadParameter.__mro__[2]
"""Typer's error of a command line it cannot take, by its only public name: a missing option."""


class LazyGroup(TyperGroup):
    """``COMMANDS``, by name. A command that needs no study does not wait for what studies need."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Only the names count: a wrong one is compared with them.
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command called ``cmd_name``; None if there is none."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        command: Any
        if isinstance(found, typer.Typer):
            command = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command

    def main(self, args: Sequence[str] | None = None, *more: Any, **settings: Any) -> Any:
        """Run a command. With ``--json``, a command line that cannot be read is told in JSON."""
        given = list(sys.argv[1:] if args is None else args)
        if "--json" not in given or not settings.get("standalone_mode", True):
            return super().main(args, *more, **settings)
        try:
            code = super().main(given, *more, **{**settings, "standalone_mode": False})
        except _MisusedError as misuse:
            code = _told(misuse)
        sys.exit(code or 0)


def _told(misuse: Any) -> int:
    from mpc.errors import UsageError
    from parties.commands.output import fail

    asked = misuse.ctx.command_path if misuse.ctx else "parley"
    error = UsageError(misuse.format_message(), hint=f"{asked} --help")
    try:
        fail(error, as_json=True)
    except typer.Exit as ended:
        return ended.exit_code
