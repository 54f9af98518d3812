"""A plan and what parties say to it, for programs: ``parley plan --json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from mpc.plan.model import Plan, PlannedQuestion
from mpc.units import RHO_UNIT
from parties.report.dealing import dealer_plain
from parties.report.noises import noise_plain
from parties.report.standing import Decision, PartyVerdict


def plan_document(plan: Plan, verdicts: Sequence[PartyVerdict]) -> dict[str, object]:
    """What :func:`parties.report.tables.plan_table` shows: numbers as decimal text, every digit."""
    return {
        "study": plan.study.id,
        "title": plan.study.title,
        "plan_digest": plan.digest,
        "parties": plan.parties,
        "coalition": plan.coalition,
        "dealer": dealer_plain(plan),
        "rho": f"{Decimal(plan.rho_total) / RHO_UNIT:f}",
        "epsilon": f"{plan.epsilon_total:f}",
        "delta": f"{plan.delta:f}",
        "questions": [_question_document(plan, question) for question in plan.questions],
        "columns": {name: sorted(use.value for use in uses) for name, uses in plan.columns},
        "coalitions": [loss.to_plain() for loss in plan.coalitions],
        "cost": plan.cost.to_plain(),
        "verdicts": [_verdict_document(verdict) for verdict in verdicts],
        "runnable": bool(verdicts)
        and not {Decision.REFUSE, Decision.NO_ANSWER} & {each.decision for each in verdicts},
    }


def _question_document(plan: Plan, question: PlannedQuestion) -> Mapping[str, object]:
    return {
        "name": question.name,
        "kind": question.kind,
        "columns": list(plan.study.questions[question.name].column_names()),
        "integers": question.size,
        "rho": f"{Decimal(question.rho) / RHO_UNIT:f}",
        "epsilon": f"{question.epsilon:f}",
        "noises": noise_plain(plan, question),
        "expected_95_error": [error.to_plain() for error in question.expected_errors],
    }


def _verdict_document(verdict: PartyVerdict) -> Mapping[str, object]:
    return {
        "party": verdict.party,
        "verdict": verdict.decision.value,
        "reasons": [
            {"code": reason.code, "what": reason.what, "allowed": reason.allowed}
            for reason in verdict.reasons
        ],
        "contact": verdict.contact,
        "budget": None if verdict.budget is None else verdict.budget.to_plain(),
    }
