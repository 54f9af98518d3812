"""What a study costs in the unit an owner counts in, which may be stronger than the study's."""

from __future__ import annotations

import math
from fractions import Fraction

from mpc.plan.model import Plan
from mpc.study.model import Study
from mpc.units import Adjacency, RhoPico
from parties.policy.model import Domain


def charge_factor(study: Study, domain: Domain) -> Fraction:
    """By how much rho grows from ``study``'s unit to ``domain``'s; at least 1.

    A unit of k times the rows moves a sum k times as far, and rho goes with the square. Replacing
    a unit is removing one and adding another, so it moves a sum at most twice as far: 4 times the
    rho. A study that protects more than the domain asks is charged in full all the same.
    """
    rows = Fraction(domain.rows_max, study.table.unit.rows_max)
    replaced = (
        domain.adjacency is Adjacency.REPLACE_ONE
        and study.privacy.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    )
    return max(Fraction(1), rows * rows) * (4 if replaced else 1)


def charge(plan: Plan, domain: Domain) -> RhoPico:
    """rho that ``plan`` costs a person of ``domain``, rounded up."""
    return RhoPico(math.ceil(plan.rho_total * charge_factor(plan.study, domain)))
