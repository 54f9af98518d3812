"""What a study costs in the unit an owner counts in, which may be stronger than the study's."""

from __future__ import annotations

from mpc.plan.model import Plan
from mpc.study.model import Study
from mpc.units import RhoPico
from parties.policy.model import Domain


def charge_factor(study: Study, domain: Domain) -> int:
    """By how much rho grows from ``study``'s unit to ``domain``'s: as the ledger will charge it.

    A study that protects more than the domain asks is charged in full all the same.
    Raises BudgetRefusal if it protects so little that no charge is enough.
    """
    return study.protected.rho_factor(domain.protected)


def charge(plan: Plan, domain: Domain) -> RhoPico:
    """rho that ``plan`` costs a person of ``domain``."""
    return RhoPico(plan.rho_total * charge_factor(plan.study, domain))
