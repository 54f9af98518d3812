"""``parley``: one command for researchers, party operators and coordinators.

Exit codes: 0 done; 1 the computation failed; 2 usage or an invalid file; 3 refused by a party;
4 the privacy budget would be exceeded; 5 connection or authentication; 6 awaiting approval;
7 integrity (signature, digest, proof); 70 our bug; 130 interrupted.
"""

from __future__ import annotations

import typer

from parties.commands import data, node, pki, requests, studies

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Joint statistics over data that never leaves its owners.",
)
app.add_typer(pki.app, name="pki")
app.add_typer(node.app, name="node")
app.add_typer(data.app, name="data")
app.add_typer(requests.app, name="requests")
studies.add_to(app)


def main() -> None:
    """The ``parley`` command."""
    app()


if __name__ == "__main__":
    main()
