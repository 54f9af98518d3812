"""Requests and decisions as their owner reads them: a block of lines each, or an object."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from mpc.accounting.conversion import epsilon_from_rho
from mpc.ports import Balance
from mpc.units import RHO_UNIT, RhoPico, rho_text
from parties.config import NodeConfig
from parties.node.account import charge_plain, charges_of
from parties.node.requests import POLICY, Request, RequestState, RequestStore
from parties.report.figures import iso_time


def request_plain(
    store: RequestStore, request: Request, balances: Mapping[str, Balance]
) -> dict[str, object]:
    """A request for ``--json``: its summary as an object, times in ISO 8601."""
    return {
        "plan_digest": request.plan_digest,
        "study": request.study,
        "asked_by": request.asked_by,
        "asked_at": iso_time(request.asked_at),
        "state": request.state.value,
        "summary": summary_of(request),
        "left_after": left_after(request, balances),
        "decided_by": request.decided_by,
        "decided_at": iso_time(request.decided_at) if request.decided_at else None,
        "reason": request.reason,
        "decisions": [
            {
                "state": each.state.value,
                "by": each.decided_by,
                "at": iso_time(each.decided_at),
                "reason": each.reason,
            }
            for each in store.decisions(request.plan_digest)
        ],
    }


def automatic_plain(config: NodeConfig, store: RequestStore) -> list[dict[str, object]]:
    """Every run that the policy's own approval started and that was charged, the newest first."""
    found: list[dict[str, object]] = []
    for charge in sorted(charges_of(config), key=lambda each: each.reserved_unix_s, reverse=True):
        if charge.approved_by == POLICY:
            begun = store.begun(charge.run)
            coordinator = None if begun is None else begun.coordinator
            found.append({**charge_plain(charge), "coordinator": coordinator})
    return found


def summary_of(request: Request) -> Mapping[str, Any]:
    """What :func:`parties.node.summary.request_summary` said of the plan."""
    try:
        said = json_text.loads(request.summary)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {"summary": request.summary}


def left_after(request: Request, balances: Mapping[str, Balance]) -> dict[str, str] | None:
    """What the plan would leave of its domain as the ledger stands now; None if not pending."""
    cost = summary_of(request).get("cost")
    if request.state is not RequestState.PENDING or not isinstance(cost, dict):
        return None
    balance = balances.get(str(cost.get("domain")))
    try:
        asked, delta = int(Decimal(str(cost["rho"])) * RHO_UNIT), Decimal(str(cost["delta"]))
    except (KeyError, InvalidOperation):
        return None
    if balance is None:
        return None
    left = balance.rho_left - asked
    said = {"domain": balance.domain, "rho_cap": rho_text(balance.rho_cap)}
    if left < 0:
        return {**said, "rho": "0", "epsilon": "0", "lacking_rho": rho_text(RhoPico(-left))}
    rho = RhoPico(left)
    return {**said, "rho": rho_text(rho), "epsilon": f"{epsilon_from_rho(rho, delta):f}"}


def request_lines(request: Request, balances: Mapping[str, Balance]) -> Iterator[str]:
    """What is asked, what it costs, what it would leave, and who decided, a line each."""
    said = dict(summary_of(request))
    questions, cost = said.pop("questions", None), said.pop("cost", None)
    yield f"asked by {request.asked_by} at {iso_time(request.asked_at)}"
    if "title" in said:
        yield f"title: {said.pop('title')}"
    if isinstance(questions, dict):
        for name, text in questions.items():
            yield f"{name}: {text}"
    epsilon, delta = said.pop("epsilon", None), said.pop("delta", None)
    for name, value in said.items():
        yield f"{name}: {_words(value)}"
    if epsilon is not None:
        yield f"epsilon: {epsilon} at delta {delta}"
    if isinstance(cost, dict):
        yield (
            f"cost here: rho {cost['rho']}, epsilon {cost['epsilon']} at delta {cost['delta']},"
            f" of domain {cost['domain']} ({cost['protects']})"
        )
    left = left_after(request, balances)
    if left is not None:
        short = f"; rho {left['lacking_rho']} is lacking" if "lacking_rho" in left else ""
        yield (
            f"budget left after: rho {left['rho']} of {left['rho_cap']},"
            f" epsilon {left['epsilon']}{short}"
        )
    if request.decided_at:
        reason = f": {request.reason}" if request.reason else ""
        yield (
            f"{request.state.value} by {request.decided_by} at"
            f" {iso_time(request.decided_at)}{reason}"
        )


def automatic_lines(decision: Mapping[str, object]) -> Iterator[str]:
    """One run that the policy allowed by itself."""
    yield f"asked by {decision['coordinator'] or decision['partner']} at {decision['time']}"
    yield f"run {str(decision['run'])[:12]}, {decision['purpose']}, rho {decision['rho']}"
    yield f"approved by policy; {decision['state']}"


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({_words(each)})" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_words(each) for each in value)
    return str(value).replace("\n", "\n      ")
