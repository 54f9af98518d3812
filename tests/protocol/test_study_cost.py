"""What a plan says its traffic is, against every message that the network saw."""

from __future__ import annotations

import pytest
from searched_study import searched_study
from seeded_randomness import SeededRandomness
from visits_study import visits

from mpc.plan.cost import HEADER_BYTES
from mpc.privacy.sampler import DiscreteGaussian
from mpc.ring.words import WORD_BYTES
from mpc.session.share import ReleasedShare
from mpc.study.model import PartyEntry, Study
from mpc.testing.parties import InProcessParties
from mpc.testing.table import MemoryTable

MESSAGES_A_PEER = 3  # Hello and confirmation together, then READY


def study_of(parties: int) -> Study:
    entry = PartyEntry(version=1, rows_max=100, rows_expected=10)
    names = {f"party-{chr(97 + index)}": entry for index in range(parties)}
    return visits().model_copy(update={"parties": names})


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_a_linear_study_takes_the_rounds_and_bytes_that_its_plan_says(parties: int) -> None:
    study = study_of(parties)
    tables = {name: MemoryTable([], study.table) for name in study.parties}
    run = InProcessParties(study, tables, SeededRandomness("cost"))
    sources = {name: DiscreteGaussian(SeededRandomness(name)) for name in run.ledgers}
    released = run.run({**sources})
    cost = run.plan.cost
    assert cost.rounds == 2
    for sender in run.ledgers:
        sent = [message for message in released.network.seen if message.sender == sender]
        assert len(sent) == MESSAGES_A_PEER * (parties - 1)
        assert all(message.receiver != sender for message in sent)
        bytes_sent = sum(len(message.payload) + HEADER_BYTES for message in sent)
        assert bytes_sent <= cost.peer_bytes_max < 6 * bytes_sent
        share = ReleasedShare.from_bytes(released.messages[sender])
        assert len(share.masked) == cost.share_bytes == run.plan.size * WORD_BYTES


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_a_search_takes_the_rounds_and_bytes_that_its_plan_says(parties: int) -> None:
    study = searched_study(("alpha", "bravo", "charlie", "delta", "echo")[:parties])
    tables = {name: MemoryTable([], study.table) for name in study.parties}
    run = InProcessParties(study, tables, SeededRandomness("cost"))
    sources = {name: DiscreteGaussian(SeededRandomness(name)) for name in run.ledgers}
    released = run.run({**sources})
    cost = run.plan.cost
    assert cost.rounds == 2 + 2 + (3 + 7) + (3 + 4)  # agree, READY, then 91 points, then 14
    for sender in run.ledgers:
        sent = [message for message in released.network.seen if message.sender == sender]
        to_one = [message for message in sent if message.receiver != study.dealer]
        assert len(to_one) == (MESSAGES_A_PEER + cost.rounds - 2) * (parties - 1)
        bytes_sent = sum(len(message.payload) + HEADER_BYTES for message in sent)
        assert bytes_sent <= cost.peer_bytes_max < 6 * bytes_sent
    last = list(run.ledgers)[-1]
    dealt = [m for m in released.network.seen if m.sender == study.dealer and m.receiver == last]
    assert cost.dealt_bytes <= sum(len(message.payload) for message in dealt)
