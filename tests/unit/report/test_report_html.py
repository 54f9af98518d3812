"""report.html: self-contained, escaped, complete, and only from a verified receipt."""

from __future__ import annotations

import base64
import hashlib
import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from receipts import Federation, Run, run_of, study

from mpc.columns.model import CategoryColumn, IdColumn
from mpc.outcome import decode_totals
from mpc.questions.count.declare import Count
from mpc.study.model import FirstBy, Lead, PersonUnit, Privacy, RowUnit, Table
from mpc.units import Adjacency, PartyId, RhoPico
from parties.report.figures import number_text
from parties.report.html import render_report
from parties.report.standing import PartyBudget
from parties.report.truths import LABEL
from parties.report.verify import Verification, verify_receipt

EVIL = "<script>alert(1)</script><img src=x onerror=y>\"'&{{ 7*7 }}"
VOID = {"meta", "br", "link", "img", "input", "hr"}
SVG_LEAVES = {"rect", "line", "circle"}


class Page(HTMLParser):
    """Tags in order, attributes, and whether every tag is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page(verified: Verification) -> Page:
    budget = PartyBudget(
        PartyId("north"), RhoPico(10**12), RhoPico(75 * 10**10), Decimal("0.000001")
    )
    return Page(render_report(verified, budgets=(budget,)))


def test_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.tags:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src", "xlink:href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith("#")


def test_policy_allows_the_one_style_sheet_by_hash_and_nothing_else(
    verified: Verification, page: Page
) -> None:
    text = render_report(verified)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert len(page.all("style")) == 1


def test_page_links_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.all("a"):
        assert (attributes["href"] or "").removeprefix("#") in ids
    for _, attributes in page.tags:
        for reference in (attributes.get("aria-labelledby") or "").split():
            assert reference in ids


def test_every_released_number_stands_in_a_table_beside_its_chart(
    verified: Verification, page: Page
) -> None:
    assert len([a for a in page.all("svg") if a.get("role") == "img"]) == len(verified.answers)
    for answer in verified.answers:
        for cell in answer.cells:
            for estimate in cell.estimates:
                if estimate.name == "count":
                    assert number_text(estimate.value, 0) in page.words


def test_page_says_who_agreed_what_it_cost_and_how_to_check_it(
    verified: Verification, page: Page
) -> None:
    plan = verified.plan
    expected = [plan.study.title, plan.study.purpose, plan.study.lead.email, plan.digest,
                verified.receipt_digest, verified.run, verified.session.hex(),
                "parley verify receipt.json --roster owners.json", "visits >= 1",
                "75 %"]  # fmt: skip
    expected += [member.fingerprint for member in plan.roster]
    expected += [share.commitment_text for share in verified.shares]
    expected += [f"{check.name}: {check.detail}" for check in verified.checks]
    for text in expected:
        assert text in page.words


def test_privacy_is_stated_in_plain_words(page: Page) -> None:
    for sentence in (
        "The unit is one row, not one person.",
        "Nobody tracks what one person loses through the studies of different owners.",
        "The study is linear",
        "any 2 parties together with the coordinator, even if those deviate",
        "one in 1,000,000",
        "a factor of at most 2.72",
    ):
        assert sentence in page.words


def test_statement_of_a_study_of_persons_says_whose_rows_count(members: Federation) -> None:
    asked = study()
    unit = PersonUnit(
        kind="person", column="card", rows_max=3, group_rows_max=1, across_parties=False,
        keep=FirstBy(first_by="visits"),
    )  # fmt: skip
    columns = {**asked.table.columns, "card": IdColumn(type="id")}
    for across in (False, True):
        said = unit.model_copy(update={"across_parties": across})
        table = asked.table.model_copy(update={"unit": said, "columns": columns})
        words = Page(render_report(run_of(members, study(table=table)).verified())).words
        assert "not one person" not in words
        assert "The unit is one person, as column card of each owner’s table says." in words
        assert "1 of them in one group of a question, the first by visits" in words
        assert "Who has several ids in column card" in words
        assert ("all rows of one person at all owners together" in words) == across
        assert ("nobody has rows at several owners, which no one checked" in words) != across
        assert "says whose row it is" in words


def test_statement_follows_adjacency_unit_and_coalition(members: Federation) -> None:
    privacy = Privacy(
        epsilon=Decimal(2), delta=Decimal("0.00001"), adjacency=Adjacency.REPLACE_ONE, coalition=1
    )
    asked = study(privacy=privacy)
    table = asked.table.model_copy(update={"unit": RowUnit(kind="row", rows_max=4)})
    words = Page(
        render_report(run_of(members, study(privacy=privacy, table=table)).verified())
    ).words
    assert "Had one unit with at most 4 rows held any other values" in words
    assert "even if one other party pools all they know" in words
    assert "It does not hold if more than 1 pool what they know" in words
    assert "any 2 of them would do alone" in words


def test_text_from_outside_is_escaped_everywhere(members: Federation) -> None:
    table = Table(
        name="stays",
        unit=RowUnit(kind="row"),
        columns={"group": CategoryColumn(type="category", levels=(EVIL, "[red]b[/red]"))},
    )
    asked = study(
        title=f"T {EVIL}",
        table=table,
        lead=Lead(name=EVIL, organization=EVIL, email=EVIL),
        questions={"people": Count(kind="count", by=("group",))},
    )
    run = run_of(members, asked)
    page = Page(render_report(run.verified(), truth=decode_totals(run.plan, run.totals)))
    assert not page.all("script")
    assert not page.all("img")
    assert page.words.count(EVIL) >= 6
    assert "[red]b[/red]" in page.words


def test_truth_is_labelled_and_absent_without_simulation(run: Run, verified: Verification) -> None:
    without = render_report(verified)
    assert LABEL not in without
    assert "lain answer" not in without
    assert 'class="truth"' not in without
    page = Page(render_report(verified, truth=decode_totals(run.plan, run.totals)))
    assert page.words.count(LABEL) > len(verified.answers)
    assert "In a real study nobody does" in page.words


def test_page_without_pins_says_that_trust_is_not_established(run: Run) -> None:
    page = Page(render_report(verify_receipt(run.receipt(), None)))
    assert "Trust in the keys is not established" in page.words


def test_cells_without_a_value_say_why(members: Federation) -> None:
    plain = run_of(members)
    totals = list(plain.totals)
    visits = plain.plan.question("visits")
    totals[visits.offset] = -3
    run = run_of(members, totals=totals)
    page = Page(render_report(run.verified()))
    assert "the noisy count is 0 or less" in page.words


def test_owners_that_publish_no_budget_are_listed_as_such(
    verified: Verification, page: Page
) -> None:
    assert page.words.count("not published") == len(verified.plan.roster.parties) - 1
    assert "Budget left" not in render_report(verified)  # nobody was asked


def test_sampling_is_explained_only_where_such_an_interval_is_printed(
    members: Federation, page: Page
) -> None:
    assert "with sampling" in page.words
    counts = study(questions={"people": Count(kind="count")})
    assert "with sampling" not in Page(render_report(run_of(members, counts).verified())).words


def test_counts_of_rows_with_a_column_are_told_from_rows_of_the_study(page: Page) -> None:
    assert "Rows with visits" in page.words
    assert "missing: left out of the questions that use this column" in page.words


def test_approval_by_policy_is_explained_and_pins_have_an_owner(page: Page) -> None:
    assert "“policy” means that the rules" in page.words
    assert "keys pinned in" in page.words
