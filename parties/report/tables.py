"""Results, plans and budgets as terminal tables. Text from outside is never read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mpc.plan.model import Plan, PlannedQuestion
from mpc.questions.answer import Answer, Estimate
from mpc.units import PartyId
from parties.report.cuts import ADJUSTED, adjusted_text, adjusts, cut_notes, value_text
from parties.report.dealing import (
    DEALER_POOLS,
    DEALER_SEES,
    dealer_losses,
    dealer_text,
    dealer_warning,
    dealt_for,
)
from parties.report.figures import (
    NOT_AVAILABLE,
    bytes_text,
    count_text,
    decimals_for,
    epsilon_left_text,
    epsilon_text,
    interval_text,
    number_text,
    rho_figure,
    rho_left_figure,
    share_left_text,
    significant_text,
    small_text,
)
from parties.report.narrow import Fitting, Section, Sections
from parties.report.noises import noise_lines
from parties.report.standing import Decision, PartyBudget, PartyVerdict
from parties.report.truths import LABEL, Truths
from parties.report.wording import (
    COMPOSITION,
    columns_text,
    estimate_text,
    rows_text,
    short_cell_text,
    unit_text,
)

CELLS_SHOWN_MAX = 40  # of one question; files have all
TRUTH_HEAD = f"plain answer ({LABEL})"
TRUTH_STYLE = "magenta"

_VERDICT_STYLES = {
    Decision.ALLOW: "green",
    Decision.ASK: "yellow",
    Decision.REFUSE: "bold red",
    Decision.RELEASED: "cyan",
    Decision.NO_ANSWER: "bold yellow",
}
_VERDICT_MEANINGS = {
    Decision.ASK: "ask: its policy allows the study, and a person there decides",
    Decision.RELEASED: "released: this very study was released before; again, it costs nothing",
    Decision.NO_ANSWER: "no answer: cost and errors are worked out here and hold all the same",
}


def plain_text(text: str, style: str = "") -> Text:
    """Text from outside: no markup, and control characters (escape sequences) made visible."""
    return Text("".join(c if c.isprintable() else "\ufffd" for c in text), style=style)


def plain_lines(text: str, style: str = "", *, indent: str = "") -> Text:
    """Text from outside that may have several lines; ``indent`` comes before all but the first."""
    lines = (plain_text(line.replace("\t", " "), style) for line in text.split("\n"))
    return Text(f"\n{indent}").join(lines)


def result_table(
    answers: Sequence[Answer],
    plan: Plan,
    budgets: Sequence[PartyBudget] | None,
    truth: Sequence[Answer] | None = None,
) -> RenderableType:
    """Released values with their 95 % noise intervals and epsilon, then what each party has left.

    ``budgets``: what parties publish of theirs; None if they were not asked.
    ``truth`` (answers computed in plain text) may exist in simulation only, and is labelled so.
    """
    truths = Truths(truth)
    parts: list[RenderableType] = [
        plain_text(plan.study.title, "bold"),
        Fitting(_wide_results(answers, plan, truths), _narrow_results(answers, plan, truths)),
    ]
    parts.extend(
        plain_text(f"{answer.question}: {warning}", "yellow")
        for answer in answers
        for warning in answer.warnings
    )
    parts.extend(
        plain_text(f"{answer.question}: {note}", "yellow")
        for answer in answers
        for note in cut_notes(answer, rows_text(plan, answer.question), CELLS_SHOWN_MAX)
    )
    parts.append(plain_text(COMPOSITION, "dim"))
    if budgets is not None:
        parts.append(budget_table(budgets, [member.id for member in plan.roster.parties]))
    return Group(*parts)


def _wide_results(answers: Sequence[Answer], plan: Plan, truths: Truths) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for head in ("question", "group", "estimate"):
        table.add_column(head, overflow="fold")
    shown = ("released", "95 % interval", *((ADJUSTED,) if adjusts(answers) else ()))
    for head in shown:
        table.add_column(head, justify="right", no_wrap=True)
    if truths:
        table.add_column(TRUTH_HEAD, justify="right", style=TRUTH_STYLE, max_width=16)
    table.add_column(f"ε spent\n({_at(plan)})", justify="right", no_wrap=True)
    for answer in answers:
        name = plain_text(answer.question, "bold")
        spent = Text(epsilon_text(plan.question(answer.question).epsilon))
        for row in _rows(answer, plan, truths, adjusts(answers)):
            table.add_row(name, *row, spent)
            name, spent = Text(""), Text("")
        table.add_section()
    empty = [""] * (2 + len(shown) + bool(truths))
    table.add_row("together", *empty, epsilon_text(plan.epsilon_total), style="bold")
    return table


def _narrow_results(answers: Sequence[Answer], plan: Plan, truths: Truths) -> RenderableType:
    heads = [Text(head) for head in ("group", "estimate", "released", "95 % interval")]
    if adjusts(answers):
        heads.append(Text(ADJUSTED))
    if truths:
        heads.append(Text("plain answer*"))
    sections = [
        Section(
            plain_text(answer.question, "bold"),
            Text(f"ε {epsilon_text(plan.question(answer.question).epsilon)}"),
            tuple(_rows(answer, plan, truths, adjusts(answers), TRUTH_STYLE)),
        )
        for answer in answers
    ]
    together = f"together ε {epsilon_text(plan.epsilon_total)} at {_at(plan)}"
    parts: list[RenderableType] = [Text(""), Sections(heads, sections), Text(together, "bold")]
    if truths:
        parts.append(Text(f"* {LABEL}", TRUTH_STYLE))
    return Group(*parts)


def _at(plan: Plan) -> str:
    return f"δ {small_text(plan.delta)}"


def _rows(
    answer: Answer, plan: Plan, truths: Truths, adjusted: bool, style: str = ""
) -> Iterator[tuple[Text, ...]]:
    """Group, estimate, released value, interval and, if known, plain answer of every estimate.

    ``adjusted``: whether there is a column of adjusted values.
    """
    counted = rows_text(plan, answer.question)
    for index, cell in enumerate(answer.cells[:CELLS_SHOWN_MAX]):
        group = plain_text(short_cell_text(cell))
        for estimate in cell.estimates:
            name = plain_text(estimate_text(estimate.name, counted))
            row = (group, name, *_numbers(estimate, adjusted))
            known = _true_number(truths, answer.question, index, estimate, style)
            yield (*row, known) if truths else row
            group = Text("")
    hidden = len(answer.cells) - CELLS_SHOWN_MAX
    if hidden > 0:
        rest = Text(f"… {count_text(hidden)} more groups, in results.csv", style="dim")
        yield (rest, *[Text("")] * (3 + adjusted + bool(truths)))


def _numbers(estimate: Estimate, adjusted: bool) -> list[Text]:
    decimals = decimals_for(estimate.noise_sd)
    texts = [value_text(estimate, decimals), interval_text(estimate.low, estimate.high, decimals)]
    if adjusted:
        texts.append(adjusted_text(estimate, decimals))
    return [Text(text) for text in texts]


def _true_number(truths: Truths, question: str, index: int, estimate: Estimate, style: str) -> Text:
    decimals = decimals_for(estimate.noise_sd)
    return Text(number_text(truths.value(question, index, estimate.name), decimals), style)


def budget_table(budgets: Sequence[PartyBudget], parties: Sequence[PartyId]) -> RenderableType:
    """What is left for one unit of each party, as far as it publishes that."""
    if not budgets:
        return Text("No party publishes what is left of its budget.", style="dim")
    table = Table(
        box=SIMPLE_HEAD, title=Text("Privacy budget left", style="bold"), title_justify="left"
    )
    table.add_column("party")
    for head in ("ρ left", "of", "left", "as ε", "at δ"):
        table.add_column(head, justify="right", no_wrap=True)
    published = {budget.party: budget for budget in budgets}
    for party in parties:
        budget = published.get(party)
        if budget is None:
            table.add_row(plain_text(party), *[NOT_AVAILABLE] * 2, "not published")
            continue
        table.add_row(
            plain_text(party),
            rho_left_figure(budget.rho_left),
            rho_left_figure(budget.rho_cap),
            share_left_text(budget.rho_left, budget.rho_cap),
            epsilon_left_text(budget.epsilon_left),
            small_text(budget.delta),
        )
    return table


def plan_table(plan: Plan, verdicts: Sequence[PartyVerdict]) -> RenderableType:
    """The plan before anything is spent: questions with cost and expected error, then verdicts."""
    heads = (
        f"{plan.study.id} · {plan.parties} parties · unit: {unit_text(plan)} · "
        f"holds against {plan.coalition} of {plan.parties} parties pooling what they know"
    )
    parts: list[RenderableType] = [
        plain_text(plan.study.title, "bold"),
        plain_text(heads),
        *_dealer_lines(plan),
        Fitting(_question_table(plan), _narrow_questions(plan)),
        plain_text(COMPOSITION, "dim"),
        *(plain_text(line, "dim") for line in noise_lines(plan)),
        _verdict_table(verdicts),
    ]
    parts.extend(_reason_lines(verdicts))
    parts.append(plain_text(f"plan {plan.digest}", "dim"))
    return Group(*parts)


def _dealer_lines(plan: Plan) -> Iterator[Text]:
    """Who deals, for what, and what that means; nothing without a dealer."""
    dealer = plan.roster.dealer
    if dealer is None:
        return
    yield plain_text(f"dealer: {dealer_text(dealer)}, for {', '.join(dealt_for(plan))}")
    yield plain_text(f"{DEALER_SEES} {DEALER_POOLS} {dealer_losses(plan)}", "dim")
    warning = dealer_warning(plan.roster)
    if warning:
        yield plain_text(warning, "bold yellow")


def _question_table(plan: Plan) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("question", overflow="fold")
    table.add_column("columns used", overflow="fold")
    table.add_column("numbers", justify="right")
    table.add_column("ρ", justify="right", no_wrap=True)
    table.add_column("ε", justify="right", no_wrap=True)
    table.add_column("95 % error expected", justify="right")
    for question in plan.questions:
        table.add_row(
            plain_text(question.name, "bold"),
            plain_text(columns_text(plan, question)),
            count_text(question.size),
            rho_figure(question.rho),
            epsilon_text(question.epsilon),
            plain_text(expected_text(plan, question)),
        )
    table.add_section()
    table.add_row(
        "together",
        f"{len(plan.columns)} columns",
        count_text(plan.size),
        rho_figure(plan.rho_total),
        f"{epsilon_text(plan.epsilon_total)} (δ {small_text(plan.delta)})",
        f"{bytes_text(plan.cost.share_bytes)}, {plan.cost.rounds} rounds",
        style="bold",
    )
    return table


def _narrow_questions(plan: Plan) -> RenderableType:
    heads = [Text(head) for head in ("columns used", "estimate", "95 % error expected")]
    sections = []
    for question in plan.questions:
        figure = f"ρ {rho_figure(question.rho)} · ε {epsilon_text(question.epsilon)}"
        used = plain_text(columns_text(plan, question))
        rows = []
        for name, error in _expected(plan, question):
            rows.append((used, plain_text(name), Text(error)))
            used = Text("")
        sections.append(Section(plain_text(question.name, "bold"), Text(figure), tuple(rows)))
    together = (
        f"together ρ {rho_figure(plan.rho_total)} · ε {epsilon_text(plan.epsilon_total)}"
        f" at {_at(plan)}; {count_text(plan.size)} numbers,"
        f" {bytes_text(plan.cost.share_bytes)}, {plan.cost.rounds} rounds"
    )
    return Group(Text(""), Sections(heads, sections), Text(together, "bold"), Text(""))


def _expected(plan: Plan, question: PlannedQuestion) -> Iterator[tuple[str, str]]:
    counted = rows_text(plan, question.name)
    for error in question.expected_errors:
        width = error.half_width
        text = "not known" if width is None else f"± {significant_text(width, 2)}"
        yield estimate_text(error.estimate, counted), text


def expected_text(plan: Plan, question: PlannedQuestion) -> str:
    """``Rows ± 41; Mean ± 0.02``: half-widths foretold without data."""
    return "; ".join(f"{name} {error}" for name, error in _expected(plan, question))


def _verdict_table(verdicts: Sequence[PartyVerdict]) -> RenderableType:
    if not verdicts:
        return Text("No party was asked.", style="dim")
    table = Table(box=SIMPLE_HEAD)
    table.add_column("party")
    table.add_column("verdict", no_wrap=True)
    table.add_column("budget left (ρ)", justify="right")
    for verdict in verdicts:
        budget = verdict.budget
        left = NOT_AVAILABLE
        if budget is not None:
            left = f"{rho_left_figure(budget.rho_left)} of {rho_left_figure(budget.rho_cap)}"
        word = Text(verdict.decision.value, style=_VERDICT_STYLES[verdict.decision])
        table.add_row(plain_text(verdict.party), word, left)
    said = {verdict.decision for verdict in verdicts}
    meanings = [Text(text) for each, text in _VERDICT_MEANINGS.items() if each in said]
    return Group(table, *meanings)


def _reason_lines(verdicts: Sequence[PartyVerdict]) -> list[Text]:
    lines = []
    for verdict in verdicts:
        for reason in verdict.reasons:
            style = "red" if verdict.decision is Decision.REFUSE else "yellow"
            lines.append(plain_text(f"{verdict.party}: {reason.code} {reason.what}", style))
            if reason.allowed:
                lines.append(plain_text(f"    {reason.allowed}", "dim"))
        if verdict.contact:
            lines.append(plain_text(f"{verdict.party}: ask {verdict.contact}"))
    refused = sum(verdict.decision is Decision.REFUSE for verdict in verdicts)
    if refused:
        refusals = "1 party refuses" if refused == 1 else f"{refused} parties refuse"
        lines.append(
            Text(f"Not runnable: {refusals}. Nothing was computed or spent.", style="bold red")
        )
    return lines
