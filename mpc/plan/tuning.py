"""Weights that reach the errors a study asks for, with the least budget that does.

From public things alone, as the plan is: no row is looked at, nobody is asked, nothing is spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

from mpc.accounting.conversion import epsilon_from_rho, rho_from_epsilon
from mpc.errors import PlanRefusal
from mpc.plan.budget import split_rho
from mpc.plan.build import coalition_of
from mpc.plan.calibration import Calibration
from mpc.plan.foresight import expected_errors
from mpc.plan.model import ExpectedError
from mpc.study.model import Study
from mpc.units import RHO_UNIT, RhoPico

EPSILON_MAX = Decimal(20)  # of a study
WEIGHT_RANGE = 1_000_000  # of the largest weight to the least, either side of 1
_DIGITS = range(2, 19)
_CORRECTIONS = 100  # pico-rho that a plan may keep back for the corrections of its price


@dataclass(frozen=True)
class TunedQuestion:
    """A question's part: ``rho`` at least, and the ``weight`` to write into the scenario.

    ``target`` and ``reached`` are half-widths of ``estimate``: asked for, and foretold with the
    weights at the study's budget; ``target`` is None where the question states none, and keeps the
    part that it has. ``weight`` is None where it keeps a ``rho`` of its own.
    """

    name: str
    estimate: str
    rho: RhoPico
    weight: Decimal | None
    target: Decimal | None
    reached: Decimal | None

    @property
    def met(self) -> bool:
        """Whether the study's budget reaches the target, if there is one."""
        return self.target is None or (self.reached is not None and self.reached <= self.target)


@dataclass(frozen=True)
class Tuning:
    """What all targets need together, and the weights that share a budget so that they are met.

    ``epsilon`` is the least of four digits that does, at the study's delta; None if it is above
    20, the most a study may state. ``alone`` names the questions whose target takes more than the
    whole ``budget`` even if nothing else is asked.
    """

    questions: tuple[TunedQuestion, ...]
    needed: RhoPico
    budget: RhoPico
    epsilon: Decimal | None
    alone: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether the study's budget reaches every target."""
        return all(question.met for question in self.questions)

    def study(self, study: Study) -> Study:
        """``study`` with the weights written into it."""
        return _weighted(study, {each.name: each.weight for each in self.questions if each.weight})


def tuned(study: Study) -> Tuning:
    """The least rho that reaches every target of ``study``, and its split.

    A question without a target keeps its part. Each target's rho is found by bisection of the
    error that the plan would foretell, to the pico-rho. Cost: no message. Raises PlanRefusal if no
    question states a target, or one cannot be reached at any price.
    """
    if all(question.target is None for question in study.questions.values()):
        raise PlanRefusal(
            "",
            "no question states the error it is to have",
            hint="target: {half_width: …} in a question, in the unit of its estimate",
        )
    budget = rho_from_epsilon(study.privacy.epsilon, study.privacy.delta)
    parts = split_rho(study.questions, budget)
    for name, question in study.questions.items():
        if question.target is not None:
            parts[name] = least_rho(study, name, question.target.half_width)
    needed = RhoPico(sum(parts.values()))
    epsilon = _least_epsilon(study, needed)
    spent = budget
    if needed > budget and epsilon is not None:
        spent = rho_from_epsilon(epsilon, study.privacy.delta)
    weights = _weights(study, parts, RhoPico(spent - _CORRECTIONS))
    shares = split_rho(_weighted(study, weights).questions, budget)
    return Tuning(
        questions=tuple(
            _question(study, name, parts[name], weights.get(name), shares[name])
            for name in study.questions
        ),
        needed=needed,
        budget=budget,
        epsilon=epsilon,
        alone=tuple(
            name
            for name, question in study.questions.items()
            if question.target is not None and parts[name] > budget
        ),
    )


def foretold(study: Study, name: str, rho: RhoPico) -> ExpectedError:
    """The error of the first estimate of question ``name``, if the question cost ``rho``.

    The same as in the plan of a study that splits its budget so. Cost: no message. Raises
    PlanRefusal if ``rho`` is less than a pico-rho a block.
    """
    question, columns = study.questions[name], study.table.columns
    layout = question.layout(columns)
    calibration = Calibration(study, {name: layout}, coalition_of(study))
    blocks = calibration.blocks(name, rho, calibration.allowed)
    rows = sum(entry.rows_expected for entry in study.parties.values())
    return expected_errors(question.kind, layout, blocks, columns, rows)[0]


def least_rho(study: Study, name: str, target: Decimal) -> RhoPico:
    """The least rho of question ``name`` for which its error is foretold to be ``target`` at most.

    Raises PlanRefusal if none is: no row is expected, or more than rho 1000 would be needed.
    """
    low, high = len(study.questions[name].layout(study.table.columns).blocks) - 1, 1000 * RHO_UNIT
    if not _reaches(study, name, RhoPico(high), target):
        raise PlanRefusal(
            name,
            f"no budget foretells a half-width of {target:f}",
            hint="a larger target.half_width, or rows_expected that say how many rows there are",
        )
    while high - low > 1:
        middle = (low + high) // 2
        if _reaches(study, name, RhoPico(middle), target):
            high = middle
        else:
            low = middle
    return RhoPico(high)


def _reaches(study: Study, name: str, rho: RhoPico, target: Decimal) -> bool:
    width = foretold(study, name, rho).half_width
    return width is not None and width <= target


def _question(
    study: Study, name: str, rho: RhoPico, weight: Decimal | None, share: RhoPico
) -> TunedQuestion:
    error, target = foretold(study, name, share), study.questions[name].target
    return TunedQuestion(
        name=name,
        estimate=error.estimate,
        rho=rho,
        weight=weight,
        target=None if target is None else target.half_width,
        reached=error.half_width,
    )


def _least_epsilon(study: Study, needed: RhoPico) -> Decimal | None:
    """The least epsilon of four digits whose budget is ``needed`` and what corrections may take."""
    delta, context = study.privacy.delta, Context(prec=4, rounding=ROUND_CEILING)
    epsilon = context.plus(epsilon_from_rho(RhoPico(needed + _CORRECTIONS), delta))
    while epsilon <= EPSILON_MAX and rho_from_epsilon(epsilon, delta) < needed + _CORRECTIONS:
        epsilon = context.next_plus(epsilon)
    return epsilon if epsilon <= EPSILON_MAX else None


def _weights(study: Study, parts: Mapping[str, RhoPico], budget: RhoPico) -> dict[str, Decimal]:
    """Weights with as few digits as give every question its part of ``budget`` or more.

    The least is 1, unless the largest would not fit then.
    """
    weighed = {
        name: parts[name]
        for name, question in study.questions.items()
        if question.rho is None or question.target is not None
    }
    least, most = min(weighed.values()), max(weighed.values())
    if most > least * WEIGHT_RANGE**2:
        raise PlanRefusal("", "the targets lie too far apart for weights", hint="ask two studies")
    unit = max(Decimal(least), Decimal(most) / WEIGHT_RANGE)
    weights: dict[str, Decimal] = {}
    for digits in _DIGITS:
        context = Context(prec=digits, rounding=ROUND_CEILING)
        weights = {name: context.divide(Decimal(part), unit) for name, part in weighed.items()}
        shares = split_rho(_weighted(study, weights).questions, budget)
        if all(shares[name] >= parts[name] for name in weights):
            break
    return weights


def _weighted(study: Study, weights: Mapping[str, Decimal]) -> Study:
    questions = {
        name: question.model_copy(update={"weight": weights[name], "rho": None})
        if name in weights
        else question
        for name, question in study.questions.items()
    }
    return study.model_copy(update={"questions": questions})
