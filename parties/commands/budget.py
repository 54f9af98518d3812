"""``parley budget``: an owner's own ledger, for its eyes alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from mpc.errors import BudgetRefusal
from parties.commands.output import answering, emit_json, out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from parties.node.account import Account, DomainAccount
    from parties.node.forecast import Forecast

RUN_LETTERS = 12


app = typer.Typer(no_args_is_help=True, help="A party's own privacy budget, for its owner alone.")

Config = Annotated[Path, typer.Option("--config", help="The node's file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def show(config: Config, json: Json = False) -> None:
    """Show every cap, and what is spent, reserved and left of it. With or without a running node.

    Reads the ledger of this party, which holds no data. Coordinators see at most what policy.yaml
    publishes.

    Example: parley budget show --config node.yaml
    """
    from parties.config import load_node_config
    from parties.node.account import read_account
    from parties.node.summary import protected_text

    with answering(as_json=json):
        account = read_account(load_node_config(config))
        if json:
            emit_json(account.to_plain())
            return
        _warn(account)
        for domain in account.domains:
            unit = protected_text(domain.unit)
            title = f"{domain.balance.domain}: {unit}, all studies for ever"
            out.print(Text(title, style="bold"), soft_wrap=True)
            out.print(_amounts(domain))
            if len(domain.caps) > 1:
                out.print(_bounds(domain))
            out.print(Text("ρ adds up, ε does not", style="dim"))
        out.print(_partners(account))


@app.command()
def history(config: Config, json: Json = False) -> None:
    """Show every charge there ever was: who asked, who approved, for what, at which price.

    Each with the noise that paid for it, its state, and the plan's digest, as in the receipt. With
    or without a running node.

    Example: parley budget history --config node.yaml
    """
    from parties.config import load_node_config
    from parties.node.account import read_account

    with answering(as_json=json):
        account = read_account(load_node_config(config))
        if json:
            emit_json({"domains": [domain.history_plain() for domain in account.domains]})
            return
        _warn(account)
        for domain in account.domains:
            out.print(Text(domain.balance.domain, style="bold"), soft_wrap=True)
            for line in _history_lines(domain, account.unix_s):
                out.print(line, soft_wrap=True)


@app.command()
def forecast(
    scenario: Annotated[Path, typer.Argument(help="A scenario file, or a plan file (.json).")],
    config: Config,
    coordinator: Annotated[
        str | None, typer.Option(help="Who would ask, if the node's file lists several.")
    ] = None,
    json: Json = False,
) -> None:
    """Say how many more studies like this one fit, and which cap ends first. Spends nothing.

    Exits 4 if not even one fits.

    Example: parley budget forecast scenario.yaml --config node.yaml
    """
    from parties.config import load_node_config
    from parties.coordinator.scenarios import read_scenario
    from parties.node import forecast as forecasting

    with answering(as_json=json):
        study, _ = read_scenario(scenario)
        found = forecasting.forecast(load_node_config(config), study, coordinator)
        if json:
            emit_json(found.to_plain(), status="ok" if found.count else "refused")
        else:
            for line in _forecast_lines(found):
                out.print(line, soft_wrap=True)
        if not found.count:
            raise typer.Exit(BudgetRefusal.exit_code)


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


def _warn(account: Account) -> None:
    from parties.report.tables import plain_text

    for told in account.outdated:
        out.print(plain_text(told, "bold red"), soft_wrap=True)


def _bounds(domain: DomainAccount) -> RenderableType:
    """The caps beside that for ever."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from parties.report.figures import rho_figure, rho_left_figure
    from parties.report.tables import plain_text

    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    for head in ("ρ cap", "spent or reserved", "left"):
        table.add_column(head, justify="right")
    for each in domain.caps[1:]:
        table.add_row(
            plain_text(each.what),
            rho_left_figure(each.cap),
            rho_figure(each.used),
            rho_left_figure(each.left),
        )
    return table


def _history_lines(domain: DomainAccount, unix_s: int) -> Iterator[Text]:
    """A block of lines for each charge, oldest first."""
    from parties.node.account import state_text
    from parties.node.events import event_text
    from parties.report.figures import iso_time, rho_figure, rho_left_figure
    from parties.report.tables import plain_text

    for cap in domain.history.caps:
        yield plain_text(
            f"{iso_time(cap.unix_s)}  cap ρ {rho_left_figure(cap.rho_cap)}, set by {cap.set_by}:"
            f" {cap.reason}",
            "dim",
        )
    for each in domain.history.charges:
        times = f"{iso_time(each.reserved_unix_s)}"
        settled = "" if each.settled_unix_s is None else f" {iso_time(each.settled_unix_s)}"
        state = f"{state_text(each, unix_s)}{settled}"
        yield plain_text(f"{times}  {each.study}  ρ {rho_figure(each.rho)}  {state}")
        asked = f"asked by {each.coordinator} of {each.partner}, led by {each.lead}"
        if each.coordinator:
            yield plain_text(f"  {asked}, {each.lead_organization}", "dim")
        yield plain_text(f"  for {each.purpose}, approved by {each.approved_by}", "dim")
        yield plain_text(f"  {event_text(each.event)}", "dim")
        yield plain_text(f"  run {each.run[:RUN_LETTERS]}, plan {each.plan_digest}", "dim")
    if not domain.history.charges:
        yield plain_text("no charge yet", "dim")


def _forecast_lines(found: Forecast) -> Iterator[Text]:
    from mpc.accounting.conversion import epsilon_from_rho
    from parties.report.figures import epsilon_text, rho_figure, rho_left_figure, small_text
    from parties.report.tables import plain_text

    epsilon = epsilon_from_rho(found.cost, found.terms.delta)
    yield plain_text(
        f"{found.study} costs ρ {rho_figure(found.cost)} of {found.domain},"
        f" ε {epsilon_text(epsilon)} at δ {small_text(found.terms.delta)}"
    )
    for cap in found.caps:
        left = f"ρ {rho_left_figure(cap.left)} of {rho_left_figure(cap.cap)} left"
        yield plain_text(f"  {cap.what}: {left}, room for {found.fits(cap)}", "dim")
    yield plain_text(f"{found.count} more like it fit; what ends first: {found.ends_first}", "bold")


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
