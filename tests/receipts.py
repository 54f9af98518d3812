"""Real receipts for tests: real certificates, approvals, Hellos and signed shares.

Only the numbers are made up: totals of a plausible size instead of a computation, split into
uniform shares.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc.canonical import Plain
from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.questions.count.declare import Count
from mpc.questions.mean.declare import Mean
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.questions.sum.declare import Sum
from mpc.questions.variance.declare import Variance
from mpc.ring.words import add, encode
from mpc.roster import Roster
from mpc.session.agreement import Agreement, Phase
from mpc.session.approval import Approval, check_approvals
from mpc.session.establish import make_hello
from mpc.session.hello import session_id
from mpc.session.share import ReleasedShare, opening_id
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.units import Adjacency, PartyId, Role
from parties.identity.authority import approve, authority_init
from parties.identity.store import Identity, install, load_identity, request
from parties.report.receipt import Receipt, build_receipt, load_receipt, receipt_bytes
from parties.report.verify import Verification, verify_receipt
from parties.system import SOFTWARE_VERSION, SystemClock, SystemRandomness

OFFICE = "office"
DEALER = "dealing-house"
PARTIES = ("north", "south", "west")


def questions() -> dict[str, Question]:
    return {
        "people": Count(kind="count", by=("sex",)),
        "visits": Mean(kind="mean", column="visits", by=("sex",)),
        "spread": Variance(kind="variance", column="visits"),
        "balance": Sum(kind="sum", column="balance"),
    }


def study(parties: Sequence[str] = PARTIES, **changes: object) -> Study:
    """A study of every kind of column; ``changes`` replace its fields."""
    fields: dict[str, object] = {
        "version": 1,
        "id": "stays",
        "title": "Stays in three hospitals",
        "purpose": "planning",
        "lead": Lead(name="A. Person", organization="Institute", email="a@institute.example"),
        "parties": {
            name: PartyEntry(version=1, rows_max=20_000, rows_expected=5_000) for name in parties
        },
        "recipients": ("coordinator",),
        "table": Table(
            name="stays",
            unit=RowUnit(kind="row"),
            columns={
                "visits": NumberColumn(type="number", bounds=(Decimal(0), Decimal(77))),
                "balance": NumberColumn(
                    type="number", bounds=(Decimal(-500), Decimal(2000)), step=Decimal("0.01")
                ),
                "sex": CategoryColumn(type="category", levels=("f", "m")),
            },
            where="visits >= 1",
        ),
        "privacy": Privacy(
            epsilon=Decimal(1),
            delta=Decimal("0.000001"),
            adjacency=Adjacency.ADD_OR_REMOVE_ONE,
        ),
        "questions": questions(),
    }
    return Study.model_validate({**fields, **changes})


def dealt_study(parties: Sequence[str] = PARTIES) -> Study:
    """The same with medians, and a dealer for them."""
    median = Quantile(kind="quantile", column="visits", probability=Decimal("0.5"), by=("sex",))
    return study(parties, dealer=DEALER, questions={**questions(), "median": median})


@dataclass(frozen=True)
class Federation:
    """An authority, parties, a dealer and a coordinator, with keys in ``folder``."""

    folder: Path
    identities: dict[str, Identity]

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(name for name in self.identities if name not in (DEALER, OFFICE))

    @property
    def office(self) -> Identity:
        return self.identities[OFFICE]

    @property
    def roster(self) -> Roster:
        members = [self.identities[name].member for name in self.parties]
        return Roster((*members, self.office.member))

    def roster_of(self, asked: Study) -> Roster:
        """The roster that ``asked`` is planned with: the dealer is in it if the study names one."""
        if asked.dealer is None:
            return self.roster
        dealer = self.identities[asked.dealer].member
        return Roster((*self.roster.parties, dealer, self.office.member))

    @property
    def pins(self) -> dict[PartyId, str]:
        return {PartyId(name): each.member.fingerprint for name, each in self.identities.items()}


def federation(
    folder: Path, parties: Sequence[str] = PARTIES, dealer_organization: str = "Dealing House Ltd"
) -> Federation:
    """Real keys and certificates, made by the product's own commands."""
    authority_init(folder / "ca", "Study office")
    identities = {}
    roles = {DEALER: Role.DEALER, OFFICE: Role.COORDINATOR}
    for name in (*parties, DEALER, OFFICE):
        organization = dealer_organization if name == DEALER else f"{name.capitalize()} Ltd"
        asked = request(folder / name, name, roles.get(name, Role.PARTY), organization)
        fingerprint = approve(folder / "ca", asked, folder / f"{name}.pem")
        install(folder / name, folder / f"{name}.pem", fingerprint)
        identities[name] = load_identity(folder / name)
    return Federation(folder, identities)


def totals_of(plan: Plan) -> list[int]:
    """Plausible totals: each cell has rows, a mean within bounds, a variance, or a found point."""
    totals = []
    for question in plan.questions:
        for block in question.summed:
            for cell in range(block.cells):
                rows, h = 1000 + 137 * cell, block.block.value_max
                sizes = {"n": rows, "s1": -(rows * h) // 2, "s2": rows * h * 2 // 5}
                totals.append(
                    abs(sizes[block.name]) if not block.block.signed else sizes[block.name]
                )
        if question.layout.search is not None:
            totals += [
                cell + question.layout.search.points // 3 for cell in range(question.layout.cells)
            ]
    return totals


@dataclass(frozen=True)
class Run:
    """One run of a plan with all that its participants signed."""

    members: Federation
    plan: Plan
    approvals: tuple[Approval, ...]
    hellos: tuple[bytes, ...]
    shares: tuple[ReleasedShare, ...]
    started_at: int
    totals: list[int] = field(default_factory=list)

    def plain(self, **changes: object) -> dict[str, Plain]:
        """The receipt as an object; ``changes`` replace arguments of :func:`build_receipt`."""
        arguments: dict[str, object] = {
            "approvals": self.approvals,
            "hellos": self.hellos,
            "shares": self.shares,
            "authority": self.members.office.authority,
            "started_at": self.started_at,
            "released_at": self.started_at + 3,
            "signer": self.members.office.sign,
        }
        build: Callable[..., dict[str, Plain]] = build_receipt
        return build(self.plan, **{**arguments, **changes})

    def receipt(self, **changes: object) -> Receipt:
        return load_receipt(receipt_bytes(self.plain(**changes)))

    def verified(self) -> Verification:
        return verify_receipt(self.receipt(), self.members.pins)


def shares_of(
    members: Federation, plan: Plan, approvals: Sequence[Approval], hellos: Sequence[bytes],
    totals: Sequence[int],
) -> tuple[ReleasedShare, ...]:  # fmt: skip
    """Signed uniform shares of ``totals``."""
    run = check_approvals(plan, approvals, SystemClock().unix_s())
    session = session_id(hellos)
    masks: list[NDArray[np.int64]] = [
        np.frombuffer(os.urandom(8 * plan.size), dtype="<i8").astype(np.int64)
        for _ in plan.roster.parties[1:]
    ]
    rest = add([encode(totals), *(encode(-int(word) for word in mask) for mask in masks)])
    return tuple(
        ReleasedShare.sign(
            run=run,
            session=session,
            opening=opening_id(session),
            party=member.id,
            plan_digest=plan.digest,
            words=words,
            commitment=os.urandom(32),
            software=SOFTWARE_VERSION,
            signer=members.identities[member.id].sign,
        )
        for member, words in zip(plan.roster.parties, [rest, *masks], strict=True)
    )


def run_of(
    members: Federation, asked: Study | None = None, totals: Sequence[int] | None = None,
    phase: Phase = Phase.WHOLE,
) -> Run:  # fmt: skip
    """A fresh run: new nonces, new keys, new session, of ``phase``."""
    asked = asked or study(members.parties)
    plan = plan_study(asked, members.roster_of(asked))
    started_at = SystemClock().unix_s()
    approvals = tuple(
        Approval.sign(
            plan_digest=plan.digest,
            party=member.id,
            nonce=os.urandom(32),
            expires_unix_s=started_at + 600,
            approved_by="policy",
            signer=members.identities[member.id].sign,
        )
        for member in plan.roster.parties
    )
    agreement = Agreement.of(plan, approvals, started_at, phase=phase)
    hellos = tuple(
        make_hello(
            agreement, member.id, members.identities[member.id].sign, SystemRandomness()
        ).data
        for member in phase.present(plan.roster)
    )
    released = list(totals) if totals is not None else totals_of(plan)
    shares = shares_of(members, plan, approvals, hellos, released)
    return Run(members, plan, approvals, hellos, shares, started_at, released)
