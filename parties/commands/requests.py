"""``parley requests``: what a person at a party has to decide."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.canonical import is_short_text
from mpc.errors import UsageError
from mpc.session.approval import APPROVER_LENGTH_MAX
from mpc.units import PlanDigest
from parties.commands.output import answering, emit_json, out
from parties.config import load_node_config
from parties.node.parts import REQUESTS
from parties.node.requests import Request, RequestState, RequestStore
from parties.system import SystemClock

app = typer.Typer(no_args_is_help=True, help="Studies that wait for a person's decision here.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Prefix = Annotated[str, typer.Argument(help="The plan's digest, or its first 6 or more letters.")]
By = Annotated[
    str,
    typer.Option(
        "--by", help="Who decides, 1 to 200 printable characters; written into the receipt."
    ),
]
POLICY = "policy"
"""What approvals call a policy's own yes; no person may decide under this name."""

PREFIX_LENGTH_MIN = 6


def _store(config: Path) -> RequestStore:
    return RequestStore(load_node_config(config).state / REQUESTS, SystemClock())


def _plain(request: Request) -> dict[str, object]:
    return {
        "plan_digest": request.plan_digest,
        "study": request.study,
        "asked_by": request.asked_by,
        "asked_at": request.asked_at,
        "state": request.state.value,
        "summary": request.summary,
        "decided_by": request.decided_by,
        "reason": request.reason,
    }


@app.command("list")
def list_(
    config: Config,
    every: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    json: Json = False,
) -> None:
    """Show the studies that wait (with --all, the decided ones too).

    Example: parley requests list --config node.yaml
    """
    with answering(as_json=json):
        found = _store(config).list(None if every else RequestState.PENDING)
        if json:
            emit_json({"requests": [_plain(request) for request in found]})
            return
        if not found:
            out.print("nothing waits for a decision")
            return
        for request in found:
            title = f"{request.plan_digest[:12]}  {request.study}  {request.state.value}"
            out.print(Text(title, style="bold"), soft_wrap=True)
            for line in summary_lines(request.summary):
                out.print(Text(f"  {line}"), soft_wrap=True)


def summary_lines(summary: str) -> list[str]:
    """What is asked, a line each: ``columns: age (filter), sex (group)``."""
    try:
        said = json_text.loads(summary)
    except ValueError:
        return summary.splitlines()
    if not isinstance(said, dict):
        return summary.splitlines()
    return [f"{name}: {_words(value)}" for name, value in said.items()]


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({_words(each)})" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_words(each) for each in value)
    return str(value)


def _person(by: str) -> str:
    """``by`` as an approval takes it. Raises UsageError, so that no plan is stopped by it later."""
    said = _sentence("--by", by)
    if said == POLICY:
        raise UsageError("--by policy is no person: that is what automatic approvals say")
    return said


def _sentence(option: str, text: str) -> str:
    """``text`` if an approval, or the coordinator's message, may carry it."""
    stripped = text.strip()
    if not is_short_text(stripped, APPROVER_LENGTH_MAX):
        raise UsageError(
            f"{option} takes 1 to {APPROVER_LENGTH_MAX} printable characters",
            hint="nothing was decided",
        )
    return stripped


def _found(store: RequestStore, prefix: str) -> PlanDigest:
    """The one request whose digest starts with ``prefix``. Raises UsageError if it is not one."""
    if len(prefix) < PREFIX_LENGTH_MIN:
        raise UsageError(
            f"{prefix!r} is too short for a digest: give at least its first"
            f" {PREFIX_LENGTH_MIN} letters",
            hint="parley requests list shows them",
        )
    matching = [each for each in store.list() if each.plan_digest.startswith(prefix)]
    if len(matching) != 1:
        count = len(matching) or "no"
        raise UsageError(
            f"{count} requests start with {prefix!r}", hint="parley requests list --all shows them"
        )
    return matching[0].plan_digest


@app.command()
def approve(plan: Prefix, config: Config, by: By, json: Json = False) -> None:
    """Approve a plan; the coordinator learns it when it asks again.

    Example: parley requests approve 9c1e03 --by "M. Okafor" --config node.yaml
    """
    with answering(as_json=json):
        person = _person(by)
        store = _store(config)
        request = store.decide(_found(store, plan), RequestState.APPROVED, person, "")
        if json:
            emit_json(_plain(request))
        else:
            out.print(Text(f"{request.study}: approved by {person}"), soft_wrap=True)


@app.command()
def refuse(
    plan: Prefix,
    config: Config,
    by: By,
    reason: Annotated[
        str,
        typer.Option(help="Why, 1 to 200 printable characters; sent to the coordinator as it is."),
    ],
    json: Json = False,
) -> None:
    """Refuse a plan, with a reason: the coordinator is told both name and reason as they are.

    Example: parley requests refuse 9c1e03 --by "M. Okafor" --reason "no vote" --config node.yaml
    """
    with answering(as_json=json):
        person, why = _person(by), _sentence("--reason", reason)
        store = _store(config)
        request = store.decide(_found(store, plan), RequestState.REFUSED, person, why)
        if json:
            emit_json(_plain(request))
        else:
            out.print(Text(f"{request.study}: refused by {person}"), soft_wrap=True)


@app.command()
def reconsider(
    plan: Prefix,
    config: Config,
    by: By,
    reason: Annotated[
        str, typer.Option(help="Why, 1 to 200 printable characters; kept here, not sent.")
    ],
    json: Json = False,
) -> None:
    """Take back a decision that no run has used yet: the plan waits for a person again.

    Example: parley requests reconsider 9c1e03 --by "M. Okafor" --reason "vote received"
    --config node.yaml
    """
    with answering(as_json=json):
        person, why = _person(by), _sentence("--reason", reason)
        store = _store(config)
        request = store.reconsider(_found(store, plan), person, why)
        if json:
            emit_json(_plain(request))
        else:
            out.print(Text(f"{request.study}: waits for a decision again"), soft_wrap=True)
