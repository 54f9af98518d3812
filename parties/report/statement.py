"""The privacy statement of a study in plain words: what is protected, what is not, by whom.

It says no more than SECURITY.md promises for linear studies with own noise, and for what is
compared with a dealer's randomness.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from mpc.accounting.event import Noise
from mpc.plan.model import Plan
from mpc.roster import Member
from mpc.study.model import PersonUnit, RowUnit
from mpc.units import Adjacency
from parties.report.dealing import (
    DEALER_POOLS,
    DEALER_SEES,
    dealer_losses,
    dealer_text,
    dealer_warning,
)
from parties.report.figures import count_text, epsilon_text, significant_text, small_text
from parties.report.wording import person_rule_text

_NOISES = {
    Noise.DEALT: "Each owner adds its own noise, less of it than it would alone, and the dealer {} "
    "adds the rest; whoever knows the dealer’s part is left with the owners’.",
    Noise.JOINT: "Joint noise is sampled on shares, from bits that all owners make together with "
    "masks from the dealer {}. No owner knows it; one that pools with the dealer does.",
}


@dataclass(frozen=True)
class Statement:
    """Sentences under three heads."""

    protected: tuple[str, ...]
    not_protected: tuple[str, ...]
    trust: tuple[str, ...]


def privacy_statement(plan: Plan) -> Statement:
    """What the plan promises, from its own numbers."""
    return Statement(_protected(plan), _not_protected(plan), _trust(plan))


def _protected(plan: Plan) -> tuple[str, ...]:
    privacy = plan.study.privacy
    unit = _unit(plan.study.table.unit)
    if privacy.adjacency is Adjacency.REPLACE_ONE:
        change = f"Had {unit} held any other values"
        if isinstance(plan.study.table.unit, PersonUnit):
            change = f"Had {unit} been replaced by any others of any one person"
    else:
        change = f"Had {unit} been left out, or {_one_more(plan.study.table.unit)} been taken in"
    return (
        f"{change}, every possible set of results would have been nearly as likely: whatever "
        f"someone believed about it before, these results change the odds by a factor of at most "
        f"{_factor(plan.epsilon_total)} (e to the ε of {epsilon_text(plan.epsilon_total)}), except "
        f"with a probability of about δ = {small_text(plan.delta)}{_one_in(plan.delta)}.",
        *_rows_counted(plan.study.table.unit),
        "This holds whatever else anyone knows, for each owner’s rows, and for all results of "
        "this page together. It holds in the same way for whoever reads only some of them.",
        "No owner’s rows, and no sum without noise, left the owner readable. No one, the "
        "coordinator included, knows the whole of the noise.",
    )


def _not_protected(plan: Plan) -> tuple[str, ...]:
    return (
        _unit_limits(plan.study.table.unit),
        "Facts about groups are what a study is for. If they tell something about a person who "
        "might as well not have taken part, that is not prevented.",
        "Each owner keeps account of its own population only. Nobody tracks what one person loses "
        "through the studies of different owners.",
        "The plan, the schemas that owners publish, who takes part, the sizes of messages and the "
        "rough times of stages are visible to those who take part.",
        f"An owner that lies about its rows or its noise can spoil the results. {_liars(plan)}",
    )


def _unit(unit: RowUnit | PersonUnit) -> str:
    """Whom the promise protects."""
    if isinstance(unit, PersonUnit):
        where = "at all owners together" if unit.across_parties else "at its owner"
        return f"all rows of one person {where}"
    return "one row" if unit.rows_max == 1 else f"one unit with at most {unit.rows_max} rows"


def _one_more(unit: RowUnit | PersonUnit) -> str:
    return "those of one more" if isinstance(unit, PersonUnit) else "one more"


def _rows_counted(unit: RowUnit | PersonUnit) -> Iterator[str]:
    """How a person unit is kept to."""
    if not isinstance(unit, PersonUnit):
        return
    yield (
        f"The unit is one person, as column {unit.column} of each owner’s table says. However many "
        f"rows a person has, {person_rule_text(unit)}: a rule that looks at that person’s rows "
        "alone."
    )


def _unit_limits(unit: RowUnit | PersonUnit) -> str:
    """Whom the unit protects less, or not."""
    if not isinstance(unit, PersonUnit):
        each = "row" if unit.rows_max == 1 else f"unit of {unit.rows_max} rows"
        return (
            f"The unit is one {each}, not one person. Someone who is in several of them is "
            "protected as several, and so more weakly."
        )
    text = (
        f"Who has several ids in column {unit.column} of one owner’s table is protected as several "
        "persons, and so more weakly."
    )
    if unit.across_parties:
        return text
    return (
        f"{text} The study says that nobody has rows at several owners, which no one checked: who "
        "does is protected as several too."
    )


def _liars(plan: Plan) -> str:
    """What owners that deviate do to the protection of others."""
    if plan.roster.dealer is not None:
        return (
            "So can a dealer that deals wrong randomness, and nobody notices. Where secrets are "
            "compared, one that deviates from the protocol may weaken the others’ protection too."
        )
    if plan.coalition == plan.parties - 1:
        return "It cannot weaken the protection of the other owners’ rows."
    return f"If more than {plan.coalition} add none, the others’ rows are protected less."


def _trust(plan: Plan) -> tuple[str, ...]:
    n, t = plan.parties, plan.coalition
    others = n - 1
    most = "any one party" if others == 1 else f"any {others} parties"
    pool = "one other party pools" if t == 1 else f"{t} other parties pool"
    if plan.roster.dealer is None:
        whatever = "whatever those do, since it rests on noise they do not know"
        lines = _linear(most)
    else:
        whatever = (
            "as long as all follow the protocol and the dealer is not among them, since it rests "
            "on noise they do not know"
        )
        lines = _dealt(plan, plan.roster.dealer, most)
    lines.append(
        f"The ε above holds for an owner’s rows even if {pool} all they know with the coordinator, "
        f"{whatever}."
    )
    if t < others:
        lines.append(
            f"It does not hold if more than {t} pool what they know; the table of coalitions says "
            "what is left then."
        )
    lines.append(
        "Each owner’s own machine sees its rows. Differential privacy is computational here: it "
        "rests on AES, SHA-256, X25519, Ed25519 and TLS, and on each machine’s randomness."
    )
    return tuple(lines)


def _linear(most: str) -> list[str]:
    return [
        "The study is linear: it only adds up sums that each owner computed over its own rows. "
        "Each owner masked its share and added its own noise to it before anything left.",
        f"The owners’ inputs stay confidential against {most} together with the coordinator, even "
        "if those deviate from the protocol. No dealer and no trusted third party takes part.",
    ]


def _dealt(plan: Plan, dealer: Member, most: str) -> list[str]:
    """A study some of whose questions compare secrets, with the masks that ``dealer`` made."""
    dealt = plan.study.dealt_questions
    linear = [name for name in plan.study.questions if name not in dealt]
    lines = []
    if linear:
        lines.append(
            f"{_those(linear)} linear: only sums that each owner computed over its own rows are "
            "added up."
        )
    if dealt:
        lines.append(
            f"For {', '.join(dealt)} the owners compare secrets. They compute on shares, each of "
            f"them random to whoever has it, with masks from the dealer {dealer_text(dealer)}."
        )
    lines += [
        _NOISES[noise].format(dealer_text(dealer)) for noise in plan.noises if noise in _NOISES
    ]
    lines += [
        f"{DEALER_SEES} {DEALER_POOLS} {dealer_losses(plan)}",
        f"The owners’ inputs stay confidential against {most} together with the coordinator, as "
        "long as all follow the protocol and the dealer is not among them.",
    ]
    warning = dealer_warning(plan.roster)
    return [*lines, warning] if warning else lines


def _those(names: list[str]) -> str:
    """``The question people is``, ``The questions people, visits are``."""
    listed = ", ".join(names)
    return f"The question {listed} is" if len(names) == 1 else f"The questions {listed} are"


def _factor(epsilon: Decimal) -> str:
    factor = math.exp(min(float(epsilon), 700.0))
    digits = 3 if factor < 1e6 else 2
    return significant_text(math.ceil(factor * 100) / 100 if factor < 1000 else factor, digits)


def _one_in(delta: Decimal) -> str:
    if delta <= 0:
        return ""
    return f", one in {count_text(int(1 / delta))}"
