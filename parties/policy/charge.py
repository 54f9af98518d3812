"""What a study costs in the unit an owner counts in, which may be stronger than the study's."""

from __future__ import annotations

from mpc.plan.model import Plan
from mpc.study.model import Study
from mpc.units import ProtectedUnit, RhoPico
from parties.policy.model import Domain


def charge_factor(study: Study, domain: Domain) -> int:
    """By how much rho grows from ``study``'s unit to ``domain``'s: as the ledger will charge it.

    A study that protects more than the domain asks is charged in full all the same.
    """
    asked = ProtectedUnit(study.table.unit.rows_max, study.privacy.adjacency)
    return asked.rho_factor(ProtectedUnit(domain.rows_max, domain.adjacency))


def charge(plan: Plan, domain: Domain) -> RhoPico:
    """rho that ``plan`` costs a person of ``domain``."""
    return RhoPico(plan.rho_total * charge_factor(plan.study, domain))
