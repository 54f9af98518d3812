"""A party that is frozen (SIGSTOP): it keeps its connections and answers nothing.

Within ten seconds everybody else knows, and says who; nobody waits for it. What it had committed is
still there when it goes on.
"""

from __future__ import annotations

import signal
import time

import pytest
from by_hand import ByHand
from crash_points import Fate, Point
from federation import STOPPED_S, Consortium, wait_until

from mpc.errors import EngineFailed, ParleyError, PeerError
from mpc.ports import ChargeState
from parties.coordinator import driving
from parties.coordinator.state import RunState

COMMITTED = (ChargeState.COMMITTED,)
RELEASED = (ChargeState.RELEASED,)
FORFEITED = (ChargeState.FORFEITED,)


def test_worker_frozen_over_its_rows_is_named_within_ten_seconds_and_nobody_else_pays(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.WORKER_FROZEN)
    with pytest.raises(EngineFailed, match="bravo: its worker is frozen"):
        consortium.run(plan)
    assert consortium.since_crash_s("bravo") < STOPPED_S
    assert consortium.charges(plan) == {"alpha": RELEASED, "bravo": FORFEITED, "charlie": RELEASED}
    for survivor in ("alpha", "charlie"):
        assert consortium.ledgers()[survivor].balance == before[survivor].balance
    assert [consortium.runs_under_way(party) for party in consortium.parties] == [0, 0, 0]


def test_worker_frozen_when_all_are_ready_is_ended_by_its_own_node(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMIT, Fate.WORKER_FROZEN)
    with pytest.raises(EngineFailed, match="bravo: its worker is frozen"):
        consortium.run(plan)
    assert consortium.since_crash_s("bravo") < STOPPED_S
    record = consortium.record(plan)
    assert (record.state, record.receipt) == (RunState.FAILED, None)
    assert consortium.charges(plan)["bravo"] == RELEASED  # its rows were read
    assert consortium.outbox("bravo", record.run) is None
    for survivor in ("alpha", "charlie"):  # bravo may freeze before its READY is on the wire
        assert consortium.charges(plan)[survivor] in (COMMITTED, RELEASED)


def test_party_frozen_before_ready_is_named_by_the_others_and_releases_once_it_goes_on(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.PARTY_FROZEN)
    with ByHand(consortium) as hand:
        run = hand.connected(plan)
        for survivor in ("alpha", "charlie"):
            problem = hand.watched(survivor, run)
            assert (problem.code, problem.party) == (PeerError.code, "bravo"), problem
        assert consortium.since_crash_s("bravo") < STOPPED_S
        charges = consortium.charges(plan)
        assert charges["alpha"] == charges["charlie"] == RELEASED
        assert charges["bravo"] == (ChargeState.RESERVED,)
        consortium.signal("bravo", signal.SIGCONT)
        consortium.wake_worker("bravo")
        wait_until(
            lambda: consortium.charges(plan)["bravo"] == RELEASED, STOPPED_S, "bravo released"
        )
    for party in consortium.parties:
        assert consortium.ledgers()[party].balance == before[party].balance


def test_node_frozen_after_its_commit_is_waited_for_and_its_share_completes_the_study(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    consortium.crash("bravo", Point.COMMITTED, Fate.NODE_FROZEN)
    running = consortium.run_beside(plan)
    consortium.wait_crashed("bravo")
    time.sleep(8)  # by now its connections count as lost
    assert not running.done()
    consortium.signal("bravo", signal.SIGCONT)
    finished = running.result(driving.COLLECT_S)
    run = consortium.record(plan).run
    sent = {str(share.party): share.to_bytes() for share in finished.verified.shares}
    assert sent["bravo"] == consortium.outbox("bravo", run)
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_node_frozen_before_approval_is_named_within_ten_seconds_and_nothing_begins(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.signal("bravo", signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(ParleyError, match="bravo"):
        consortium.run(plan)
    assert time.monotonic() - began < STOPPED_S
    assert consortium.ledgers() == before
    assert consortium.office.state.runs(plan.digest) == ()
