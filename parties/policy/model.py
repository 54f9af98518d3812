"""An owner's policy: what may be asked of its data, by whom, for what, at which price.

Deny by default: what is not written is refused, and an empty policy refuses everything. A
scenario can fall short of it and never weaken it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mpc.accounting.conversion import rho_from_epsilon
from mpc.accounting.event import Noise
from mpc.columns.model import Frozen
from mpc.plan.model import ColumnUse
from mpc.questions.registry import QUESTION_KINDS
from mpc.study.model import MIN_CELL_MAX, Identifier, Name, Text
from mpc.study.spelling import listed, nearest
from mpc.units import (
    DELTA_UNIT,
    PARTIES_MAX,
    PARTIES_MIN,
    Adjacency,
    DeltaAtto,
    ProtectedUnit,
    RhoPico,
)
from parties.ledger.records import DomainBounds
from parties.yaml_files import Misfit, Written, read_yaml

DAY_S = 86_400
KIND = "111"
TWICE = "112"
NO_DOMAIN = "113"
NO_PARTNER = "114"
BOUNDED_PERSON = "115"

Epsilon = Annotated[Decimal, Field(gt=0, le=100)]
Delta = Annotated[Decimal, Field(gt=0, le=Decimal("0.01"))]


class Owner(Frozen):
    """Whom to ask about a refusal; sent with it."""

    name: Text
    email: Text

    @property
    def contact(self) -> str:
        """``Data protection officer <dpo@clinic.example>``."""
        return f"{self.name} <{self.email}>"


class Purpose(Frozen):
    """The kinds of question that may be asked for a purpose."""

    kinds: Annotated[tuple[Name, ...], Field(max_length=50)] = ()


class TablePolicy(Frozen):
    """Columns of a table and what each may be used for. A column that is not named is denied."""

    columns: Annotated[
        dict[Name, Annotated[tuple[ColumnUse, ...], Field(max_length=len(ColumnUse))]],
        Field(max_length=1000),
    ] = Field(default_factory=dict)


class Cap(Frozen):
    """The most that one study, any 30 days, or one partner's studies may cost one unit."""

    epsilon: Epsilon
    delta: Delta

    @property
    def rho(self) -> RhoPico:
        """The same in zCDP, rounded down."""
        return rho_from_epsilon(self.epsilon, self.delta)


class Domain(Frozen):
    """A population and what all studies of it together may cost one person, for ever.

    A person has at most ``rows_max`` rows in any table of the domain (1, if nothing is said);
    ``adjacency`` says what the promise compares. Studies that protect less than that are charged
    more (:mod:`parties.policy.charge`). ``unit: person`` sets no bound on a person's rows: then no
    charge is enough for a study whose unit is a row, and it is refused.

    ``monthly`` bounds any 30 days, ``partners`` what each organization's studies cost for ever:
    those that its coordinator asks or its people lead. What is not bounded so has the domain's cap
    alone. Both bound rho; what is charged of delta beside it counts for ever.
    """

    epsilon: Epsilon
    delta: Delta
    adjacency: Adjacency = Adjacency.ADD_OR_REMOVE_ONE
    unit: Literal["rows", "person"] = "rows"
    rows_max: Annotated[int, Field(ge=1, le=1000)] | None = None
    monthly: Cap | None = None
    partners: Annotated[dict[Text, Cap], Field(max_length=1000)] = Field(default_factory=dict)

    @property
    def protected(self) -> ProtectedUnit:
        """Whom the domain's budget protects."""
        if self.unit == "person":
            return ProtectedUnit.person(self.adjacency)
        return ProtectedUnit(self.rows_max or 1, self.adjacency)

    @property
    def rho(self) -> RhoPico:
        """The cap in zCDP, rounded down: the ledger's currency, in which studies add up."""
        return rho_from_epsilon(self.epsilon, self.delta)

    @property
    def bounds(self) -> DomainBounds:
        """What binds beside the cap, in zCDP."""
        monthly = None if self.monthly is None else self.monthly.rho
        return DomainBounds(monthly, {name: cap.rho for name, cap in self.partners.items()})

    @property
    def delta_charges(self) -> DeltaAtto:
        """The cap on delta charged beside rho, for joint samples that are not quite exact.

        With it (1 + e^epsilon) times that much is added to delta: a thousandth of it at most. Own
        and dealt noise charges none.
        """
        allowed = self.delta / (1000 * (1 + self.epsilon.exp()))
        return DeltaAtto(int(allowed * DELTA_UNIT))


class Limits(Frozen):
    """How long a budget may be held for a study, and how often one partner may hold or abort."""

    reserve_s: Annotated[int, Field(ge=10, le=DAY_S)] = 900
    reserved_max: Annotated[int, Field(ge=1, le=100)] = 4
    aborts_max: Annotated[int, Field(ge=1, le=10_000)] = 20


class Policy(Frozen):
    """``policy.yaml``. Every default refuses.

    ``partners`` are organizations of a study's lead, ``coordinators`` ids of who may propose;
    ``recipients`` are parties' ids or ``coordinator``. ``dealers`` are ids of those who may deal,
    ``dealer_organization_shared`` whether also for a study in which one of its own organization
    takes part, against whom the dealer protects nothing. ``coalition_min`` is the least number of
    parties that may pool their knowledge while the promise holds (all others, if a study has
    fewer). ``min_cell``: studies must leave out cells whose noisy count is below it, or below more;
    none if it is not given, since the noise protects small cells as it does large ones.
    """

    version: Literal[1]
    owner: Owner | None = None
    approval: Literal["manual", "automatic"] = "manual"
    approval_expires_s: Annotated[int, Field(ge=60, le=30 * DAY_S)] = DAY_S
    coordinators: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    partners: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    recipients: Annotated[tuple[Identifier, ...], Field(max_length=1000)] = ()
    dealers: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    dealer_organization_shared: bool = False
    purposes: Annotated[dict[Identifier, Purpose], Field(max_length=1000)] = Field(
        default_factory=dict
    )
    tables: Annotated[dict[Name, TablePolicy], Field(max_length=100)] = Field(default_factory=dict)
    parties_min: Annotated[int, Field(ge=PARTIES_MIN, le=PARTIES_MAX)] | None = None
    coalition_min: Annotated[int, Field(ge=1, le=PARTIES_MAX - 1)] | None = None
    min_cell: Annotated[int, Field(ge=1, le=MIN_CELL_MAX)] | None = None
    noises: Annotated[tuple[Noise, ...], Field(max_length=len(Noise))] = ()
    adjacencies: Annotated[tuple[Adjacency, ...], Field(max_length=2)] = ()
    study_budget: Cap | None = None
    domains: Annotated[dict[Name, Domain], Field(max_length=100)] = Field(default_factory=dict)
    budget_published: bool = False
    limits: Limits = Limits()


PolicyFile = Written[Policy]
"""A policy with the lines of its file, so that a refusal can point at the rule."""

_HINTS = {
    "version": "1",
    "kinds": f"a list of {listed(QUESTION_KINDS)}",
    "columns": "column: [filter, group, aggregate]; identify and order for studies of persons",
    "epsilon": "a number above 0",
    "delta": "a number above 0, far below one over the population",
    "recipients": "[coordinator], or ids of parties",
    "partners": "organizations of those who lead studies",
    "monthly": "{epsilon: ..., delta: ...}: the most of any 30 days",
    "dealers": "ids of dealers, as [dealing-house]",
    "dealer_organization_shared": "false, unless a participant's organization may deal",
}


def load_policy(path: Path) -> PolicyFile:
    """``path`` as a policy. Raises ConfigFaults with all its faults."""
    return read_yaml(path, Policy, _HINTS, _misfits)


def _misfits(policy: Policy) -> Iterator[Misfit]:
    for purpose, granted in policy.purposes.items():
        for i, kind in enumerate(granted.kinds):
            if kind not in QUESTION_KINDS:
                yield Misfit(
                    KIND,
                    ("purposes", purpose, "kinds", i),
                    f"no question is of kind {kind}{nearest(kind, QUESTION_KINDS)}",
                    f"one of {listed(QUESTION_KINDS)}",
                )
    for table, granted_table in policy.tables.items():
        for column, uses in granted_table.columns.items():
            if len(set(uses)) != len(uses):
                place = ("tables", table, "columns", column)
                yield Misfit(TWICE, place, "a use twice", "each use once")
    for name, domain in policy.domains.items():
        yield from _domain_misfits(policy, name, domain)
    if policy.tables and not policy.domains:
        yield Misfit(
            NO_DOMAIN,
            ("tables",),
            "tables are granted, but no domain has a budget to pay with",
            "domains: a block of names, each with epsilon and delta",
        )


def _domain_misfits(policy: Policy, name: str, domain: Domain) -> Iterator[Misfit]:
    place = ("domains", name)
    if domain.unit == "person" and domain.rows_max is not None:
        what = "a bound on the rows of a person, where the unit is the person"
        yield Misfit(BOUNDED_PERSON, (*place, "rows_max"), what, "no rows_max, or unit: rows")
    for partner in domain.partners:
        if partner not in policy.partners:
            yield Misfit(
                NO_PARTNER,
                (*place, "partners", partner),
                f"{partner} is no partner{nearest(partner, policy.partners)}",
                f"one of partners: {listed(policy.partners) or 'none'}",
            )
