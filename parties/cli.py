"""``parley``: one command for researchers, party operators and coordinators."""

from __future__ import annotations

from typing import Annotated

import typer

from parties.commands.lazily import LazyGroup

EXIT_CODES = (
    "Exit codes: 0 done; 1 the computation failed; 2 usage or an invalid file;"
    " 3 refused by a party; 4 the privacy budget would be exceeded; 5 connection or authentication;"
    " 6 awaiting approval; 7 integrity (signature, digest, proof); 8 a file or database here;"
    " 70 our bug; 130 interrupted."
)

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
)


def _version(asked: bool) -> None:
    if asked:
        from parties.system import SOFTWARE_VERSION

        typer.echo(SOFTWARE_VERSION.replace("/", " "))
        raise typer.Exit


@app.callback()
def parley(
    _asked: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Joint statistics over data that never leaves its owners."""


def main() -> None:
    """The ``parley`` command."""
    app()


if __name__ == "__main__":
    main()
