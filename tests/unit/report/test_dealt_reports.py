"""A study with a dealer, as people read it: plan, report and receipt say who deals, and beware."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from receipts import DEALER, Federation, Run, dealt_study, federation, run_of
from report_words import page_words, printed

from mpc.plan.build import plan_study
from mpc.units import PartyId
from parties.coordinator.agreement import RunAgreement
from parties.report.dealing import DEALER_POOLS, DEALER_SEES, dealer_losses
from parties.report.figures import epsilon_text, rho_figure
from parties.report.html import render_report
from parties.report.plan_document import plan_document
from parties.report.statement import privacy_statement
from parties.report.tables import plan_table
from parties.report.verify import CheckState, ReceiptRefused, verify_receipt

LINEAR = "No dealer and no trusted third party takes part."
SHARED = "The dealer dealing-house is of the same organization as"
HOUSE = "dealing-house (Dealing House Ltd)"


def dealt(members: Federation) -> Run:
    return run_of(members, dealt_study(members.parties))


@pytest.fixture(scope="module")
def colleagues(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    """A federation whose dealer is of a party's organization, in other capitals."""
    return federation(tmp_path_factory.mktemp("shared"), dealer_organization="NORTH Ltd")


def test_plan_says_who_deals_for_what_and_what_that_one_reads(members: Federation) -> None:
    text = printed(plan_table(dealt(members).plan, ()))

    assert f"dealer: {HOUSE}, for median" in text
    assert DEALER_SEES in text
    assert DEALER_POOLS in text
    assert SHARED not in text


def test_plan_as_json_has_the_dealers_keys_and_null_without_one(members: Federation) -> None:
    run = dealt(members)
    document = json.loads(json.dumps(plan_document(run.plan, ())))

    assert document["dealer"] == {
        "id": DEALER,
        "organization": "Dealing House Ltd",
        "fingerprint": members.pins[PartyId(DEALER)],
        "questions": ["median"],
        "noises": [],
        "sees": DEALER_SEES,
        "pools": f"{DEALER_POOLS} {dealer_losses(run.plan)}",
        "shares_organization_with": [],
        "warning": "",
    }


def test_plan_without_a_dealer_speaks_of_none(run: Run) -> None:
    assert plan_document(run.plan, ())["dealer"] is None
    assert "dealer" not in printed(plan_table(run.plan, ()))


def test_plan_warns_where_the_dealers_organization_is_a_partys(colleagues: Federation) -> None:
    run = dealt(colleagues)
    document = plan_document(run.plan, ())["dealer"]

    assert f"{SHARED} north (NORTH Ltd)" in printed(plan_table(run.plan, ()))
    assert isinstance(document, dict)
    assert document["shares_organization_with"] == ["north"]
    assert document["warning"].startswith(f"{SHARED} north (NORTH Ltd)")


def test_statement_of_a_linear_study_rests_on_no_dealer(run: Run) -> None:
    said = privacy_statement(run.plan)

    assert any(LINEAR in line for line in said.trust)
    assert "dealer" not in " ".join((*said.protected, *said.not_protected))


def test_statement_of_a_dealt_study_rests_on_the_dealer_and_on_semi_honest_owners(
    members: Federation,
) -> None:
    said = privacy_statement(dealt(members).plan)
    trust = " ".join(said.trust)

    assert LINEAR not in trust
    assert "even if those deviate" not in trust
    assert "whatever those do" not in trust
    for part in (
        "The questions people, visits, spread, balance are linear",
        f"For median the owners compare secrets. They compute on shares, each of them random to"
        f" whoever has it, with masks from the dealer {HOUSE}.",
        DEALER_SEES,
        DEALER_POOLS,
        "Noise is in what they read: to the dealer ε is 1.452 with 1 party and 2.112 with"
        " 2 parties.",
        "against any 2 parties together with the coordinator, as long as all follow the protocol"
        " and the dealer is not among them",
        "as long as all follow the protocol and the dealer is not among them, since it rests on",
    ):
        assert part in trust
    assert "a dealer that deals wrong randomness, and nobody notices" in " ".join(
        said.not_protected
    )
    assert "It cannot weaken" not in " ".join(said.not_protected)


def test_report_names_the_dealer_with_its_keys(members: Federation) -> None:
    run = dealt(members)
    words = page_words(render_report(run.verified()))

    assert "Dealer Dealing House Ltd (dealing-house)" in words
    assert f"Keys of dealing-house {members.pins[PartyId(DEALER)]}" in words
    assert DEALER_SEES in words
    assert "for each owner and for the dealer a line" in words
    assert SHARED not in words


def test_report_without_a_dealer_has_no_place_for_one(run: Run) -> None:
    words = page_words(render_report(run.verified()))

    assert LINEAR in words
    assert words.lower().count("dealer") == 1


def test_receipt_and_report_warn_where_the_dealers_organization_is_a_partys(
    colleagues: Federation,
) -> None:
    run = dealt(colleagues)
    verified = run.verified()
    unpinned = verify_receipt(run.receipt(), None)

    (warning,) = verified.warnings
    assert warning.startswith(f"{SHARED} north (NORTH Ltd)")
    assert unpinned.warnings[1:] == (warning,)
    assert warning in page_words(render_report(verified))


def test_receipt_says_whose_keys_were_compared_the_dealers_too(members: Federation) -> None:
    run = dealt(members)
    verified = run.verified()
    (check,) = [each for each in verified.checks if each.name == "roster"]

    assert verified.warnings == ()
    assert check.state is CheckState.PASSED
    assert check.detail.startswith("all 3 parties and the dealer and the coordinator have")


def test_receipt_whose_dealer_is_not_in_the_roster_file_is_refused(
    members: Federation,
) -> None:
    pins = {name: pin for name, pin in members.pins.items() if name != DEALER}
    with pytest.raises(ReceiptRefused) as refused:
        verify_receipt(dealt(members).receipt(), pins)

    (failure,) = refused.value.failures
    assert (failure.name, failure.detail) == ("roster", "dealing-house: not in the roster file")


def test_receipt_of_another_dealer_than_the_pinned_one_is_refused(members: Federation) -> None:
    pins = {**members.pins, PartyId(DEALER): "sha256:" + "00" * 32}
    with pytest.raises(ReceiptRefused, match="dealing-house: its certificates have the fingerp"):
        verify_receipt(dealt(members).receipt(), pins)


def test_receipt_without_the_dealers_hello_is_refused(members: Federation) -> None:
    run = dealt(members)
    without = replace(run, hellos=(*run.hellos[:3], run.hellos[4]))
    with pytest.raises(ReceiptRefused, match="handshake"):
        without.verified()


def test_run_of_sixteen_parties_and_a_dealer_is_kept_as_agreed_and_verified(tmp_path: Path) -> None:
    run = dealt(federation(tmp_path, [f"p-{i}" for i in range(16)]))
    agreement = RunAgreement(run.plan, run.approvals, run.hellos)

    assert len(agreement.hellos) == 18
    assert RunAgreement.from_bytes(agreement.to_bytes()) == agreement
    assert list(run.verified().released) == run.totals


def test_plan_with_another_dealer_than_the_receipts_is_another_plan(
    members: Federation, colleagues: Federation
) -> None:
    planned = dealt(members).plan
    assert planned.roster.dealer is not None
    other = colleagues.identities[DEALER].member
    swapped = type(planned.roster)((*members.roster.parties, other, members.office.member))

    assert plan_study(planned.study, swapped).digest != planned.digest


def test_coalitions_with_the_dealer_stand_in_the_report_and_are_not_promised(
    members: Federation,
) -> None:
    run = dealt(members)
    words = page_words(render_report(run.verified()))
    with_dealer = [loss for loss in run.plan.coalitions if loss.dealer]

    assert [loss.parties for loss in with_dealer] == [1, 2]
    for loss, who in zip(
        with_dealer, ("any 1 owner", "any 2 owners (all the others)"), strict=True
    ):
        figures = f"{rho_figure(loss.rho)} {epsilon_text(loss.epsilon)} no"
        assert f"{who}, with the dealer {figures}" in words


def test_report_says_what_a_quantile_is_and_what_is_compared_for_it(members: Federation) -> None:
    words = page_words(render_report(dealt(members).verified()))

    assert "Median of visits, by sex" in words
    assert "Each of 7 search steps" in words
    assert (
        "Search steps get their noise before they are compared, on shares, and are not released."
        in words
    )
