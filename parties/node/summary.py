"""What a person at a party decides on: a plan in words, kept with its request."""

from __future__ import annotations

import json

from mpc.accounting.conversion import epsilon_from_rho
from mpc.columns.model import CategoryColumn, Column, DateColumn, IdColumn
from mpc.plan.model import Plan, PlannedQuestion
from mpc.questions.count.declare import Count
from mpc.questions.histogram.declare import Histogram
from mpc.questions.quantile.declare import Quantile
from mpc.study.model import PersonUnit, Study
from mpc.units import Adjacency, ProtectedUnit, RhoPico, rho_text
from parties.policy.charge import charge, charge_factor
from parties.policy.model import Domain
from parties.report.dealing import dealer_plain
from parties.report.wording import person_rule_text, quantile_text

LEVELS_SHOWN_MAX = 12
REPLACE = Adjacency.REPLACE_ONE


def request_summary(plan: Plan, domain_name: str, domain: Domain | None) -> str:
    """``plan`` as JSON for the owner whose table spends from ``domain``.

    What it costs here is for the domain's own unit, which may be stronger than the study's.
    """
    study = plan.study
    said: dict[str, object] = {
        "title": study.title,
        "purpose": study.purpose,
        "lead": f"{study.lead.name}, {study.lead.organization}",
        "coordinator": plan.roster.coordinator.id,
        "parties": list(study.parties),
        "dealer": dealer_plain(plan),
        "recipients": list(study.recipients),
        "table": study.table.name,
        "questions": {each.name: question_text(plan, each) for each in plan.questions},
        "where": study.table.where or "every row",
        "columns": {name: sorted(uses) for name, uses in plan.columns_used.items()},
        "protects": study_protects_text(study),
        "promise": promise_text(plan),
        "epsilon": f"{plan.epsilon_total:f}",
        "delta": f"{plan.delta:f}",
        "cells": cells_text(study),
        "cost": None if domain is None else _cost(plan, domain_name, domain),
    }
    return json.dumps(said, ensure_ascii=False)


def _cost(plan: Plan, name: str, domain: Domain) -> dict[str, object]:
    """What the owner's ledger will be charged, and each question's part of that."""
    rho = charge(plan, domain)
    factor = charge_factor(plan.study, domain)
    parts = {each.name: RhoPico(each.rho * factor) for each in plan.questions}
    return {
        "questions": {
            each: {
                "rho": rho_text(part),
                "epsilon": f"{epsilon_from_rho(part, domain.delta):f}",
            }
            for each, part in parts.items()
        },
        "domain": name,
        "rho": rho_text(rho),
        "epsilon": f"{epsilon_from_rho(rho, domain.delta):f}",
        "delta": f"{domain.delta:f}",
        "protects": protected_text(domain.protected),
    }


def question_text(plan: Plan, question: PlannedQuestion) -> str:
    """``mean of days [0, 30] step 1 by sex (F, M)``: what is asked, without its price."""
    columns = plan.study.table.columns
    declared = plan.study.questions[question.name]
    if isinstance(declared, Count):
        text = "count of rows"
    else:
        quantile = quantile_text(declared).lower() if isinstance(declared, Quantile) else ""
        column = column_text(declared.column, columns[declared.column])
        text = f"{quantile or declared.kind} of {column}"
    if isinstance(declared, Histogram) and declared.bins is not None:
        text += f" in bins {', '.join(str(edge) for edge in declared.bins)}"
    if isinstance(declared, Quantile) and declared.step is not None:
        text += f" in steps of {declared.step:f}"
    if declared.by:
        text += " by " + " and ".join(column_text(name, columns[name]) for name in declared.by)
    return text


def column_text(name: str, column: Column) -> str:
    """``days [0, 30] step 1``, ``sex (F, M)``: all that a study may tell apart of a column."""
    if isinstance(column, IdColumn):
        return name
    if isinstance(column, CategoryColumn):
        more = len(column.levels) - LEVELS_SHOWN_MAX
        levels = ", ".join(column.levels[:LEVELS_SHOWN_MAX])
        return f"{name} ({levels}{f' and {more} more' if more > 0 else ''})"
    bounds = f"{name} [{column.bounds[0]}, {column.bounds[1]}]"
    return bounds if isinstance(column, DateColumn) else f"{bounds} step {column.step:f}"


def cells_text(study: Study) -> str:
    """Which cells of the result are shown: all, or those of a noisy count that is large enough."""
    if study.min_cell is None:
        return "all are shown, however few rows they have"
    return f"left out where the noisy count is below {study.min_cell}"


def protected_text(unit: ProtectedUnit) -> str:
    """``one row added or removed``: what the promise lets nobody tell."""
    who = "one row" if unit.rows_max == 1 else f"up to {unit.rows_max} rows of one unit"
    if unit.is_person:
        change = "replaced by any others" if unit.adjacency is REPLACE else "added or removed"
        return f"one person with all of its rows, {change}"
    if unit.adjacency is REPLACE:
        return f"{who} replaced by any other{'' if unit.rows_max == 1 else 's'}"
    return f"{who} added or removed"


def study_protects_text(study: Study) -> str:
    """The same of a study, and how many rows of a person count."""
    text, unit = protected_text(study.protected), study.table.unit
    return f"{text}; {person_rule_text(unit)}" if isinstance(unit, PersonUnit) else text


def promise_text(plan: Plan) -> str:
    """Against whom the plan's epsilon holds; the coordinator may be with them, a dealer not."""
    text = (
        f"holds while fewer than {plan.coalition + 1} of {plan.parties} parties pool what they"
        " know, the coordinator with them or not"
    )
    if plan.roster.dealer is None:
        return text
    return f"{text}, the dealer with none of them, and all follow the protocol"
