"""``parley verify``: a receipt checked offline, from the plan to the sum of the shares.

A :class:`Verification` exists only for a receipt that holds in every point; anything else raises
:class:`ReceiptRefused`, which says what failed, what held, and what could not be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from mpc.canonical import canonical_bytes
from mpc.errors import FileFaults, IntegrityError, ParleyError
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.questions.answer import Answer
from mpc.roster import Member, Roster
from mpc.session.agreement import BUILD, Agreement, Phase
from mpc.session.approval import Approval, check_approvals
from mpc.session.hello import check_hellos, released_phase, session_id
from mpc.session.share import ReleasedShare, check_shares, opening_id
from mpc.study.canonical import study_from_plain
from mpc.units import PartyId, RunId, SessionId
from parties.identity.bundle import check_member
from parties.identity.certificates import parse_der
from parties.report.dealing import dealer_warning
from parties.report.receipt import CONTEXT, Receipt

ROSTER_FILE = "the roster file"
NO_PINS = (
    "Trust in the keys is not established: no roster file was given. Whoever sent this receipt "
    "could have made up all of its parties. Get their fingerprints from the parties themselves."
)

Found = TypeVar("Found")


class CheckState(StrEnum):
    """Whether a thing was looked at at all."""

    PASSED = "passed"
    SKIPPED = "skipped"  # there was nothing to compare it with


@dataclass(frozen=True)
class Check:
    """One thing that was to be looked at: what, and what was found. Failed ones are raised."""

    name: str
    detail: str
    state: CheckState = CheckState.PASSED


@dataclass(frozen=True)
class Verification:
    """A receipt that holds, and what it says. Made by :func:`verify_receipt` and nothing else.

    ``pinned``: the certificates of every party, and of the dealer if there is one, are those of the
    reader's own pins. Without that the receipt is only known to be consistent, and ``warnings``
    says so.
    """

    receipt_digest: str
    plan: Plan
    run: RunId
    session: SessionId
    approvals: tuple[Approval, ...]
    shares: tuple[ReleasedShare, ...]
    released: tuple[int, ...]
    answers: tuple[Answer, ...]
    software: str
    started_at: int
    released_at: int
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]
    pinned: bool


class ReceiptRefused(IntegrityError):
    """A receipt that does not hold. ``failures`` name the party where there is one to name."""

    code = "PLY-G010"
    who_acts = "whoever sent the receipt"

    def __init__(
        self, failures: tuple[Check, ...], passed: tuple[Check, ...], unreached: tuple[str, ...]
    ) -> None:
        self.failures = failures
        self.passed = passed
        self.unreached = unreached
        lines = "; ".join(f"{failure.name}: {failure.detail}" for failure in failures)
        super().__init__(f"the receipt does not hold: {lines}")


@dataclass
class _Examination:
    """Checks in order: an independent failure does not hide the next one."""

    steps: tuple[str, ...]
    passed: list[Check] = field(default_factory=list)
    failed: list[Check] = field(default_factory=list)
    _reached: int = 0

    def check(self, look: Callable[[], tuple[str, Found]]) -> Found | None:
        """The next step: ``look`` says what it found, or raises why it refuses."""
        name = self.steps[self._reached]
        self._reached += 1
        try:
            detail, found = look()
        except ParleyError as refusal:
            self.failed.append(Check(name, _said(refusal)))
            return None
        self.passed.append(Check(name, detail))
        return found

    def skip(self, why: str) -> None:
        """The next step cannot be made; what it would have shown stays open."""
        self.passed.append(Check(self.steps[self._reached], why, CheckState.SKIPPED))
        self._reached += 1

    def demand(self, look: Callable[[], tuple[str, Found]]) -> Found:
        """A step without which no later one means anything."""
        found = self.check(look)
        if found is None:
            raise self.refused()
        return found

    def refused(self) -> ReceiptRefused:
        return ReceiptRefused(tuple(self.failed), tuple(self.passed), self.steps[self._reached :])


_STEPS = (
    "plan",
    "coordinator's signature",
    "certificates",
    "roster",
    "times",
    "approvals",
    "handshake",
    "shares",
    "sum",
    "answers",
)


def verify_receipt(
    receipt: Receipt,
    roster_pins: Mapping[PartyId, str] | None,
    *,
    pinned_in: str = ROSTER_FILE,
    build: str = BUILD,
) -> Verification:
    """Everything a receipt claims, worked out or verified again. No network, no clock.

    ``roster_pins``: id → fingerprint, from the parties by another way (:mod:`parties.report.pins`);
    None: only consistency is shown, and the result says so. ``pinned_in``: whose pins these are, in
    words. ``build``: the mechanism that the
    Hellos must name; only tests of others pass one.
    Raises ReceiptRefused, which names each check that failed and the party.
    """
    look = _Examination(_STEPS)
    plan = look.demand(lambda: _plan(receipt))
    look.check(lambda: _signature(receipt, plan))
    look.check(lambda: _certificates(receipt, plan))
    warnings: tuple[str, ...] = (NO_PINS,)
    shared = dealer_warning(plan.roster)
    if roster_pins is None:
        look.skip("not checked")
    else:
        warnings = look.check(lambda: _pins(plan, roster_pins, pinned_in)) or ()
    look.check(lambda: _times(receipt))
    look.check(lambda: _approvals(receipt, plan))
    look.check(lambda: _handshake(receipt, plan, build))
    look.check(lambda: _shares(receipt, plan))
    look.check(lambda: _sum(receipt, plan))
    answers = look.check(lambda: _answers(receipt, plan))
    if look.failed or answers is None:
        raise look.refused()
    return Verification(
        receipt_digest=receipt.digest,
        plan=plan,
        run=receipt.run,
        session=receipt.session,
        approvals=receipt.approvals,
        shares=receipt.shares,
        released=receipt.released,
        answers=answers,
        software=receipt.software,
        started_at=receipt.started_at,
        released_at=receipt.released_at,
        checks=tuple(look.passed),
        warnings=(*warnings, shared) if shared else warnings,
        pinned=roster_pins is not None,
    )


def _said(refusal: ParleyError) -> str:
    if isinstance(refusal, FileFaults):
        return f"its study is not valid: {refusal.faults[0].path}: {refusal.faults[0].what}"
    return refusal.message


def _plan(receipt: Receipt) -> tuple[str, Plan]:
    """The plan, worked out again from its own study and roster."""
    if "study" not in receipt.plan or "roster" not in receipt.plan:
        raise IntegrityError("the plan has no study or no roster")
    roster = Roster.from_plain(receipt.plan["roster"])
    plan = plan_study(study_from_plain(receipt.plan["study"]), roster)
    if canonical_bytes(dict(receipt.plan)) != plan.canonical():
        raise IntegrityError(
            "worked out again from its study and roster, the plan is another one",
            hint="it was changed, or made by another version of the planner",
        )
    if receipt.plan_digest != plan.digest:
        raise IntegrityError("the digest is that of another plan")
    return f"worked out again, it is the same: {plan.digest}", plan


def _signature(receipt: Receipt, plan: Plan) -> tuple[str, Member]:
    coordinator = plan.roster.coordinator
    coordinator.verify(CONTEXT, receipt.signed, receipt.signature)
    return f"{coordinator.id} signed the whole receipt", coordinator


@dataclass(frozen=True)
class _At:
    """A clock that stands still."""

    time: int

    def unix_s(self) -> int:
        return self.time

    def monotonic_s(self) -> float:
        return float(self.time)


def _certificates(receipt: Receipt, plan: Plan) -> tuple[str, int]:
    authority = parse_der(receipt.authority)
    faults = []
    for member in plan.roster:
        try:
            for time in (receipt.started_at, receipt.released_at):
                check_member(member, authority, _At(time))
        except ParleyError as fault:
            faults.append(f"{member.id}: {fault.message}")
    if faults:
        raise IntegrityError("; ".join(faults))
    count = len(plan.roster.members)
    return f"those of {count} participants are of one authority and were valid at the time", count


def _pins(plan: Plan, pins: Mapping[PartyId, str], pinned_in: str) -> tuple[str, tuple[str, ...]]:
    faults = []
    for member in plan.roster.linked:
        if member.id not in pins:
            faults.append(f"{member.id}: not in {pinned_in}")
    for member in plan.roster:
        if member.id in pins and pins[member.id] != member.fingerprint:
            faults.append(
                f"{member.id}: its certificates have the fingerprint {member.fingerprint}, "
                f"{pinned_in} has {pins[member.id]}"
            )
    if faults:
        raise IntegrityError("; ".join(faults))
    coordinator = plan.roster.coordinator.id
    who = [f"all {len(plan.roster.parties)} parties"]
    if plan.roster.dealer is not None:
        who.append("the dealer")
    if coordinator in pins:
        who.append("the coordinator")
        return f"{' and '.join(who)} have the keys pinned in {pinned_in}", ()
    warning = (
        f"The coordinator {coordinator} is not in {pinned_in}: the times in the receipt "
        "rest on a key that is not pinned. The results do not."
    )
    return f"{' and '.join(who)} have the keys pinned in {pinned_in}", (warning,)


def _times(receipt: Receipt) -> tuple[str, int]:
    if receipt.started_at > receipt.released_at:
        raise IntegrityError("the result was released before the study started")
    return "started before released, by the coordinator's clock", receipt.released_at


def _approvals(receipt: Receipt, plan: Plan) -> tuple[str, RunId]:
    run = check_approvals(plan, receipt.approvals, receipt.started_at)
    if run != receipt.run:
        raise IntegrityError("the run is not the one that these approvals make")
    return f"every party approved this plan; together they make run {run[:12]}…", run


def _handshake(receipt: Receipt, plan: Plan, build: str) -> tuple[str, SessionId]:
    phase = released_phase(receipt.hellos)
    check_hellos(Agreement(plan.digest, plan.roster, receipt.run, build, phase), receipt.hellos)
    session = session_id(receipt.hellos)
    if session != receipt.session:
        raise IntegrityError("the session is not the one that these Hellos make")
    detail = f"every Hello is signed; together they make session {session.hex()[:12]}…"
    if phase is Phase.PREPARED:
        detail = f"{detail}, prepared beforehand and run without the dealer"
    return detail, session


def _shares(receipt: Receipt, plan: Plan) -> tuple[str, int]:
    opening = opening_id(receipt.session)
    check_shares(plan.roster, plan.digest, receipt.run, receipt.session, opening, receipt.shares)
    return "every party signed its share of this one opening", len(receipt.shares)


def _sum(receipt: Receipt, plan: Plan) -> tuple[str, int]:
    totals = combine_shares(plan, [share.words for share in receipt.shares])
    if tuple(totals) != receipt.released:
        raise IntegrityError("the shares do not add up to the released integers")
    return f"{len(totals)} released integers are the sum of the shares", len(totals)


def _answers(receipt: Receipt, plan: Plan) -> tuple[str, tuple[Answer, ...]]:
    answers = decode_totals(plan, receipt.released)
    return f"{len(answers)} questions answered from the released integers", answers
