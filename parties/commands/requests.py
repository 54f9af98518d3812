"""``parley requests``: what a person at a party has to decide."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mpc.canonical import is_short_text
from mpc.errors import UsageError
from mpc.session.approval import APPROVER_LENGTH_MAX
from mpc.units import PlanDigest
from parties.commands.asked import (
    automatic_lines,
    automatic_plain,
    decision_lines,
    request_lines,
    request_plain,
)
from parties.commands.output import Json, answering, emit_json, out
from parties.config import NodeConfig, load_node_config
from parties.node.account import balances_of
from parties.node.parts import REQUESTS
from parties.node.requests import POLICY, RequestState, RequestStore
from parties.system import SystemClock

app = typer.Typer(no_args_is_help=True, help="Studies that wait for a person's decision here.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Prefix = Annotated[str, typer.Argument(help="The plan's digest, or its first 6 or more letters.")]
By = Annotated[
    str,
    typer.Option(
        "--by", help="Who decides, 1 to 200 printable characters; written into the receipt."
    ),
]
PREFIX_LENGTH_MIN = 6


def _store(node: NodeConfig) -> RequestStore:
    return RequestStore(node.state / REQUESTS, SystemClock())


@app.command("list")
def list_(
    config: Config,
    every: Annotated[bool, typer.Option("--all", help="Decided and automatic ones too.")] = False,
    json: Json = False,
) -> None:
    """Show the studies that wait: what they ask, what they cost, what that would leave.

    With --all, also what people decided, which run used an approval, and what the policy allowed
    by itself.

    Example: parley requests list --config node.yaml
    """
    with answering(as_json=json):
        node = load_node_config(config)
        store = _store(node)
        found = store.list(None if every else RequestState.PENDING)
        balances = balances_of(node)
        automatic = automatic_plain(node, store) if every else []
        if json:
            said: dict[str, object] = {
                "requests": [request_plain(store, request, balances) for request in found]
            }
            emit_json(said | ({"automatic": automatic} if every else {}))
            return
        if not found and not automatic:
            out.print("nothing waits for a decision")
            return
        for request in found:
            title = f"{request.plan_digest[:12]}  {request.study}  {request.state.value}"
            decisions = store.decisions(request.plan_digest) if every else ()
            _print(title, (*request_lines(request, balances), *decision_lines(decisions)))
        for decision in automatic:
            title = f"{str(decision['plan_digest'])[:12]}  {decision['study']}  automatic"
            _print(title, automatic_lines(decision))


def _print(title: str, lines: Iterable[str]) -> None:
    from parties.report.tables import plain_lines, plain_text

    out.print(plain_text(title, "bold"), soft_wrap=True)
    for line in lines:
        out.print(plain_lines(f"  {line}", indent="  "), soft_wrap=True)


def decided_by(by: str) -> str:
    """``by`` as an approval takes it. Raises UsageError, so that no plan is stopped by it later."""
    said = sentence("--by", by)
    if said == POLICY:
        raise UsageError("--by policy is no person: that is what automatic approvals say")
    return said


def sentence(option: str, text: str) -> str:
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
        person = decided_by(by)
        node = load_node_config(config)
        store = _store(node)
        request = store.decide(_found(store, plan), RequestState.APPROVED, person, "")
        if json:
            emit_json(request_plain(store, request, balances_of(node)))
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
        person, why = decided_by(by), sentence("--reason", reason)
        node = load_node_config(config)
        store = _store(node)
        request = store.decide(_found(store, plan), RequestState.REFUSED, person, why)
        if json:
            emit_json(request_plain(store, request, balances_of(node)))
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
        person, why = decided_by(by), sentence("--reason", reason)
        node = load_node_config(config)
        store = _store(node)
        request = store.reconsider(_found(store, plan), person, why)
        if json:
            emit_json(request_plain(store, request, balances_of(node)))
        else:
            out.print(Text(f"{request.study}: waits for a decision again"), soft_wrap=True)
