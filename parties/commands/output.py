"""How commands speak: results on stdout, everything else on stderr, JSON where asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from mpc.errors import (
    BudgetRefusal,
    FileFaults,
    ParleyError,
    PolicyRefusal,
    UsageError,
)

SCHEMA_VERSION = "1"
INTERRUPTED = "interrupted before this was done"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
"""The option of every command that has one; see :func:`emit_json`."""

out = Console()
err = Console(stderr=True)


class Interrupted(ParleyError):
    """Whoever waited for a command stopped it; says what became of what was under way."""

    code = "PLY-Q001"
    exit_code = 130
    who_acts = "whoever stopped the command"


def emit_json(data: Mapping[str, Any], *, status: str = "ok") -> None:
    """One JSON object on stdout, in the envelope every ``--json`` has.

    ``status``: ``ok``, or ``refused`` for the plan of a study that a party refuses.
    """
    envelope = {"schema_version": SCHEMA_VERSION, "status": status, "data": data}
    sys.stdout.write(json.dumps(envelope, indent=2, default=str) + "\n")


def details(error: ParleyError) -> dict[str, object]:
    """What an error says in parts, for programs: the party, a file's faults, each reason."""
    parts: dict[str, object] = {"party": error.party} if error.party else {}
    if isinstance(error, FileFaults):
        parts["faults"] = [{"file": error.file, **asdict(fault)} for fault in error.faults]
    if isinstance(error, PolicyRefusal | BudgetRefusal):
        parts["reasons"] = [asdict(reason) for reason in error.reasons]
    return parts


def fail(error: ParleyError, *, as_json: bool, data: Mapping[str, Any] | None = None) -> NoReturn:
    """Say what is wrong, who must act, and leave with the error's exit code.

    A peer's words may be in it: nothing in them moves the cursor, and none of their lines can pass
    for one of ours, as those of an error that names a party begin with blanks from the second on.
    ``data``: what was found all the same, beside the error in JSON.
    """
    if as_json:
        envelope: dict[str, object] = {
            "schema_version": SCHEMA_VERSION,
            "status": "error",
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "who_acts": error.who_acts,
            **details(error),
        }
        if data is not None:
            envelope["data"] = data
        sys.stdout.write(json.dumps(envelope, indent=2, default=str) + "\n")
    else:
        from parties.report.tables import plain_lines

        indent = "  " if error.party else ""
        err.print(plain_lines(error.message, "bold red", indent=indent), soft_wrap=True)
        if error.hint:
            err.print(plain_lines(f"hint: {error.hint}", indent="  "), soft_wrap=True)
        err.print(Text(f"({error.code}; to act: {error.who_acts})", style="dim"), soft_wrap=True)
    raise typer.Exit(error.exit_code)


@contextmanager
def answering(*, as_json: bool = False, interrupted: str = INTERRUPTED) -> Iterator[None]:
    """Run a command's body: our errors become a sentence and an exit code, never a traceback.

    ``interrupted``: what is said when Ctrl-C ends the body.
    """
    try:
        yield
    except ParleyError as error:
        fail(error, as_json=as_json)
    except OSError as failure:
        where = f"{failure.filename}: " if failure.filename else ""
        fail(UsageError(f"{where}{failure.strerror or 'cannot be used'}"), as_json=as_json)
    except KeyboardInterrupt:
        fail(Interrupted(interrupted), as_json=as_json)
    except typer.Exit:
        raise
    except Exception as error:
        # What a library says may quote data: the kind of failure is all that is told.
        bug = ParleyError(
            f"unexpected {type(error).__name__}", hint="please report how to get here"
        )
        fail(bug, as_json=as_json)
