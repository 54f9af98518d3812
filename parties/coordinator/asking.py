"""Asking every party about a plan: verdicts, and approvals once all agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from mpc.canonical import canonical_bytes, is_short_text
from mpc.errors import AwaitingApproval, BudgetRefusal, PolicyRefusal
from mpc.plan.model import Plan
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, RhoPico
from parties.coordinator.client import PartyClient
from parties.report.standing import Decision, PartyBudget, PartyVerdict, VerdictReason
from protos import control_pb2 as wire

ASK_AGAIN_S = 2.0
BUDGET_CODES = ("PLY-B",)
CONTACT_LENGTH_MAX = 1100

Clients = Mapping[PartyId, PartyClient]
Reply = TypeVar("Reply")

_DECISIONS = {
    wire.Judgement.APPROVED: Decision.ALLOW,
    wire.Judgement.ACCEPTABLE: Decision.ALLOW,
    wire.Judgement.REFUSED: Decision.DENY,
    wire.Judgement.PENDING: Decision.ASK,
    wire.Judgement.RELEASED: Decision.RELEASED,
}


def each(clients: Clients, call: Callable[[PartyClient], Reply]) -> dict[PartyId, Reply]:
    """``call`` for every party at once. Raises the first party's error, in roster order."""
    with ThreadPoolExecutor(max_workers=len(clients)) as pool:
        waiting = {party: pool.submit(call, client) for party, client in clients.items()}
        return {party: future.result() for party, future in waiting.items()}


def ask_all(
    plan: Plan, clients: Clients, *, dry_run: bool = False, fresh: bool = False
) -> dict[PartyId, wire.Judgement]:
    """Every party's judgement on ``plan``. Computes and spends nothing anywhere."""
    proposal = wire.Proposal(
        study=canonical_bytes(study_to_plain(plan.study)),
        roster=canonical_bytes(plan.roster.to_plain()),
        plan_digest=plan.digest,
        dry_run=dry_run,
        fresh=fresh,
    )
    return each(clients, lambda client: client.propose(proposal))


def budget_of(party: PartyId, budget: wire.Budget) -> PartyBudget | None:
    """What the party publishes of its ledger, if it does."""
    if not budget.published:
        return None
    try:
        delta = Decimal(budget.delta)
    except InvalidOperation:
        return None  # a party's own words; nothing depends on them
    if not 0 < delta < 1:
        return None
    return PartyBudget(
        party=party,
        rho_cap=RhoPico(budget.rho_cap_pico),
        rho_left=RhoPico(budget.rho_left_pico),
        delta=delta,
    )


def verdict(party: PartyId, judgement: wire.Judgement) -> PartyVerdict:
    """One party's judgement, for people."""
    decision = _DECISIONS.get(judgement.verdict, Decision.DENY)
    if decision is Decision.ALLOW and judgement.manual:
        decision = Decision.ASK
    return PartyVerdict(
        party=party,
        decision=decision,
        reasons=tuple(
            VerdictReason(reason.code, reason.what, reason.allowed) for reason in judgement.reasons
        ),
        budget=budget_of(party, judgement.budget),
        contact=judgement.contact if is_short_text(judgement.contact, CONTACT_LENGTH_MAX) else "",
    )


def raise_if_refused(judgements: Mapping[PartyId, wire.Judgement]) -> None:
    """Raise PolicyRefusal (BudgetRefusal if nothing else speaks against it), naming who and why."""
    said: list[tuple[PartyId, str]] = []
    codes: list[str] = []
    hints = ["nothing was computed or spent"]
    for party, judgement in judgements.items():
        standing = verdict(party, judgement)
        if standing.decision is not Decision.DENY:
            continue
        if standing.contact:
            hints.append(f"{party}: ask {standing.contact}")
        codes.extend(reason.code for reason in judgement.reasons)
        said.extend(
            (
                party,
                f"{reason.code} {reason.what}"
                + (f" (allowed: {reason.allowed})" if reason.allowed else ""),
            )
            for reason in judgement.reasons
        )
        if not judgement.reasons:
            said.append((party, "refused without a reason"))
    if not said:
        return
    (first, what), *others = said
    text = "\n".join((what, *(f"{party}: {other}" for party, other in others)))
    hint = "; ".join(hints)
    if codes and all(code.startswith(BUDGET_CODES) for code in codes):
        raise BudgetRefusal(text, party=first, hint=hint)
    raise PolicyRefusal(first, text, hint=hint)


def wait_for_all(
    plan: Plan,
    clients: Clients,
    deadline_s: float,
    waiting: Callable[[tuple[PartyId, ...]], None],
    *,
    fresh: bool = False,
) -> dict[PartyId, wire.Judgement]:
    """Ask until no party's person has still to decide; ``waiting`` is told whom we wait for.

    Raises PolicyRefusal or BudgetRefusal as soon as one party refuses, AwaitingApproval at the
    deadline: the request stays with the party and can be asked again later.
    """
    end = time.monotonic() + deadline_s
    while True:
        judgements = ask_all(plan, clients, fresh=fresh)
        raise_if_refused(judgements)
        pending = tuple(
            party
            for party, judgement in judgements.items()
            if judgement.verdict == wire.Judgement.PENDING
        )
        if not pending:
            return judgements
        waiting(pending)
        if time.monotonic() + ASK_AGAIN_S > end:
            raise AwaitingApproval(
                f"a person at {', '.join(pending)} has yet to decide on this plan",
                hint="run the same command again later; nothing was computed or spent",
            )
        time.sleep(ASK_AGAIN_S)
