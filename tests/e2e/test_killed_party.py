"""A party that is killed: survivors stop and name it; budgets move once or not at all."""

from __future__ import annotations

import pytest
from crash_points import Fate, Point
from federation import STOPPED_S, Consortium

from mpc.errors import ParleyError
from mpc.ports import ChargeState
from parties.coordinator.state import RunState


def test_worker_killed_before_ready_ends_the_study_naming_its_party(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    consortium.crash("bravo", Point.RESERVED, Fate.WORKER_KILLED)
    with pytest.raises(ParleyError, match="bravo"):
        consortium.run(plan)
    assert consortium.crashed("bravo")
    assert consortium.since_crash_s("bravo") < STOPPED_S
    for party, states in consortium.charges(plan).items():
        assert set(states) <= {ChargeState.RELEASED}, party
    after = consortium.ledgers()
    for party in consortium.parties:
        assert after[party].balance == before[party].balance
        assert consortium.runs_under_way(party) == 0
    assert consortium.record(plan).state is RunState.FAILED
