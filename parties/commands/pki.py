"""``parley pki``: keys made where they stay, certificates issued by the federation's authority."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.errors import UsageError
from mpc.units import Role
from parties.commands.output import answering, emit_json, out
from parties.identity import authority, store, trust
from parties.identity.bundle import read_bundle

app = typer.Typer(no_args_is_help=True, help="Keys and certificates. Private keys never move.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="A new folder for the authority's key.")],
    organization: Annotated[str, typer.Option(help="Who runs the authority.")],
    days: Annotated[int, typer.Option(min=1, max=7300)] = 3650,
    json: Json = False,
) -> None:
    """Make a certificate authority, at the coordinator.

    Example: parley pki init authority --organization "Northern University"
    """
    with answering(as_json=json):
        authority.authority_init(directory, organization, days)
        if json:
            emit_json({"directory": str(directory)})
        else:
            out.print(Text(f"authority made in {directory}; its key stays there"))


@app.command()
def request(
    directory: Annotated[Path, typer.Argument(help="This participant's identity folder.")],
    id: Annotated[str, typer.Option("--id", help="This participant's id.")],  # noqa: A002
    organization: Annotated[str, typer.Option()],
    role: Annotated[Role, typer.Option()] = Role.PARTY,
    json: Json = False,
) -> None:
    """Make this participant's keys, and a request to send to the authority.

    Example: parley pki request identity --id hospital-a --organization "Hospital A"
    """
    with answering(as_json=json):
        path = store.request(directory, id, role, organization)
        if json:
            emit_json({"request": str(path)})
        else:
            out.print(Text(f"keys made in {directory}; send {path} to the authority"))


@app.command()
def approve(
    authority_directory: Annotated[Path, typer.Argument(help="The authority's folder.")],
    request_file: Annotated[Path, typer.Argument(help="What the participant sent.")],
    to: Annotated[Path, typer.Option("--to", help="The bundle to send back.")],
    days: Annotated[int, typer.Option(min=1, max=825)] = 397,
    replace: Annotated[
        str, typer.Option(help="Fingerprint of the certificates to replace with new keys.")
    ] = "",
    json: Json = False,
) -> None:
    """Issue certificates for a request; prints the fingerprint to read out to everybody.

    Example: parley pki approve authority hospital-a.request.pem --to hospital-a.bundle.pem
    """
    with answering(as_json=json):
        asked = authority.read_request(request_file)
        fingerprint = authority.approve(
            authority_directory, request_file, to, days, replace=replace
        )
        if json:
            emit_json({"bundle": str(to), "fingerprint": fingerprint, "id": asked.names.id})
        else:
            out.print(Text(f"issued to {asked.names}\n{to}\n{fingerprint}"), soft_wrap=True)


@app.command()
def install(
    directory: Annotated[Path, typer.Argument(help="This participant's identity folder.")],
    bundle: Annotated[Path, typer.Argument(help="What the authority sent back.")],
    fingerprint: Annotated[
        str, typer.Option(help="As read out by the authority, by another way.")
    ] = "",
    json: Json = False,
) -> None:
    """Take the certificates issued for the keys made here.

    Example: parley pki install identity hospital-a.bundle.pem --fingerprint sha256:5f2c…
    """
    with answering(as_json=json):
        member = store.install(directory, bundle, fingerprint or None)
        if json:
            emit_json({"id": member.id, "fingerprint": member.fingerprint})
        else:
            out.print(Text(f"{member.role.value} {member.id}\n{member.fingerprint}"))


@app.command("trust")
def trust_(
    directory: Annotated[Path, typer.Argument(help="This participant's identity folder.")],
    bundle: Annotated[Path, typer.Argument(help="The peer's bundle.")],
    fingerprint: Annotated[str, typer.Option(help="As its operator reads it out.")],
    json: Json = False,
) -> None:
    """Keep a peer's certificates, once its fingerprint was compared by another way.

    Example: parley pki trust identity coordinator.bundle.pem --fingerprint sha256:77ab…
    """
    with answering(as_json=json):
        member = trust.trust_peer(directory, bundle, fingerprint)
        if json:
            emit_json({"id": member.id, "fingerprint": member.fingerprint})
        else:
            out.print(
                Text(
                    f"{member.role.value} {member.id} is trusted here; pin it in this"
                    f" participant's file:\n  {member.id}: {member.fingerprint}"
                ),
                soft_wrap=True,
            )


@app.command()
def show(
    source: Annotated[Path, typer.Argument(help="A bundle, or an identity folder.")],
    json: Json = False,
) -> None:
    """Print whose certificates these are, and their fingerprint.

    Example: parley pki show identity
    """
    with answering(as_json=json):
        if source.is_dir():
            member = store.load_identity(source).member
        elif source.exists():
            member = read_bundle(source).member
        else:
            raise UsageError(f"{source} does not exist")
        if json:
            emit_json(
                {
                    "id": member.id,
                    "role": member.role.value,
                    "organization": member.organization,
                    "fingerprint": member.fingerprint,
                }
            )
        else:
            line = f"{member.role.value} {member.id} ({member.organization})"
            out.print(Text(f"{line}\n{member.fingerprint}"), soft_wrap=True)
