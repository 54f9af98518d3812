"""Asking every party about a plan: verdicts, and approvals once all agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from mpc.accounting.conversion import RHO_PICO_MAX
from mpc.canonical import canonical_bytes, is_short_text
from mpc.errors import (
    AwaitingApproval,
    BudgetRefusal,
    IdentityError,
    PeerError,
    PolicyRefusal,
    RefusalReason,
    TransportError,
)
from mpc.plan.model import Plan
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, RhoPico
from parties.coordinator.client import Clients, PartyClient, RunClient
from parties.report.standing import Decision, PartyBudget, PartyVerdict, VerdictReason
from protos import control_pb2 as wire

ASK_AGAIN_S = 2.0
BUDGET_CODES = ("PLY-B",)
UNREACHED = (PeerError, TransportError, IdentityError)
CONTACT_LENGTH_MAX = 1100
CODE_LENGTH_MAX = 40
WORDS_LENGTH_MAX = 2000
REASONS_MAX = 100
DELTA_LENGTH_MAX = 40
DELTA_MIN = Decimal("1e-30")

Client = TypeVar("Client", bound=RunClient)
Reply = TypeVar("Reply")

_DECISIONS = {
    wire.Judgement.APPROVED: Decision.ALLOW,
    wire.Judgement.ACCEPTABLE: Decision.ALLOW,
    wire.Judgement.REFUSED: Decision.REFUSE,
    wire.Judgement.PENDING: Decision.ASK,
    wire.Judgement.RELEASED: Decision.RELEASED,
}


def call_all(
    clients: Mapping[PartyId, Client], call: Callable[[Client], Reply]
) -> dict[PartyId, Reply]:
    """``call`` for every one at once. Raises the first one's error, in roster order."""
    with ThreadPoolExecutor(max_workers=len(clients)) as pool:
        waiting = {member: pool.submit(call, client) for member, client in clients.items()}
        return {member: future.result() for member, future in waiting.items()}


def ask_all(
    plan: Plan, clients: Clients, *, dry_run: bool = False, fresh: bool = False
) -> dict[PartyId, wire.Judgement]:
    """Every party's judgement on ``plan``. Computes and spends nothing anywhere."""
    proposal = _proposal(plan, dry_run=dry_run, fresh=fresh)
    return call_all(clients, lambda client: client.propose(proposal))


def verdicts_of(plan: Plan, clients: Clients) -> tuple[PartyVerdict, ...]:
    """What every party would say to ``plan``; NO_ANSWER, and why, for each that cannot be reached.

    Spends and queues nothing anywhere. Raises what a party that was reached answers instead of a
    judgement.
    """
    proposal = _proposal(plan, dry_run=True, fresh=False)

    def judged(client: PartyClient) -> PartyVerdict:
        party = client.peer.id
        try:
            return verdict(party, client.propose(proposal))
        except UNREACHED as silence:
            what = _line(silence.what_of(party), WORDS_LENGTH_MAX)
            reason = VerdictReason(silence.code, what)
            return PartyVerdict(party, Decision.NO_ANSWER, (reason,))

    return tuple(call_all(clients, judged).values())


def _proposal(plan: Plan, *, dry_run: bool, fresh: bool) -> wire.Proposal:
    return wire.Proposal(
        study=canonical_bytes(study_to_plain(plan.study)),
        roster=canonical_bytes(plan.roster.to_plain()),
        plan_digest=plan.digest,
        dry_run=dry_run,
        fresh=fresh,
    )


def budget_of(party: PartyId, budget: wire.Budget) -> PartyBudget | None:
    """What the party publishes of its ledger, if it does."""
    if not budget.published or len(budget.delta) > DELTA_LENGTH_MAX:
        return None
    try:
        delta = Decimal(budget.delta)
    except InvalidOperation:
        return None  # a party's own words; nothing depends on them
    if not delta.is_finite() or not DELTA_MIN <= delta < 1:
        return None
    if not 0 <= budget.rho_cap_pico <= RHO_PICO_MAX or abs(budget.rho_left_pico) > RHO_PICO_MAX:
        return None
    return PartyBudget(
        party=party,
        rho_cap=RhoPico(budget.rho_cap_pico),
        rho_left=RhoPico(budget.rho_left_pico),
        delta=delta,
    )


def _line(text: str, length_max: int) -> str:
    """A party's words as one bounded line that people can be shown."""
    line = text[: length_max + 1].replace("\n", "; ")
    line = "".join(each if each.isprintable() else "\ufffd" for each in line)
    return line if len(line) <= length_max else f"{line[: length_max - 1]}…"


def _reason(reason: wire.Reason) -> VerdictReason:
    return VerdictReason(
        _line(reason.code, CODE_LENGTH_MAX),
        _line(reason.what, WORDS_LENGTH_MAX),
        _line(reason.allowed, WORDS_LENGTH_MAX),
    )


def verdict(party: PartyId, judgement: wire.Judgement) -> PartyVerdict:
    """One party's judgement, for people: its words are printable lines of bounded length."""
    decision = _DECISIONS.get(judgement.verdict, Decision.REFUSE)
    if decision is Decision.ALLOW and judgement.manual:
        decision = Decision.ASK
    return PartyVerdict(
        party=party,
        decision=decision,
        reasons=tuple(_reason(reason) for reason in judgement.reasons[:REASONS_MAX]),
        budget=budget_of(party, judgement.budget),
        contact=judgement.contact if is_short_text(judgement.contact, CONTACT_LENGTH_MAX) else "",
    )


def refusal(verdicts: Sequence[PartyVerdict]) -> PolicyRefusal | BudgetRefusal | None:
    """The refusal that ``verdicts`` add up to, naming who and why; None if nobody refuses.

    It is a BudgetRefusal if nothing but budgets speaks against the plan.
    """
    reasons = tuple(
        RefusalReason(verdict.party, reason.code, reason.what, reason.allowed)
        for verdict in verdicts
        if verdict.decision is Decision.REFUSE
        for reason in verdict.reasons or (VerdictReason("", "refused without a reason"),)
    )
    if not reasons:
        return None
    first, *others = reasons
    text = "\n".join((first.render(), *(f"{each.party}: {each.render()}" for each in others)))
    asked = (f"{each.party}: ask {each.contact}" for each in verdicts if each.contact)
    hint = "; ".join(("nothing was computed or spent", *asked))
    if all(reason.code.startswith(BUDGET_CODES) for reason in reasons):
        return BudgetRefusal(text, party=first.party, hint=hint, reasons=reasons)
    return PolicyRefusal(first.party, text, hint=hint, reasons=reasons)


def raise_if_refused(judgements: Mapping[PartyId, wire.Judgement]) -> None:
    """Raise PolicyRefusal (BudgetRefusal if nothing else speaks against it), naming who and why."""
    against = refusal([verdict(party, judgement) for party, judgement in judgements.items()])
    if against is not None:
        raise against


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
