"""``report.html``: one file that loads nothing, made from a verified receipt and nothing else.

Every text from outside passes Jinja's autoescape; charts escape their own labels. The page's
Content-Security-Policy allows its one style sheet, by hash, and nothing more.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from mpc.plan.model import CoalitionLoss, Plan, PlannedBlock, PlannedQuestion
from mpc.questions.answer import Answer, Estimate
from parties.report.charts import draw, shown
from parties.report.cuts import adjusted_text, adjusts, cut_notes, value_text
from parties.report.drawing import chart_of, is_bars
from parties.report.figures import (
    NOT_AVAILABLE,
    bytes_text,
    count_text,
    decimals_for,
    delta_figure,
    epsilon_left_text,
    epsilon_text,
    interval_text,
    iso_time,
    number_text,
    rho_figure,
    rho_left_figure,
    share_left_text,
    significant_text,
    small_text,
    time_text,
)
from parties.report.standing import PartyBudget
from parties.report.statement import privacy_statement
from parties.report.truths import LABEL, Truths
from parties.report.verify import Verification
from parties.report.wording import (
    columns_text,
    domain_text,
    estimate_text,
    question_text,
    rows_text,
    rules_text,
    unit_text,
    uses_text,
)
from parties.system import SOFTWARE_VERSION

POLICY = "policy"  # who approved, where a node's written rules decided alone
_HERE = Path(__file__).parent
_STATISTICS = {"s1": "Sum", "s2": "Sum of squares"}


@dataclass(frozen=True)
class _Moment:
    iso: str
    text: str


def render_report(
    verified: Verification,
    *,
    budgets: Sequence[PartyBudget] | None = None,
    truth: Sequence[Answer] | None = None,
) -> str:
    """The whole page as text. ``truth``: plain answers, in simulation only, labelled so.

    ``budgets``: what owners publish of theirs; None if they were not asked.
    Raises nothing of its own: a :class:`Verification` exists only for a receipt that holds.
    """
    truths = Truths(truth)
    plan = verified.plan
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return _template().render(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'",
        style=Markup(style),  # noqa: S704 # our own file
        software=SOFTWARE_VERSION,
        study=plan.study,
        unit=unit_text(plan),
        total=_total(plan),
        parties=_parties(verified),
        members=list(plan.roster),
        dealer=plan.roster.dealer,
        questions=[_question(plan, answer, truths) for answer in verified.answers],
        coalitions=[_coalition(loss, plan) for loss in plan.coalitions],
        columns=_columns(plan),
        range={"largest": count_text(plan.largest_value), "limit": count_text(plan.range_limit)},
        honest="one of them"
        if plan.parties - plan.coalition == 1
        else f"any {plan.parties - plan.coalition} of them",
        cost=_cost(plan),
        statement=privacy_statement(plan),
        budgets=_budgets(budgets, plan),
        sampling=any(_sampled(answer) for answer in verified.answers),
        adjusted=adjusts(verified.answers),
        by_policy=any(approval.approved_by == POLICY for approval in verified.approvals),
        started=_moment(verified.started_at),
        released=_moment(verified.released_at),
        receipt_digest=verified.receipt_digest,
        plan_digest=plan.digest,
        run=verified.run,
        session=verified.session.hex(),
        checks=[f"{check.name}: {check.detail}" for check in verified.checks],
        warnings=verified.warnings,
        simulated=bool(truths),
        truth_label=LABEL,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _moment(unix_s: int) -> _Moment:
    return _Moment(iso_time(unix_s), time_text(unix_s))


def _total(plan: Plan) -> Mapping[str, str]:
    return {
        "epsilon": epsilon_text(plan.epsilon_total),
        "delta": small_text(plan.delta),
        "rho": rho_figure(plan.rho_total),
        "delta_charged": delta_figure(plan.delta_charged),
        "size": count_text(plan.size),
    }


def _cost(plan: Plan) -> str:
    cost = plan.cost
    return (
        f"Between the owners: {cost.rounds} rounds, at most {bytes_text(cost.peer_bytes_max)} sent "
        f"by each; to the coordinator {bytes_text(cost.share_bytes)} from each."
    )


def _parties(verified: Verification) -> list[Mapping[str, object]]:
    plan = verified.plan
    approvals = {approval.party: approval for approval in verified.approvals}
    shares = {share.party: share for share in verified.shares}
    rows: list[Mapping[str, object]] = []
    for member in plan.roster.parties:
        entry, approval = plan.study.parties[member.id], approvals[member.id]
        rows.append(
            {
                "id": member.id,
                "organization": member.organization,
                "version": str(entry.version),
                "rows_max": count_text(entry.rows_max),
                "rows_expected": count_text(entry.rows_expected),
                "approved_by": approval.approved_by,
                "expires": _moment(approval.expires_unix_s),
                "software": shares[member.id].software,
                "commitment": shares[member.id].commitment_text,
            }
        )
    return rows


def _question(plan: Plan, answer: Answer, truths: Truths) -> Mapping[str, object]:
    planned = plan.question(answer.question)
    declared = plan.study.questions[answer.question]
    counted = rows_text(plan, answer.question)
    chart = chart_of(plan, answer, truths)
    drawn = shown(chart)
    return {
        "name": answer.question,
        "words": question_text(declared),
        "columns": columns_text(plan, planned),
        "size": count_text(planned.size),
        "rho": rho_figure(planned.rho),
        "share": f"{planned.rho / plan.rho_total:.0%}".replace("%", " %"),
        "epsilon": epsilon_text(planned.epsilon),
        "noise": _noise_text(planned),
        "blocks": [_block(block, counted) for block in planned.summed] + _levels(planned),
        "axes": [axis.column for axis in planned.layout.axes],
        "several": len(answer.cells[0].estimates) > 1 or not planned.layout.axes,
        "estimate": estimate_text(answer.cells[0].estimates[0].name, counted),
        "sampling": _sampled(answer),
        "adjusted": adjusts([answer]),
        "bars": is_bars(answer.kind),
        "chart": draw(chart),
        "drawn": count_text(drawn),
        "undrawn": drawn < len(answer.cells),
        "cells": count_text(len(answer.cells)),
        "rows": [
            {
                "labels": [label for _, label in cell.labels],
                "estimates": [
                    _estimate(
                        estimate, counted, truths.value(answer.question, index, estimate.name)
                    )
                    for estimate in cell.estimates
                ],
            }
            for index, cell in enumerate(answer.cells)
        ],
        "cuts": cut_notes(answer, counted),
        "warnings": answer.warnings,
    }


def _block(block: PlannedBlock, name: str, unit: int = 1) -> Mapping[str, str]:
    return {
        "name": _STATISTICS.get(block.name, name),
        "sensitivity": significant_text(math.sqrt(block.sensitivity_squared) / unit, 4),
        "noise_sd": significant_text(math.sqrt(block.total_variance) / unit, 4),
    }


def _levels(planned: PlannedQuestion) -> list[Mapping[str, str]]:
    """One line for all levels of a search, in rows: they are noised alike."""
    search, levels = planned.layout.search, planned.blocks[len(planned.summed) :]
    if search is None:
        return []
    return [_block(levels[0], f"Each of {len(levels)} search steps, in rows", search.whole)]


def _sampled(answer: Answer) -> bool:
    """Whether an interval with sampling is printed for any of its estimates."""
    return any(
        estimate.sampling_low is not None for cell in answer.cells for estimate in cell.estimates
    )


def _estimate(estimate: Estimate, counted: str, truth: float | None) -> Mapping[str, str]:
    decimals = decimals_for(estimate.noise_sd)
    return {
        "name": estimate_text(estimate.name, counted),
        "value": value_text(estimate, decimals),
        "interval": interval_text(estimate.low, estimate.high, decimals),
        "noise_sd": significant_text(estimate.noise_sd, 2),
        "adjusted": adjusted_text(estimate, decimals),
        "sampling": interval_text(estimate.sampling_low, estimate.sampling_high, decimals),
        "truth": number_text(truth, decimals),
        "reason": estimate.reason if estimate.value is None else "",
    }


def _noise_text(planned: PlannedQuestion) -> str:
    groups = planned.layout.cells
    numbers = "1 number" if planned.size == 1 else f"{count_text(planned.size)} numbers"
    return f"{numbers} released, {count_text(groups)} {'group' if groups == 1 else 'groups'}"


def _coalition(loss: CoalitionLoss, plan: Plan) -> Mapping[str, object]:
    if loss.parties == 0:
        who = "no owner: the coordinator, or a reader, alone"
    elif loss.parties == 1:
        who = "any 1 owner"
    else:
        who = f"any {loss.parties} owners"
    if loss.parties == plan.parties - 1:
        who += " (all the others)"
    if loss.dealer:
        who += ", with the dealer"
    return {
        "who": who,
        "rho": "no noise left" if loss.rho is None else rho_figure(loss.rho),
        "epsilon": "∞" if loss.epsilon is None else epsilon_text(loss.epsilon),
        "promised": loss.promised,
    }


def _columns(plan: Plan) -> list[Mapping[str, str]]:
    used = plan.columns_used
    return [
        {
            "name": name,
            "use": uses_text(used.get(name, frozenset())),
            "domain": domain_text(column),
            "rules": rules_text(column),
        }
        for name, column in plan.study.table.columns.items()
    ]


def _budgets(
    budgets: Sequence[PartyBudget] | None, plan: Plan
) -> list[Mapping[str, object]] | None:
    """A row for every owner, whether or not it publishes its budget; None if nobody was asked."""
    if budgets is None:
        return None
    published = {budget.party: _budget(budget) for budget in budgets}
    parties = [member.id for member in plan.roster.parties]
    return [published.get(party, {"party": party, "left": None}) for party in parties]


def _budget(budget: PartyBudget) -> Mapping[str, str]:
    return {
        "party": budget.party,
        "left": rho_left_figure(budget.rho_left),
        "cap": rho_left_figure(budget.rho_cap),
        "share": share_left_text(budget.rho_left, budget.rho_cap).replace("%", " %"),
        "epsilon": epsilon_left_text(budget.epsilon_left) if budget.rho_left else NOT_AVAILABLE,
        "delta": small_text(budget.delta),
    }
