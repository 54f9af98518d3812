"""``parley budget``: an owner's own ledger, for its eyes alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from parties.commands.output import answering, emit_json, out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from parties.node.account import Account, DomainAccount

RUN_LETTERS = 12


app = typer.Typer(no_args_is_help=True, help="A party's own privacy budget, for its owner alone.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def show(config: Config, json: Json = False) -> None:
    """Show what is left of each budget, and every charge. Works with or without a running node.

    Reads the ledger of this party, which holds no data. Coordinators see at most what policy.yaml
    publishes.

    Example: parley budget show --config node.yaml
    """
    from parties.config import load_node_config
    from parties.node.account import read_account
    from parties.node.summary import protected_text
    from parties.report.tables import plain_text

    with answering(as_json=json):
        account = read_account(load_node_config(config))
        if json:
            emit_json(account.to_plain())
            return
        for told in account.outdated:
            out.print(plain_text(told, "bold red"), soft_wrap=True)
        for domain in account.domains:
            unit = protected_text(domain.unit)
            title = f"{domain.balance.domain}: {unit}, all studies for ever"
            out.print(Text(title, style="bold"), soft_wrap=True)
            out.print(_amounts(domain))
            out.print(Text("ρ adds up, ε does not", style="dim"))
            out.print(_charges(domain, account.unix_s))
        out.print(_partners(account))


@app.command("accept-loss")
def accept_loss(
    config: Config,
    by: Annotated[str, typer.Option("--by", help="Who accepts it; kept in the ledger.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")],
    json: Json = False,
) -> None:
    """Count all that is left as spent: the latest ledger is lost, and peers saw more than this one.

    Put the latest ledger back instead, if there is any copy of it. Refused unless a peer showed
    that this ledger is an older copy, and while the node runs. Cannot be taken back; a higher cap
    in policy.yaml then gives new budget, on purpose.

    Example: parley budget accept-loss --by "M. Okafor" --reason "disk lost" --config node.yaml
    """
    from parties.commands.requests import decided_by, sentence
    from parties.config import load_node_config
    from parties.node import loss

    with answering(as_json=json):
        account = loss.accept_loss(
            load_node_config(config), decided_by(by), sentence("--reason", reason)
        )
        if json:
            emit_json(account.to_plain())
            return
        names = ", ".join(domain.balance.domain for domain in account.domains)
        out.print(Text(f"all that was left is spent in: {names}"), soft_wrap=True)


def _amounts(domain: DomainAccount) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from parties.node.account import ROUNDED_DOWN
    from parties.report.figures import (
        epsilon_left_text,
        epsilon_text,
        rho_figure,
        rho_left_figure,
        small_text,
    )

    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("ρ", justify="right")
    at = "" if domain.delta is None else f" at δ {small_text(domain.delta)}"
    table.add_column(f"ε{at}", justify="right")
    for name, rho in domain.amounts.items():
        left, epsilon = name in ROUNDED_DOWN, domain.epsilons[name]
        words = "no domain of policy.yaml"
        if epsilon is not None:
            words = epsilon_left_text(epsilon) if left else epsilon_text(epsilon)
        table.add_row(name, rho_left_figure(rho) if left else rho_figure(rho), words)
    return table


def _charges(domain: DomainAccount, unix_s: int) -> RenderableType:
    """A line for each charge where the terminal has room, else two."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    from parties.node.account import state_text
    from parties.report.figures import iso_time, rho_figure
    from parties.report.narrow import Fitting
    from parties.report.tables import plain_text

    if not domain.charges:
        return Text("no charge yet", style="dim")
    heads = ("time", "study", "run", "partner", "purpose", "approved by", "ρ", "state")
    rows = [
        (
            iso_time(each.reserved_unix_s),
            each.study,
            each.run[:RUN_LETTERS],
            each.partner,
            each.purpose,
            each.approved_by,
            rho_figure(each.rho),
            state_text(each, unix_s),
        )
        for each in domain.charges
    ]
    wide = Table(box=SIMPLE_HEAD)
    for head in heads:
        wide.add_column(head, no_wrap=True, justify="right" if head == "ρ" else "left")
    narrow: list[Text] = []
    for row in rows:
        wide.add_row(*(plain_text(cell) for cell in row))
        time, study, run, partner, purpose, approver, rho, state = row
        narrow.append(plain_text(f"{time}  {study}  ρ {rho}  {state}"))
        narrow.append(
            plain_text(f"  run {run}, {partner}, {purpose}, approved by {approver}", "dim")
        )
    return Fitting(wide, Group(*narrow))


def _partners(account: Account) -> RenderableType:
    from rich.console import Group

    from parties.report.tables import plain_text

    limits = account.limits
    if not account.partners:
        return Text("no partner was ever charged", style="dim")
    hours = limits.aborts_window_s // 3600
    return Group(
        *(
            plain_text(
                f"{each.partner}: {each.reserved} of {limits.reserved_max} studies under way,"
                f" {each.aborts} of {limits.aborts_max} aborts in the last {hours} hours"
            )
            for each in account.partners
        )
    )
