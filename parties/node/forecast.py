"""How many more studies like one fit into an owner's budgets, and which of them ends first."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.accounting.conversion import epsilon_from_rho
from mpc.errors import UsageError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.plan.noises import sampling_affordable
from mpc.roster import Member, Roster
from mpc.study.model import Study
from mpc.units import PartyId, RhoPico, Role, rho_text
from parties.config import NodeConfig
from parties.identity.store import load_identity
from parties.identity.trust import load_trust
from parties.ledger.sqlite import SqliteLedger
from parties.node.account import CapAccount, caps_of, ledger_file, ledger_limits
from parties.policy.charge import charge
from parties.policy.model import Cap, Domain, load_policy
from parties.system import SystemClock


@dataclass(frozen=True)
class Forecast:
    """What ``study`` costs a person of ``domain``, and the caps that it would count against.

    ``affordable`` is whether the policy's cap of one study allows it, ``delta_fits`` for how many
    there is delta left; None if it charges none.
    """

    study: str
    domain: str
    cost: RhoPico
    terms: Domain
    affordable: bool
    delta_fits: int | None
    caps: tuple[CapAccount, ...]

    def fits(self, cap: CapAccount) -> int:
        """How many more such studies ``cap`` has room for."""
        return cap.left // max(1, self.cost)

    @property
    def binding(self) -> CapAccount:
        """The cap that ends first."""
        return min(self.caps, key=self.fits)

    @property
    def count(self) -> int:
        """How many more such studies fit as things stand: none if one is too dear by itself."""
        if not self.affordable:
            return 0
        room = self.fits(self.binding)
        return room if self.delta_fits is None else min(room, self.delta_fits)

    @property
    def ends_first(self) -> str:
        """What the next study after those would exceed."""
        if not self.affordable:
            return "one study"
        short = self.delta_fits is not None and self.delta_fits < self.fits(self.binding)
        return "δ charged beside ρ, for ever" if short else self.binding.what

    def to_plain(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "study": self.study,
            "domain": self.domain,
            "cost": {
                "rho": rho_text(self.cost),
                "epsilon": f"{epsilon_from_rho(self.cost, self.terms.delta):f}",
                "delta": f"{self.terms.delta:f}",
            },
            "fits": self.count,
            "binding": self.ends_first,
            "caps": [{**each.to_plain(), "fits": self.fits(each)} for each in self.caps],
        }


def forecast(config: NodeConfig, study: Study, coordinator: str | None) -> Forecast:
    """The forecast of ``study``, asked by ``coordinator`` or by the only one that is accepted.

    Reads the ledger as it stands, and changes nothing. Raises UsageError if the node has no ledger,
    offers no such table, or the policy gives its domain no budget; IdentityError if the coordinator
    is not pinned here; PlanRefusal if the study cannot be planned.
    """
    policy = load_policy(config.policy)
    table = config.tables.get(study.table.name)
    if table is None:
        raise UsageError(f"{config.file} offers no table {study.table.name}")
    terms = policy.value.domains.get(table.domain)
    if terms is None:
        raise UsageError(f"{config.policy} gives privacy domain {table.domain} no budget")
    plan = _plan(config, study, _asking(config, coordinator))
    ledger = SqliteLedger(ledger_file(config), SystemClock(), ledger_limits(policy))
    balance, usage = ledger.balance(table.domain), ledger.usage(table.domain)
    bounds = ledger.bounds(table.domain)
    asking = (plan.roster.coordinator.organization, study.lead.organization)
    others = set(bounds.partners) - set(bounds.binding(*asking))
    return Forecast(
        study=study.id,
        domain=table.domain,
        cost=charge(plan, terms),
        terms=terms,
        affordable=_affordable(plan, terms, policy.value.study_budget),
        delta_fits=balance.delta_left // plan.delta_charged if plan.delta_charged else None,
        caps=tuple(caps_of(balance, bounds.without(others), usage)),
    )


def _affordable(plan: Plan, terms: Domain, cap: Cap | None) -> bool:
    if cap is None or charge(plan, terms) > cap.rho:
        return False
    return sampling_affordable(plan.delta_charged, cap.epsilon, cap.delta)


def _asking(config: NodeConfig, named: str | None) -> PartyId:
    known = config.coordinators
    if named is None and len(known) == 1:
        return known[0]
    if named not in known:
        raise UsageError(
            f"{config.file} lists {len(known)} coordinators: say who asks",
            hint=f"--coordinator {' or '.join(known)}",
        )
    return PartyId(named)


def _plan(config: NodeConfig, study: Study, coordinator: PartyId) -> Plan:
    """``study`` as ``coordinator`` would have it priced here.

    No price hangs on certificates, and those of other parties come with their first proposal only.
    """
    trust = load_trust(config.identity, load_identity(config.identity), config.peers)
    roles = dict.fromkeys(study.parties, Role.PARTY)
    if study.dealer is not None:
        roles[study.dealer] = Role.DEALER
    members = [_without_certificates(name, role) for name, role in roles.items()]
    return plan_study(study, Roster((*members, trust.member(coordinator))))


def _without_certificates(name: str, role: Role) -> Member:
    return Member(PartyId(name), role, name, f"tls {name}".encode(), f"sign {name}".encode())
