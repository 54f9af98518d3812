"""A party whose ledger was put back from an older copy, among peers that saw more of it."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from federation import Consortium

from mpc.errors import LedgerOutdated, PolicyRefusal
from mpc.ports import ChargeState
from parties.node.parts import LEDGER

COMMITTED, RELEASED = (ChargeState.COMMITTED,), (ChargeState.RELEASED,)


def ledger_file(consortium: Consortium, party: str) -> Path:
    return consortium.node(party).directory / "state" / LEDGER


def copied(consortium: Consortium, party: str) -> bytes:
    """The party's whole ledger, as a backup takes it from a running node."""
    with closing(sqlite3.connect(ledger_file(consortium, party))) as database:
        return database.serialize()


def put_back(consortium: Consortium, party: str, copy: bytes) -> None:
    """The node is stopped and its ledger replaced by ``copy``."""
    process = consortium.server(party).process
    assert process is not None
    if process.poll() is None:
        consortium.signal(party, signal.SIGTERM)
        process.wait(20)
    file = ledger_file(consortium, party)
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        (file.parent / name).unlink(missing_ok=True)
    file.write_bytes(copy)


@pytest.fixture
def outdated(consortium: Consortium) -> Iterator[Consortium]:
    """Bravo runs on a ledger from before its last study; afterwards on the latest again."""
    consortium.run(consortium.plan())
    older = copied(consortium, "bravo")
    consortium.run(consortium.plan())
    latest = copied(consortium, "bravo")
    put_back(consortium, "bravo", older)
    consortium.restart("bravo")
    try:
        yield consortium
    finally:
        put_back(consortium, "bravo", latest)
        consortium.restart("bravo")
        plan = consortium.plan()
        consortium.run(plan)
        assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_older_copy_is_refused_by_name_costs_nobody_and_is_judged_unfit_from_then_on(
    outdated: Consortium,
) -> None:
    plan = outdated.plan()
    before = {party: view.balance for party, view in outdated.ledgers().items()}
    with pytest.raises(LedgerOutdated) as refused:
        outdated.run(plan)
    assert refused.value.party == "bravo"
    assert outdated.charges(plan) == dict.fromkeys(outdated.parties, RELEASED)
    assert {party: view.balance for party, view in outdated.ledgers().items()} == before

    with pytest.raises(PolicyRefusal) as judged:
        outdated.run(outdated.plan())
    assert {(each.party, each.code) for each in judged.value.reasons} == {("bravo", "PLY-R035")}


def test_owner_that_accepts_the_loss_has_nothing_left_and_says_who_and_why(
    outdated: Consortium,
) -> None:
    accept = ("budget", "accept-loss", "--by", "M. Okafor", "--reason", "disk lost")
    config = ("--config", outdated.node("bravo").config, "--json")
    with pytest.raises(LedgerOutdated):
        outdated.run(outdated.plan())
    running = outdated.command(*accept, *config)
    assert (running.returncode, json.loads(running.stdout)["code"]) == (8, "PLY-T001")
    (shown,) = json.loads(outdated.command("budget", "show", *config).stdout)["data"]["outdated"]
    assert shown["seen_by"] in ("alpha", "charlie")

    outdated.signal("bravo", signal.SIGTERM)
    process = outdated.server("bravo").process
    assert process is not None
    process.wait(20)
    done = outdated.command(*accept, *config)
    assert done.returncode == 0, done.stdout
    said = json.loads(done.stdout)["data"]
    assert said["outdated"] == []
    (domain,) = said["domains"]
    assert float(domain["rho"]["left"]) == 0
    kept = json.loads(outdated.command("budget", "history", *config).stdout)["data"]
    last = kept["domains"][0]["charges"][-1]
    assert (last["approved_by"], last["purpose"], last["state"]) == (
        "M. Okafor",
        "disk lost",
        "forfeited",
    )
    again = outdated.command(*accept, *config)
    assert again.returncode == 2
    assert "no loss to accept" in again.stdout
