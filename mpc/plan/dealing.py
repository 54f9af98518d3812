"""What a plan has dealt: the recipes of every program that its questions run on shares."""

from __future__ import annotations

from mpc.dealing.recipe import Recipe
from mpc.plan.model import Plan


def recipes_of(plan: Plan) -> tuple[Recipe, ...]:
    """What ``plan`` has dealt, in sequence: nothing, since no question of this version needs it."""
    return ()
