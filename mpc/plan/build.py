"""Study and roster → plan: the same at every party, from public things alone.

Sensitivity, noise, price, range proof and foreseen errors follow from the declared bounds, levels
and row caps; no row is looked at, so a refusal here tells nothing about any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from mpc.accounting.coalitions import rho_of_coalition
from mpc.accounting.conversion import epsilon_from_rho, rho_from_epsilon
from mpc.accounting.event import NoiseEvent
from mpc.errors import PlanRefusal
from mpc.layout import Layout
from mpc.plan.calibration import Calibrated, Calibration
from mpc.plan.cost import study_cost
from mpc.plan.foresight import expected_errors
from mpc.plan.model import (
    MECHANISM,
    CoalitionLoss,
    ColumnUse,
    Plan,
    PlannedQuestion,
)
from mpc.plan.programs import rehearsed
from mpc.plan.proof import check_number
from mpc.ring.words import RANGE_MAX
from mpc.roster import Roster
from mpc.study.model import FirstBy, PersonUnit, Study
from mpc.study.where import column_names, parse_where
from mpc.units import RhoPico

VECTOR_MAX = 200_000
"""Integers one study may share."""


def plan_study(study: Study, roster: Roster) -> Plan:
    """Work ``study`` out for the members of ``roster``.

    Deterministic: every machine gets the same canonical bytes. Opens: nothing. Cost: no message.
    Raises PlanRefusal naming the question and the bound that cannot be kept.
    """
    _check_parties(study, roster)
    coalition = coalition_of(study)
    layouts = _layouts(study)
    budget = rho_from_epsilon(study.privacy.epsilon, study.privacy.delta)
    noised = Calibration(study, layouts, coalition).within(budget)
    computed = rehearsed(noised.event, list(layouts.values()))

    def epsilon(rho: RhoPico) -> Decimal:
        """Rounded up, yet never above what the study declares while rho keeps its budget."""
        value = epsilon_from_rho(rho, study.privacy.delta)
        return min(value, study.privacy.epsilon) if rho <= budget else value

    questions = _questions(study, layouts, noised, epsilon)
    return Plan(
        study=study,
        roster=roster,
        mechanism=MECHANISM,
        event=noised.event,
        questions=questions,
        parties=len(study.parties),
        coalition=coalition,
        rho_total=noised.rho,
        delta_charged=noised.delta,
        epsilon_total=epsilon(noised.rho),
        delta=study.privacy.delta,
        coalitions=(
            *_coalitions(noised.event, epsilon),
            *(() if computed is None else _coalitions_with_dealer(noised, epsilon)),
        ),
        columns=columns_of_study(study),
        largest_value=noised.largest,
        range_limit=RANGE_MAX,
        cost=study_cost(len(study.parties), sum(q.size for q in questions), computed),
    )


def _check_parties(study: Study, roster: Roster) -> None:
    """The roster holds exactly the study's parties, in its order, and its dealer or none."""
    members = [member.id for member in roster.parties]
    if members != list(study.parties):
        raise PlanRefusal(
            "",
            f"the roster has parties {', '.join(members)}, the study {', '.join(study.parties)}",
            hint="plan with the roster of this study's parties, in its order",
        )
    _check_dealer(study, roster)
    for name, entry in study.parties.items():
        if entry.rows_expected > entry.rows_max:
            raise PlanRefusal(
                "",
                f"party {name}: rows_expected {entry.rows_expected} exceeds rows_max "
                f"{entry.rows_max}",
            )


def _check_dealer(study: Study, roster: Roster) -> None:
    """A dealer where a question or noise needs one, nowhere else; the same in study and roster."""
    dealer = None if roster.dealer is None else roster.dealer.id
    needing = study.dealt_questions
    if needing and study.dealer is None:
        raise PlanRefusal(
            needing[0],
            "it needs a dealer, and the study names none",
            hint="dealer: the id of a participant without data",
        )
    if study.shares_noise and study.dealer is None:
        raise PlanRefusal(
            "",
            "dealt or joint noise needs a dealer, and the study names none",
            hint="privacy.noises: [own], or dealer: the id of a participant without data",
        )
    if study.dealer is not None and not needing and not study.shares_noise:
        raise PlanRefusal(
            "",
            f"dealer {study.dealer}: no question and no noise needs one",
            hint="leave the dealer out, ask a question that needs one, or allow its noise",
        )
    if dealer != study.dealer:
        raise PlanRefusal(
            "",
            f"the roster has dealer {dealer or 'none'}, the study {study.dealer or 'none'}",
            hint="plan with the roster of this study's parties and its dealer",
        )


def coalition_of(study: Study) -> int:
    """How many parties may pool what they know; all but one if the study does not say."""
    most = len(study.parties) - 1
    coalition = most if study.privacy.coalition is None else study.privacy.coalition
    if coalition > most:
        raise PlanRefusal("", f"privacy.coalition {coalition}: at most {most} of the parties")
    return coalition


def _layouts(study: Study) -> dict[str, Layout]:
    columns = study.table.columns
    layouts: dict[str, Layout] = {}
    for name, question in study.questions.items():
        for complaint in question.complaints(columns):
            raise PlanRefusal(name, f"{complaint.path}: {complaint.what}", hint=complaint.allowed)
        for column in question.column_names():
            check_number(name, column, columns[column])
        layouts[name] = question.layout(columns)
    size = sum(layout.size for layout in layouts.values())
    if size > VECTOR_MAX:
        largest = max(layouts, key=lambda name: layouts[name].size)
        raise PlanRefusal(
            largest,
            f"the study would share {size} integers, {layouts[largest].size} of them here",
            hint=f"at most {VECTOR_MAX} a study: fewer levels, bins or groups",
        )
    return layouts


def _questions(
    study: Study,
    layouts: dict[str, Layout],
    noised: Calibrated,
    epsilon: Callable[[RhoPico], Decimal],
) -> tuple[PlannedQuestion, ...]:
    """Questions one after another in the study's vector, in its order."""
    rows_expected = sum(entry.rows_expected for entry in study.parties.values())
    offset = 0
    planned: list[PlannedQuestion] = []
    for name, question in study.questions.items():
        layout, blocks = layouts[name], noised.blocks[name]
        rho = RhoPico(sum(block.rho for block in blocks))
        planned.append(
            PlannedQuestion(
                name=name,
                kind=question.kind,
                layout=layout,
                offset=offset,
                rho=rho,
                epsilon=epsilon(rho),
                blocks=blocks,
                expected_errors=expected_errors(
                    question.kind, layout, blocks, study.table.columns, rows_expected
                ),
            )
        )
        offset += planned[-1].size
    return tuple(planned)


def _coalitions(
    event: NoiseEvent, epsilon: Callable[[RhoPico], Decimal]
) -> tuple[CoalitionLoss, ...]:
    """0 to n - 1 parties pooling with the coordinator: each leaves the noise of the others."""
    losses: list[CoalitionLoss] = []
    for pooled in range(event.parties):
        rho = rho_of_coalition(event, pooled)
        if rho is None:
            break
        losses.append(
            CoalitionLoss(
                parties=pooled, rho=rho, epsilon=epsilon(rho), promised=pooled <= event.coalition
            )
        )
    return tuple(losses)


def _coalitions_with_dealer(
    noised: Calibrated, epsilon: Callable[[RhoPico], Decimal]
) -> tuple[CoalitionLoss, ...]:
    """Up to n - 1 parties pooling with the dealer: they know its noise, and read the noised sums
    of all nodes of a search."""
    planned = [block for blocks in noised.blocks.values() for block in blocks]
    event = noised.event
    read = replace(
        event,
        blocks=tuple(
            replace(noise, sensitivity_squared=noise.sensitivity_squared * block.block.nodes)
            for noise, block in zip(event.blocks, planned, strict=True)
        ),
    )
    losses = []
    for pooled in range(event.parties):
        rho = rho_of_coalition(read if pooled else event, pooled, dealer=True)
        loss = None if rho is None else epsilon(rho)
        losses.append(CoalitionLoss(pooled, rho, loss, promised=False, dealer=True))
    alone = losses[0]
    return tuple(losses[1:] if alone.rho == rho_of_coalition(event, 0) else losses)


def columns_of_study(study: Study) -> tuple[tuple[str, tuple[ColumnUse, ...]], ...]:
    """Every column touched with all its uses, both in alphabetical order."""
    uses: dict[str, set[ColumnUse]] = {}
    for question in study.questions.values():
        grouping = question.grouping_columns()
        for name in question.column_names():
            use = ColumnUse.GROUP if name in grouping else ColumnUse.AGGREGATE
            uses.setdefault(name, set()).add(use)
    if isinstance(study.table.unit, PersonUnit):
        uses.setdefault(study.table.unit.column, set()).add(ColumnUse.IDENTIFY)
        if isinstance(study.table.unit.keep, FirstBy):
            uses.setdefault(study.table.unit.keep.first_by, set()).add(ColumnUse.ORDER)
    for name in column_names(parse_where(study.table.where, study.table.columns)):
        uses.setdefault(name, set()).add(ColumnUse.FILTER)
    return tuple((name, tuple(sorted(uses[name]))) for name in sorted(uses))
