"""``parley node start`` that cannot: one error, at once, and nothing of processes or libraries."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from ledger_contract import CAP, ROW, asking, run_id

from mpc.units import DeltaAtto, RhoPico, Role
from parties.commands.making import NewParty, make_party
from parties.identity.authority import approve, authority_init
from parties.identity.store import install, request
from parties.identity.trust import trust_peer
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.node.parts import LEDGER
from parties.pinning import pin
from parties.system import SystemClock

PARLEY = Path(sys.executable).parent / "parley"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path, taken: int) -> Path:
    """A node that is ready to start, but for its port, which is taken."""
    authority, made = tmp_path / "authority", tmp_path / "clinic-a"
    authority_init(authority, "University", 30)
    asked = make_party(
        NewParty(made, "clinic-a", "Clinic A", "office", "127.0.0.1", taken, "stays", 1000), None
    )
    office = request(tmp_path / "office", "office", Role.COORDINATOR, "University")
    bundles = tmp_path / "a.pem", tmp_path / "office.pem"
    own = approve(authority, asked.request, bundles[0], 30)
    other = approve(authority, office, bundles[1], 30)
    install(made / "identity", bundles[0], own)
    pin(made / "node.yaml", trust_peer(made / "identity", bundles[1], other))
    return made


def start(folder: Path) -> CompletedProcess[str]:
    command = [PARLEY, "node", "start", "--config", folder / "node.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    for never in ("Traceback", "zygote", "add_port", "grpc"):
        assert never not in done.stderr
    return done


def test_node_whose_port_is_taken_says_so_and_its_operator_has_to_act(
    folder: Path, taken: int
) -> None:
    done = start(folder)
    assert done.returncode == 5
    assert f"cannot listen on 127.0.0.1:{taken}: Address already in use" in done.stderr
    assert "to act: the operator of this node" in done.stderr


def test_node_with_a_typo_in_its_policy_tells_that_alone(folder: Path) -> None:
    policy = folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("approval:", "aproval:"))
    done = start(folder)
    assert done.returncode == 2
    assert "unknown key 'aproval'" in done.stderr
    assert "cannot listen" not in done.stderr


def test_node_does_not_start_on_a_ledger_that_something_else_changed(folder: Path) -> None:
    file = folder / "state" / LEDGER
    ledger = SqliteLedger(file, SystemClock(), PartnerLimits())
    ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(0), "owner")
    ledger.reserve(asking(1, expires_unix_s=SystemClock().unix_s() + 600))
    ledger.commit(run_id(1), b"message")
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TRIGGER charge_terms_stay")
        database.execute("DROP TRIGGER charge_moves_once")
        database.execute("UPDATE charge SET rho = 1")
        database.commit()
    done = start(folder)
    assert done.returncode == 7
    assert "changed by something else than Parley" in done.stderr
    assert "cannot listen" not in done.stderr


def test_zygote_whose_node_has_ended_ends_without_a_word() -> None:
    """In a process of its own: a zygote sets signals."""
    own, theirs = socket.socketpair()
    own.close()
    code = "import sys; from parties.worker.forking import serve; serve(int(sys.argv[1]), print)"
    with theirs:
        done = subprocess.run(
            [sys.executable, "-c", code, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
