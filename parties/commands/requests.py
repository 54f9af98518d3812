"""``parley requests``: what a person at a party has to decide."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.errors import UsageError
from parties.commands.output import answering, emit_json, out
from parties.config import load_node_config
from parties.node.parts import REQUESTS
from parties.node.requests import Request, RequestState, RequestStore
from parties.system import SystemClock

app = typer.Typer(no_args_is_help=True, help="Studies that wait for a person's decision here.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Prefix = Annotated[str, typer.Argument(help="The plan's digest, or its first letters.")]
By = Annotated[str, typer.Option("--by", help="Who decides; written into the receipt.")]


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


def _decide(config: Path, prefix: str, state: RequestState, by: str, reason: str) -> Request:
    store = _store(config)
    matching = [each for each in store.list() if each.plan_digest.startswith(prefix)]
    if len(matching) != 1:
        raise UsageError(f"{len(matching)} requests start with {prefix!r}")
    return store.decide(matching[0].plan_digest, state, by, reason)


@app.command()
def approve(plan: Prefix, config: Config, by: By, json: Json = False) -> None:
    """Approve a plan; the coordinator learns it when it asks again.

    Example: parley requests approve 9c1e03 --by "M. Okafor" --config node.yaml
    """
    with answering(as_json=json):
        request = _decide(config, plan, RequestState.APPROVED, by, "")
        if json:
            emit_json(_plain(request))
        else:
            out.print(Text(f"{request.study}: approved by {by}"))


@app.command()
def refuse(
    plan: Prefix,
    config: Config,
    by: By,
    reason: Annotated[str, typer.Option(help="Told to the coordinator.")],
    json: Json = False,
) -> None:
    """Refuse a plan, with a reason.

    Example: parley requests refuse 9c1e03 --by "M. Okafor" --reason "no vote" --config node.yaml
    """
    with answering(as_json=json):
        request = _decide(config, plan, RequestState.REFUSED, by, reason)
        if json:
            emit_json(_plain(request))
        else:
            out.print(Text(f"{request.study}: refused by {by}"))
