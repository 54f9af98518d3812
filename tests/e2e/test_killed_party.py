"""A party that is killed: the others stop and name it, and every budget moves once or not at all.

Whoever died comes back with what was durable and nothing else: a share that was committed, byte for
byte, or a reservation that is released. Noise is never drawn again for it. A worker that ends in
between keeps its charge while it reads rows: what rows do to a worker must not be free.
"""

from __future__ import annotations

import pytest
from by_hand import ByHand
from crash_points import ROWS_WORDS, Fate, Point
from federation import STOPPED_S, Consortium

from mpc.errors import EngineFailed, ParleyError, PeerError, StudyAborted
from mpc.ports import ChargeState
from mpc.session.share import ReleasedShare
from parties.coordinator import driving
from parties.coordinator.state import Charged, RunState

COMMITTED = (ChargeState.COMMITTED,)
RELEASED = (ChargeState.RELEASED,)
FORFEITED = (ChargeState.FORFEITED,)


def test_worker_killed_before_it_reads_rows_ends_the_study_and_nobody_pays(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.HELLO, Fate.WORKER_KILLED)
    with pytest.raises(ParleyError, match="bravo"):
        consortium.run(plan)
    assert consortium.crashed("bravo")
    assert consortium.since_crash_s("bravo") < STOPPED_S
    for party in consortium.parties:
        assert set(consortium.charges(plan)[party]) <= {ChargeState.RELEASED}
        assert consortium.ledgers()[party].balance == before[party].balance
        assert consortium.runs_under_way(party) == 0
    assert consortium.record(plan).charged is Charged.NO


def test_party_lost_while_the_study_runs_is_told_apart_and_what_it_cost_is_known_on_its_return(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.PARTY_KILLED)
    with pytest.raises(PeerError) as raised:
        consortium.run(plan)
    assert consortium.since_crash_s("bravo") < STOPPED_S
    record, said = consortium.record(plan), raised.value
    run = record.run[:12]
    assert said.message.startswith("bravo: was lost while the study ran: ")
    assert f"run {run} has no result: whether it was charged is unknown until bravo" in said.message
    assert said.hint.startswith(f"parley status {run} asks again; approvals are used")
    assert (record.state, record.charged) == (RunState.FAILED, Charged.UNKNOWN)
    consortium.restart("bravo")
    config = consortium.federation.coordinator_config
    shown = consortium.command("status", record.run, "--config", config).stdout
    (line,) = [line.split() for line in shown.splitlines() if plan.study.id in line]
    assert (line[0], line[2], line[-1]) == (run, "failed", "yes")
    assert consortium.charges(plan) == {"alpha": RELEASED, "bravo": FORFEITED, "charlie": RELEASED}
    after = consortium.ledgers()
    for survivor in ("alpha", "charlie"):
        assert after[survivor].balance == before[survivor].balance


def test_worker_killed_over_its_rows_keeps_its_own_charge_and_nobody_else_pays(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.WORKER_KILLED)
    with pytest.raises(EngineFailed, match="bravo: its worker ended without a word") as raised:
        consortium.run(plan)
    assert raised.value.message.endswith("has no result: charged at bravo")
    assert consortium.record(plan).charged is Charged.YES
    assert consortium.since_crash_s("bravo") < STOPPED_S
    assert consortium.charges(plan) == {"alpha": RELEASED, "bravo": FORFEITED, "charlie": RELEASED}
    after = consortium.ledgers()
    assert after["bravo"].balance.rho_left < before["bravo"].balance.rho_left
    for survivor in ("alpha", "charlie"):
        assert after[survivor].balance == before[survivor].balance
    assert [consortium.runs_under_way(party) for party in consortium.parties] == [0, 0, 0]


def test_worker_with_an_unexpected_error_pays_before_anybody_hears_of_it(
    consortium: Consortium,
) -> None:
    """Whoever hears that it failed may call the run off at once, and gets nothing back."""
    plan = consortium.plan()
    consortium.crash("bravo", Point.RESERVED, Fate.WORKER_RAISES)
    with ByHand(consortium) as hand:
        run = hand.connected(plan)
        assert hand.watched("alpha", run).party == "bravo"
        hand.clients["bravo"].cancel(run, "called off")
        problem = hand.watched("bravo", run)
    assert problem.code in ("PLY-X000", StudyAborted.code)
    assert consortium.charges(plan) == {"alpha": RELEASED, "bravo": FORFEITED, "charlie": RELEASED}
    log = consortium.log("bravo")
    assert ROWS_WORDS not in log + problem.message


def test_survivors_name_the_dead_party_by_themselves_within_ten_seconds(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.RESERVED, Fate.PARTY_KILLED)
    with ByHand(consortium) as hand:
        run = hand.connected(plan)
        for survivor in ("alpha", "charlie"):
            problem = hand.watched(survivor, run)
            assert problem.code == PeerError.code
            assert problem.party == "bravo", problem
        assert consortium.since_crash_s("bravo") < STOPPED_S
    charges = consortium.charges(plan)
    assert charges["alpha"] == charges["charlie"] == RELEASED
    # The dead party still holds its reservation; its next life pays it: rows may be why it died.
    assert charges["bravo"] == (ChargeState.RESERVED,)
    consortium.restart("bravo")
    assert consortium.charges(plan)["bravo"] == FORFEITED
    assert consortium.outbox("bravo", run) is None


def test_worker_killed_when_all_are_ready_leaves_no_result_and_no_second_charge(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMIT, Fate.WORKER_KILLED)
    with pytest.raises(ParleyError, match="bravo"):
        consortium.run(plan)
    assert consortium.since_crash_s("bravo") < STOPPED_S
    record = consortium.record(plan)
    assert (record.state, record.receipt) == (RunState.FAILED, None)
    charges = consortium.charges(plan)
    assert charges["bravo"] == RELEASED  # all its rows were read by then
    assert consortium.outbox("bravo", record.run) is None
    for survivor in ("alpha", "charlie"):  # READY of all: each commits, or learns of it first
        assert charges[survivor] in (COMMITTED, RELEASED)


def test_worker_killed_after_its_commit_does_not_stop_the_study(consortium: Consortium) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMITTED, Fate.WORKER_KILLED)
    finished = consortium.run(plan)
    assert consortium.crashed("bravo")
    run = consortium.record(plan).run
    assert finished.verified.run == run
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)
    for share in finished.verified.shares:
        assert share.to_bytes() == consortium.outbox(share.party, run)


def test_party_killed_before_approval_is_named_and_nothing_begins(consortium: Consortium) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.kill("bravo")
    with pytest.raises(PeerError, match="bravo: cannot be reached"):
        consortium.run(plan)
    assert consortium.ledgers() == before
    assert consortium.office.state.runs(plan.digest) == ()
    assert consortium.runs_under_way("alpha") == consortium.runs_under_way("charlie") == 0


def test_party_killed_between_approval_and_start_must_approve_again(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
    consortium.kill("bravo")
    consortium.restart("bravo")
    with ByHand(consortium) as hand:
        with pytest.raises(ParleyError, match=r"bravo: .*approved no such plan since it started"):
            hand.start("bravo", plan.digest, approvals)
        assert consortium.ledgers() == before
    assert consortium.run(plan).repeated is False
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_party_killed_when_all_are_ready_says_on_its_return_that_it_never_committed(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMIT, Fate.PARTY_KILLED)
    running = consortium.run_beside(plan)
    consortium.wait_crashed("bravo")
    consortium.restart("bravo")
    with pytest.raises(ParleyError, match="bravo"):
        running.result(driving.COLLECT_S)
    record = consortium.record(plan)
    assert (record.state, record.receipt) == (RunState.FAILED, None)
    assert consortium.charges(plan)["bravo"] == RELEASED
    for survivor in ("alpha", "charlie"):
        assert consortium.charges(plan)[survivor] in (COMMITTED, RELEASED)


def test_party_killed_after_its_commit_sends_the_same_bytes_on_its_return(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMITTED, Fate.PARTY_KILLED)
    running = consortium.run_beside(plan)
    consortium.wait_crashed("bravo")
    run = consortium.record(plan).run
    committed = consortium.outbox("bravo", run)
    assert committed is not None
    consortium.restart("bravo")
    finished = running.result(driving.COLLECT_S)
    sent = {str(share.party): share.to_bytes() for share in finished.verified.shares}
    assert sent["bravo"] == committed
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)
    assert consortium.record(plan).state is RunState.RELEASED


def test_party_that_stays_away_after_its_commit_leaves_the_study_open_until_it_is_back(
    consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "COLLECT_S", 0.5)
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMITTED, Fate.PARTY_KILLED)
    with pytest.raises(StudyAborted, match=r"bravo.*alpha, charlie committed already"):
        consortium.run(plan)
    assert consortium.since_crash_s("bravo") < STOPPED_S
    open_record = consortium.record(plan)
    assert open_record.state is RunState.STARTED
    before = consortium.ledgers()
    consortium.restart("bravo")
    settled = consortium.office.settle(open_record)
    assert settled.state is RunState.RELEASED
    assert settled.receipt is not None
    assert consortium.office.verify(settled.receipt).run == settled.run
    assert consortium.ledgers() == before


def test_party_killed_after_sending_serves_the_same_bytes_and_a_new_run_new_ones(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.run(plan)
    run, paid = consortium.record(plan).run, consortium.ledgers()
    consortium.kill("bravo")
    consortium.restart("bravo")
    with consortium.client("bravo") as client:
        share = client.collect(run).share
    assert share == consortium.outbox("bravo", run)
    assert consortium.run(plan).repeated
    assert consortium.ledgers() == paid

    consortium.forget_receipts(plan)
    assert consortium.run(plan).repeated is False
    again = consortium.record(plan).run
    assert again != run
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED * 2)
    for party in consortium.parties:
        first, second = consortium.outbox(party, run), consortium.outbox(party, again)
        assert first is not None
        assert second is not None
        assert ReleasedShare.from_bytes(first).masked != ReleasedShare.from_bytes(second).masked
