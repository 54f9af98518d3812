"""What is charged again and what is not; and studies that run at once."""

from __future__ import annotations

from crash_points import Fate, Point
from federation import Consortium, study_of

from mpc.ports import ChargeState
from mpc.session.share import ReleasedShare
from parties.coordinator.state import RunState
from parties.node.desk import VERSION

COMMITTED = (ChargeState.COMMITTED,)


def test_unchanged_study_returns_the_stored_receipt_and_is_not_charged(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    first = consortium.run(plan)
    paid = consortium.ledgers()
    again = consortium.run(plan)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.receipt == first.receipt
    assert consortium.ledgers() == paid
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_study_changed_in_one_word_is_charged_as_a_new_one(consortium: Consortium) -> None:
    plan = consortium.plan()
    consortium.run(plan)
    changed = consortium.office.plan(plan.study.model_copy(update={"title": "Other ages"}))
    finished = consortium.run(changed)
    assert finished.repeated is False
    for each in (plan, changed):
        assert consortium.charges(each) == dict.fromkeys(consortium.parties, COMMITTED)


def test_new_version_of_one_partys_data_is_charged_and_the_old_one_no_longer_answers(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.run(plan)
    consortium.replace_data("bravo", shift=5)
    assert consortium.announced("bravo") == plan.study.parties["bravo"].version + 1
    paid = consortium.ledgers()
    verdicts = {str(each.party): each for each in consortium.office.verdicts(plan)}
    assert [reason.code for reason in verdicts["bravo"].reasons] == [VERSION]
    assert consortium.ledgers() == paid
    entries = {party: entry.model_copy() for party, entry in plan.study.parties.items()}
    entries["bravo"] = entries["bravo"].model_copy(
        update={"version": consortium.announced("bravo")}
    )
    renewed = consortium.office.plan(plan.study.model_copy(update={"parties": entries}))
    assert consortium.run(renewed).repeated is False
    assert consortium.charges(renewed) == dict.fromkeys(consortium.parties, COMMITTED)


def test_coordinator_that_lost_its_receipt_gets_a_new_run_at_a_new_price(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.run(plan)
    run = consortium.record(plan).run
    consortium.forget_receipts(plan)
    finished = consortium.run(plan)
    again = consortium.record(plan).run
    assert finished.repeated is False
    assert again != run
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED * 2)
    for party in consortium.parties:
        first, second = consortium.outbox(party, run), consortium.outbox(party, again)
        assert first is not None
        assert second is not None
        assert ReleasedShare.from_bytes(first).masked != ReleasedShare.from_bytes(second).masked


def test_two_studies_at_once_on_the_same_nodes_are_independent(consortium: Consortium) -> None:
    one, two = consortium.plan(), consortium.plan("1")
    before = consortium.ledgers()
    running = [consortium.run_beside(plan) for plan in (one, two)]
    finished = [each.result(60) for each in running]
    assert [each.verified.plan.digest for each in finished] == [one.digest, two.digest]
    assert len({each.verified.session for each in finished}) == 2
    after = consortium.ledgers()
    for plan in (one, two):
        assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)
        assert consortium.record(plan).state is RunState.RELEASED
    for party in consortium.parties:
        spent = after[party].balance.rho_spent - before[party].balance.rho_spent
        assert spent == one.rho_total + two.rho_total


def test_study_that_waits_does_not_hold_up_one_beside_it(consortium: Consortium) -> None:
    held, other = consortium.plan(), consortium.plan()
    consortium.crash("bravo", Point.RESERVED, Fate.HELD)
    running = consortium.run_beside(held)
    consortium.wait_crashed("bravo")
    assert consortium.run(other).repeated is False
    consortium.let_go("bravo")
    assert running.result(60).verified.plan.digest == held.digest
    for plan in (held, other):
        assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_versions_named_in_a_study_are_the_announced_ones(consortium: Consortium) -> None:
    versions = {party: consortium.announced(party) for party in consortium.parties}
    plan = consortium.office.plan(study_of({**versions, "alpha": versions["alpha"] + 1}))
    before = consortium.ledgers()
    verdicts = {str(each.party): each for each in consortium.office.verdicts(plan)}
    assert [reason.code for reason in verdicts["alpha"].reasons] == [VERSION]
    assert consortium.ledgers() == before
