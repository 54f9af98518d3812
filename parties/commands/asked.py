"""Requests and decisions as their owner reads them: a block of lines each, or an object."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from mpc.accounting.conversion import epsilon_within
from mpc.ports import Balance
from mpc.units import RHO_UNIT, RhoPico, rho_text
from parties.config import NodeConfig
from parties.node.account import charge_plain, charges_of
from parties.node.requests import POLICY, Decision, Request, RequestState, RequestStore
from parties.report.figures import (
    epsilon_left_text,
    epsilon_text,
    iso_time,
    rho_figure,
    rho_left_figure,
)

RUN_LETTERS = 12


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
                "run": each.run,
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
    """What is left of the plan's domain as the ledger stands now, and what would be after it.

    None if the request does not wait.
    """
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
    said = {
        "domain": balance.domain,
        "rho_cap": rho_text(balance.rho_cap),
        "rho_now": rho_text(balance.rho_left),
        "epsilon_now": f"{epsilon_within(balance.rho_left, delta):f}",
    }
    if left < 0:
        return {**said, "rho": "0", "epsilon": "0", "lacking_rho": rho_text(RhoPico(-left))}
    rho = RhoPico(left)
    return {**said, "rho": rho_text(rho), "epsilon": f"{epsilon_within(rho, delta):f}"}


def request_lines(request: Request, balances: Mapping[str, Balance]) -> Iterator[str]:
    """What is asked, what it costs, what it would leave, a line each."""
    said = dict(summary_of(request))
    questions, cost = said.pop("questions", None), said.pop("cost", None)
    dealer = said.pop("dealer", None)
    yield f"asked by {request.asked_by} at {iso_time(request.asked_at)}"
    if "title" in said:
        yield f"title: {said.pop('title')}"
    if isinstance(questions, dict):
        for name, text in questions.items():
            part = _cost_text(cost, name)
            yield f"{name}: {text}" + (f"; costs here {part}" if part else "")
    if isinstance(dealer, dict):
        yield from _dealer_lines(dealer)
    epsilon, delta = said.pop("epsilon", None), said.pop("delta", None)
    for name, value in said.items():
        yield f"{name}: {_words(value)}"
    if epsilon is not None:
        yield f"the study promises: ε {epsilon_text(Decimal(epsilon))} at δ {delta}"
    if isinstance(cost, dict):
        yield (
            f"all of it costs here {_cost_text(cost)} at δ {cost['delta']}, of domain"
            f" {cost['domain']} ({cost['protects']}); ρ adds up, ε does not"
        )
    left = left_after(request, balances)
    if left is not None:
        yield _left_text(left)


def _dealer_lines(dealer: Mapping[str, Any]) -> Iterator[str]:
    """Who deals, for what and what that means, as :func:`dealer_plain` said it."""
    asked = _words(dealer["questions"])
    yield f"dealer: {dealer['id']} ({dealer['organization']}), for {asked}"
    yield f"dealer's keys: {dealer['fingerprint']}"
    yield f"{dealer['sees']} {dealer['pools']}"
    if dealer["warning"]:
        yield f"beware: {dealer['warning']}"


def decision_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Who decided when and why, and which run used an approval, a line each."""
    for each in decisions:
        word = "taken back" if each.state is RequestState.PENDING else each.state.value
        reason = f": {each.reason}" if each.reason else ""
        yield f"{word} by {each.decided_by} at {iso_time(each.decided_at)}{reason}"
        if each.run is not None:
            yield f"that approval was used by run {each.run[:RUN_LETTERS]}"


def _cost_text(cost: object, question: str | None = None) -> str:
    """``ε 0.807 (ρ 0.0301)``, rounded up; of one question, or of all. Empty if it was not kept."""
    said = cost if isinstance(cost, dict) else {}
    if question is not None:
        parts = said.get("questions")
        said = parts.get(question, {}) if isinstance(parts, dict) else {}
    if not said:
        return ""
    return f"ε {epsilon_text(Decimal(said['epsilon']))} (ρ {rho_figure(_pico(said['rho']))})"


def _left_text(left: Mapping[str, str]) -> str:
    """What is left now and after, rounded down; what is lacking is rounded up."""
    if "lacking_rho" in left:
        after = f"ρ {rho_figure(_pico(left['lacking_rho']))} is lacking for it"
    else:
        after = f"{_left_figures(left['epsilon'], left['rho'])} after it"
    cap = rho_left_figure(_pico(left["rho_cap"]))
    now = _left_figures(left["epsilon_now"], left["rho_now"])
    return f"left here: {now} now, of ρ {cap}; {after}"


def _left_figures(epsilon: str, rho: str) -> str:
    return f"ε {epsilon_left_text(Decimal(epsilon))} (ρ {rho_left_figure(_pico(rho))})"


def _pico(rho: str) -> RhoPico:
    return RhoPico(int(Decimal(rho) * RHO_UNIT))


def automatic_lines(decision: Mapping[str, object]) -> Iterator[str]:
    """One run that the policy allowed by itself."""
    yield f"asked by {decision['coordinator'] or decision['partner']} at {decision['time']}"
    cost = rho_figure(_pico(str(decision["rho"])))
    yield f"run {str(decision['run'])[:RUN_LETTERS]}, {decision['purpose']}, ρ {cost}"
    yield f"approved by policy; {decision['state']}"


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({_words(each)})" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_words(each) for each in value)
    return str(value).replace("\n", "\n      ")
