"""A party whose answer is no approval or no share: the coordinator names it and says who paid.

The parties are honest processes; what one of them answers is changed on its way to the coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from federation import Consortium

from mpc.errors import IntegrityError, NotCommitted, StorageError
from mpc.ports import ChargeState
from mpc.units import RunId
from parties.coordinator import driving
from parties.coordinator.client import PartyClient
from parties.coordinator.state import Charged, RunState
from protos import control_pb2 as wire

COMMITTED = (ChargeState.COMMITTED,)
Answer = Callable[[wire.Collected], wire.Collected]


@contextmanager
def bravo_answers(change: Answer) -> Iterator[None]:
    """What bravo committed reaches the coordinator as ``change`` makes it."""
    collect = PartyClient.collect

    def changed(client: PartyClient, run: RunId) -> wire.Collected:
        reply = collect(client, run)
        return change(reply) if client.peer.id == "bravo" else reply

    with patch.object(PartyClient, "collect", changed):
        yield


def no_share(_reply: wire.Collected) -> wire.Collected:
    return wire.Collected(share=b"no share")


def short_share(reply: wire.Collected) -> wire.Collected:
    return wire.Collected(share=reply.share[:-1])


def denial(_reply: wire.Collected) -> wire.Collected:
    raise NotCommitted("nothing was committed here for this run", party="bravo")


def broken_disk(_reply: wire.Collected) -> wire.Collected:
    raise StorageError("ledger.db: the database failed", party="bravo")


@pytest.mark.parametrize("change", [no_share, short_share])
def test_share_that_is_none_names_its_party_and_who_paid_and_is_taken_once_it_is_right(
    consortium: Consortium, change: Answer
) -> None:
    plan = consortium.plan()
    with bravo_answers(change), pytest.raises(IntegrityError) as raised:
        consortium.run(plan)
    record = consortium.record(plan)
    run = record.run[:12]
    assert raised.value.party == "bravo"
    assert raised.value.message.startswith("bravo: ")
    assert f"run {run} is open: charged at alpha, bravo, charlie" in raised.value.message
    assert f"parley status {run} completes the study" in raised.value.hint
    assert (record.state, record.charged) == (RunState.STARTED, Charged.YES)
    assert record.problem.startswith("bravo: ")
    paid = consortium.ledgers()
    settled = consortium.office.settle(record)
    assert settled.state is RunState.RELEASED
    assert settled.receipt is not None
    assert consortium.ledgers() == paid
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_party_that_takes_its_commit_back_ends_the_run_and_the_others_have_paid(
    consortium: Consortium,
) -> None:
    plan = consortium.plan()
    with bravo_answers(denial), pytest.raises(NotCommitted) as raised:
        consortium.run(plan)
    record = consortium.record(plan)
    said = raised.value.message
    assert said.startswith("bravo: nothing was committed here")
    assert f"run {record.run[:12]} has no result: charged at alpha, charlie" in said
    assert (record.state, record.charged) == (RunState.FAILED, Charged.YES)


def test_party_that_cannot_read_its_share_leaves_the_run_open_and_says_who_paid(
    consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "COLLECT_S", 0.5)
    plan = consortium.plan()
    with bravo_answers(broken_disk), pytest.raises(StorageError) as raised:
        consortium.run(plan)
    record = consortium.record(plan)
    assert "is open: charged at alpha, charlie" in raised.value.message
    assert "unknown until bravo answers" in raised.value.message
    assert (record.state, record.charged) == (RunState.STARTED, Charged.YES)
    assert consortium.office.settle(record).state is RunState.RELEASED


@pytest.mark.parametrize("of", ["nobody", "alpha"])
def test_approval_that_is_none_names_its_party_and_begins_no_run(
    consortium: Consortium, of: str
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    propose = PartyClient.propose

    def changed(client: PartyClient, proposal: wire.Proposal) -> wire.Judgement:
        if client.peer.id != "bravo":
            return propose(client, proposal)
        with consortium.client("alpha") as alpha:
            approval = b"yes" if of == "nobody" else propose(alpha, proposal).approval
        return wire.Judgement(verdict=wire.Judgement.APPROVED, approval=approval)

    with (
        patch.object(PartyClient, "propose", changed),
        pytest.raises(IntegrityError, match="bravo: ") as raised,
    ):
        consortium.run(plan)
    assert raised.value.party == "bravo"
    assert consortium.office.state.runs(plan.digest) == ()
    assert consortium.ledgers() == before
    assert [consortium.runs_under_way(party) for party in consortium.parties] == [0, 0, 0]
