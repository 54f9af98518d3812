"""``parley pki``: keys made where they stay, certificates issued by the federation's authority."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.errors import UsageError
from mpc.units import Role
from parties.commands.output import Json, answering, emit_json, out
from parties.identity import authority, files, store, trust
from parties.identity.bundle import check_fingerprint, read_bundle
from parties.pinning import check_identity, pin

app = typer.Typer(no_args_is_help=True, help="Keys and certificates. Private keys never move.")


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="A new folder for the authority's key.")],
    organization: Annotated[str, typer.Option(help="Who runs the authority.")],
    days: Annotated[int, typer.Option(min=1, max=7300, help="How long it is valid.")] = 3650,
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
    organization: Annotated[str, typer.Option(help="Who runs it; written into certificates.")],
    role: Annotated[Role, typer.Option(help="What it is in studies.")] = Role.PARTY,
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
    to: Annotated[Path, typer.Option("--out", "-o", help="The bundle to send back.")],
    days: Annotated[int, typer.Option(min=1, max=825, help="How long they are valid.")] = 397,
    replace: Annotated[
        str, typer.Option(help="Fingerprint of the certificates to replace with new keys.")
    ] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Issue others to a participant that has some.")
    ] = False,
    json: Json = False,
) -> None:
    """Issue certificates for a request; prints the fingerprint to read out to everybody.

    Example: parley pki approve authority hospital-a.request.pem --out hospital-a.bundle.pem
    """
    with answering(as_json=json):
        asked = authority.read_request(request_file)
        fingerprint = authority.approve(
            authority_directory, request_file, to, days, replace=replace, again=again
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
    bundles: Annotated[list[Path], typer.Argument(help="The peers' bundles.")],
    fingerprint: Annotated[
        str, typer.Option(help="As the peer's operator reads it out; for one bundle.")
    ] = "",
    roster: Annotated[
        Path | None,
        typer.Option(help="A file of id: fingerprint that was compared with everyone."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="node.yaml, dealer.yaml or coordinator.yaml: write the pins into it too."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Keep peers' certificates, once their fingerprints were compared by another way.

    A peer is trusted only if its fingerprint is pinned in this participant's own file: --config
    writes it there. This participant's own bundle may be among the bundles; it is passed over.

    Example: parley pki trust identity study-office.bundle.pem --fingerprint sha256:77ab…
    --config node.yaml

    Example: parley pki trust identity *.bundle.pem --roster roster.json --config node.yaml
    """
    with answering(as_json=json):
        if config is not None:
            check_identity(config, directory)
        peers = _compared(directory, bundles, fingerprint, roster)
        for path, expected in peers.items():
            member = trust.trust_peer(directory, path, expected)
            if config is not None:
                pin(config, member)
        if json:
            emit_json({"trusted": {read_bundle(path).names.id: peers[path] for path in peers}})
            return
        where = "pin them in this participant's file:"
        if config:
            where = f"pinned in {config}, which a node or dealer reads when it starts"
        out.print(Text(f"certificates kept in {directory}; {where}"), soft_wrap=True)
        for path, expected in peers.items():
            out.print(Text(f"  {read_bundle(path).names.id}: {expected}"), soft_wrap=True)


def _compared(
    directory: Path, bundles: list[Path], fingerprint: str, roster: Path | None
) -> dict[Path, str]:
    """The fingerprint that each bundle must have; this participant's own bundle is left out."""
    if bool(fingerprint) == (roster is not None) or (fingerprint and len(bundles) > 1):
        raise UsageError(
            "say what was compared: --fingerprint for one bundle, or --roster for several"
        )
    if roster is None:
        return {bundles[0]: fingerprint}
    from parties.report.pins import load_pins

    own = store.load_identity(directory).member.id
    pins = load_pins(files.read(roster), str(roster))
    members = {path: read_bundle(path).member for path in bundles}
    unknown = [each.id for each in members.values() if each.id not in pins]
    if unknown:
        raise UsageError(f"{roster} has no fingerprint of {', '.join(unknown)}")
    for member in members.values():
        check_fingerprint(member, pins[member.id])  # its own too: others would pin a stranger
    return {path: pins[each.id] for path, each in members.items() if each.id != own}


@app.command()
def roster(
    bundles: Annotated[list[Path], typer.Argument(help="Everyone's bundles.")],
) -> None:
    """Print the fingerprints of bundles as a roster file, for everyone to compare line by line.

    Each operator compares its own line with what parley pki show prints of its identity folder.

    Example: parley pki roster *.bundle.pem > roster.json
    """
    with answering():
        members = [read_bundle(path).member for path in bundles]
        pins = {str(member.id): member.fingerprint for member in members}
        if len(pins) != len(members):
            raise UsageError("two of the bundles are of one participant")
        out.file.write(json_text.dumps(pins, indent=2) + "\n")


@app.command()
def show(
    source: Annotated[Path, typer.Argument(help="A bundle, or an identity folder.")],
    json: Json = False,
) -> None:
    """Print whose certificates these are, and their fingerprint.

    Example: parley pki show identity
    """
    with answering(as_json=json):
        if (source / "identity").is_dir():
            source /= "identity"  # a whole participant's folder
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
