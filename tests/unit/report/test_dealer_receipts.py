"""Receipts of studies with a dealer: it is in the roster, says a Hello, and has to be pinned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from dealt_visits import histograms_need_a_dealer
from receipts import DEALER, Run, federation, questions, run_of, study

from mpc.questions.histogram.declare import Histogram
from mpc.units import PartyId
from parties.coordinator.agreement import RunAgreement
from parties.report.verify import ReceiptRefused, verify_receipt

PIN = "sha256:" + "00" * 32


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    members = federation(tmp_path_factory.mktemp("dealt"), dealers=(DEALER,))
    edges = (Decimal(0), Decimal(10), Decimal(77))
    bands = Histogram(kind="histogram", column="visits", bins=edges)
    with histograms_need_a_dealer():
        asked = study(members.parties, dealer=DEALER, questions={**questions(), "bands": bands})
        yield run_of(members, asked)


def refusal(run: Run, pins: dict[PartyId, str]) -> str:
    with pytest.raises(ReceiptRefused) as refused:
        verify_receipt(run.receipt(), pins)
    (failure,) = refused.value.failures
    assert failure.name == "roster"
    return failure.detail


def test_receipt_with_a_dealer_holds_and_names_it_among_the_pinned(run: Run) -> None:
    verified = run.verified()
    assert list(verified.released) == run.totals
    assert [share.party for share in verified.shares] == list(run.members.parties)
    found = {check.name: check.detail for check in verified.checks}
    assert "the dealer dealing-house and the coordinator have the keys" in found["roster"]
    assert found["certificates"].startswith("those of 5 participants")


def test_receipt_whose_dealer_is_not_in_the_roster_file_is_refused(run: Run) -> None:
    pins = {member: pin for member, pin in run.members.pins.items() if member != DEALER}
    assert refusal(run, pins) == "dealing-house: not in the roster file"


def test_receipt_of_another_dealer_than_the_pinned_one_is_refused(run: Run) -> None:
    told = refusal(run, {**run.members.pins, PartyId(DEALER): PIN})
    assert told.startswith("dealing-house: its certificates have the fingerprint sha256:")


def test_receipt_without_the_dealers_hello_is_refused(run: Run) -> None:
    without = replace(run, hellos=(*run.hellos[:3], run.hellos[4]))
    with pytest.raises(ReceiptRefused, match="handshake"):
        without.verified()


def test_what_a_run_was_agreed_on_is_kept_with_the_dealers_hello(run: Run) -> None:
    agreement = RunAgreement(run.plan, run.approvals, run.hellos)
    kept = RunAgreement.from_bytes(agreement.to_bytes())
    assert kept == agreement
    assert kept.plan.roster.dealer == run.members.identities[DEALER].member


def test_run_of_sixteen_parties_and_a_dealer_is_kept_and_verified(tmp_path: Path) -> None:
    members = federation(tmp_path, [f"p-{i}" for i in range(16)], dealers=(DEALER,))
    bands = Histogram(kind="histogram", column="sex")
    with histograms_need_a_dealer():
        run = run_of(members, study(members.parties, dealer=DEALER, questions={"bands": bands}))
        agreement = RunAgreement(run.plan, run.approvals, run.hellos)
        assert len(agreement.hellos) == 18
        assert RunAgreement.from_bytes(agreement.to_bytes()) == agreement
        assert list(run.verified().released) == run.totals
