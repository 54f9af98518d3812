"""A small federation for tests of faults: real node processes, certificates, ledgers and files.

One federation serves a whole test module: what a test needs is a fresh study, which is cheap, and
what it checks is a difference of ledgers. Nodes that a test killed are started again by the next
study.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crash_points import HAPPENED, ORDERED, RELEASED, Crash, Fate, Point
from ruamel.yaml import YAML

from mpc.errors import ParleyError
from mpc.plan.model import Plan
from mpc.ports import Balance, ChargeState
from mpc.study.model import Study
from mpc.study.parse import parse_study
from mpc.units import PartyId, Role, RunId
from parties.coordinator.client import PartyClient
from parties.coordinator.office import Finished, Office
from parties.coordinator.state import RunRecord
from parties.data.register import register_table
from parties.identity.trust import trust_peer
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.node.parts import LEDGER, REQUESTS
from parties.node.requests import RequestState, RequestStore
from parties.simulated_files import COORDINATOR, DOMAIN, coordinator_file, policy_for
from parties.simulation import READY_S, Federation, SimulatedNode, SimulatedServer
from parties.system import SystemClock

ROOT = Path(__file__).resolve().parents[2]
RIVAL = "rival-office"
ROWS = {"alpha": 180, "bravo": 220, "charlie": 200}
APPROVAL_S = 15.0
COMMAND_S = 60.0
STOPPED_S = 10.0
"""Within this, everybody who is left knows that a study is over, and because of whom."""

_numbers = count(1)

SCENARIO = """\
version: 1
id: {id}
title: Ages in three places
purpose: health-services-research
lead: {{name: Joan Example, organization: Institute, email: joan@institute.example}}
parties:
{parties}
{dealer}recipients: [coordinator]
table:
  name: people
  unit: {{kind: row}}
  columns:
    age: {{type: number, bounds: [0, 100], step: 1, missing: exclude, outside: clip}}
    place:
      type: category
      levels: [town, village]
      missing: exclude
      unknown_level: exclude
privacy: {{epsilon: {epsilon}, delta: 0.000001, adjacency: add_or_remove_one}}
questions:
  ages: {{kind: mean, column: age}}
  places: {{kind: count, by: [place]}}
{dealt}"""
DEALT = "  median: {kind: quantile, column: age, probability: 0.5}\n"
"""What needs a dealer."""


def study_of(versions: Mapping[str, int], epsilon: str = "0.5", dealer: str | None = None) -> Study:
    """A study that nobody has seen before, of each party's announced version.

    With a ``dealer``, it asks what needs one.
    """
    return parse_study(scenario_of(versions, epsilon, dealer).encode(), "ages.yaml")


def scenario_of(versions: Mapping[str, int], epsilon: str, dealer: str | None) -> str:
    """The same as a scenario file."""
    parties = "\n".join(
        f"  {party}: {{version: {version}, rows_max: 1000, rows_expected: 200}}"
        for party, version in versions.items()
    )
    return SCENARIO.format(
        id=f"ages-{next(_numbers)}",
        parties=parties,
        epsilon=epsilon,
        dealer=f"dealer: {dealer}\n" if dealer else "",
        dealt=DEALT if dealer else "",
    )


def rows_of(party: str, shift: int = 0) -> str:
    """A party's file; ``shift`` makes another version of it."""
    start = sum(map(ord, party)) + shift
    lines = [
        f"{(start + 37 * i) % 101},{'town' if (start + i) % 3 else 'village'}"
        for i in range(ROWS[party])
    ]
    return "\n".join(["age,place", *lines]) + "\n"


@dataclass(frozen=True)
class LedgerView:
    """A party's whole ledger, to be compared with a later one."""

    balance: Balance
    charges: Mapping[RunId, ChargeState]


@dataclass(frozen=True)
class Consortium:
    """The federation of a test module, and what tests do with it."""

    federation: Federation
    office: Office

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(self.federation.nodes)

    def node(self, party: str) -> SimulatedNode:
        return self.federation.nodes[party]

    def server(self, member: str) -> SimulatedServer:
        """A party's node, or the dealer."""
        (found,) = [each for each in self.federation.servers if each.id == member]
        return found

    # --- studies -------------------------------------------------------------------------------

    def plan(self, epsilon: str = "0.5") -> Plan:
        """A plan that no party has seen."""
        versions = {party: self.announced(party) for party in self.parties}
        return self.office.plan(study_of(versions, epsilon, self.federation.study.dealer))

    def run(self, plan: Plan, wait_s: float = APPROVAL_S) -> Finished:
        return self.office.run(plan, wait_s, lambda *_: None, lambda *_: None)

    def run_beside(self, plan: Plan) -> Future[Finished]:
        """The same, while the test goes on."""
        pool = ThreadPoolExecutor(1)
        running = pool.submit(self.run, plan)
        pool.shutdown(wait=False)
        return running

    def forget_receipts(self, plan: Plan) -> None:
        """The coordinator loses what it remembers of ``plan``."""
        with closing(sqlite3.connect(self.office.config.state / "coordinator.db")) as database:
            database.execute("DELETE FROM run WHERE plan_digest = ?", (plan.digest,))
            database.commit()

    def announced(self, party: str) -> int:
        from parties.data.catalogue import Catalogue

        number = Catalogue(self.node(party).node_config).announced("people")
        assert number is not None
        return number

    def replace_data(self, party: str, shift: int) -> None:
        """The owner registers a new version of its table."""
        config = self.node(party).node_config
        (self.federation.root / f"{party}.csv").write_text(rows_of(party, shift))
        register_table(config, "people")

    def record(self, plan: Plan) -> RunRecord:
        """What the coordinator remembers of the last run of ``plan``."""
        return self.office.state.runs(plan.digest)[0]

    # --- what parties keep ---------------------------------------------------------------------

    def ledger(self, party: str) -> SqliteLedger:
        return SqliteLedger(
            self.node(party).directory / "state" / LEDGER, SystemClock(), PartnerLimits()
        )

    def ledgers(self) -> dict[str, LedgerView]:
        """Every party's ledger as it stands."""
        views = {}
        for party in self.parties:
            ledger = self.ledger(party)
            charges = {each.run: each.state for each in ledger.history(DOMAIN).charges}
            views[party] = LedgerView(ledger.balance(DOMAIN), charges)
        return views

    def charges(self, plan: Plan) -> dict[str, tuple[ChargeState, ...]]:
        """The states of every charge that ``plan`` ever made, party by party."""
        return {
            party: tuple(
                entry.state
                for entry in self.ledger(party).history(DOMAIN).charges
                if entry.plan_digest == plan.digest
            )
            for party in self.parties
        }

    def approve(self, party: str, plan: Plan, by: str) -> None:
        """A person at ``party`` says yes to a request that is there."""
        state = self.node(party).directory / "state"
        store = RequestStore(state / REQUESTS, SystemClock())
        store.decide(plan.digest, RequestState.APPROVED, by, "")

    def outbox(self, party: str, run: RunId) -> bytes | None:
        return self.ledger(party).outbox(run)

    def client(self, party: str, office: Office | None = None) -> PartyClient:
        own = office or self.office
        member = own.trust.member(PartyId(party))
        return PartyClient(own.identity, member, self.server(party).address)

    def runs_under_way(self, party: str) -> int:
        with self.client(party) as client:
            return client.health().runs

    def log(self, party: str) -> str:
        return self.server(party).log.read_text()

    # --- faults --------------------------------------------------------------------------------

    def crash(self, party: str, point: Point, fate: Fate) -> None:
        """The party's next worker that reaches ``point`` meets ``fate``."""
        Crash(point, fate).order(self.server(party).directory)

    def crashed(self, party: str) -> bool:
        return (self.server(party).directory / HAPPENED).exists()

    def wait_crashed(self, party: str, deadline_s: float = 20.0) -> None:
        wait_until(lambda: self.crashed(party), deadline_s, f"{party} reached its crash point")

    def since_crash_s(self, party: str) -> float:
        return time.time() - (self.server(party).directory / HAPPENED).stat().st_mtime

    def let_go(self, party: str) -> None:
        """Release a worker that is held."""
        (self.server(party).directory / RELEASED).touch()

    def signal(self, party: str, number: signal.Signals) -> None:
        process = self.server(party).process
        assert process is not None
        process.send_signal(number)

    def wake_worker(self, party: str) -> None:
        """SIGCONT to the worker that froze at its crash point."""
        happened = json.loads((self.node(party).directory / HAPPENED).read_text())
        os.kill(happened["worker"], signal.SIGCONT)

    def kill(self, party: str) -> None:
        """SIGKILL to the party's node."""
        self.signal(party, signal.SIGKILL)
        process = self.server(party).process
        assert process is not None
        process.wait(STOPPED_S)

    def end_workers(self, party: str) -> None:
        """SIGKILL to every worker of the party's node."""
        process = self.node(party).process
        assert process is not None
        (zygote,) = _children(process.pid)
        for worker in _children(zygote):
            os.kill(worker, signal.SIGKILL)

    def mend(self) -> None:
        """Start again every server that is gone, let the frozen ones run, forget crashes."""
        for node in self.federation.servers:
            for name in (ORDERED, HAPPENED):
                (node.directory / name).unlink(missing_ok=True)
            (node.directory / RELEASED).touch()
            assert node.process is not None
            if node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
            else:
                self.restart(node.id)

    def restart(self, party: str) -> None:
        """Start a server that was killed: on the same port, from the same files.

        Returns once it answers. Its workers can start some seconds later.
        """
        node = self.server(party)
        assert node.process is not None
        node.process.wait(STOPPED_S)
        assert node.process.stdout is not None
        node.process.stdout.close()
        with in_reach():
            node.start()
        wait_until(lambda: self._answers(party), READY_S, f"{party} answers")

    def _answers(self, party: str) -> bool:
        with self.client(party) as client, suppress(ParleyError):
            return client.health().ready
        return False

    # --- the command line ----------------------------------------------------------------------

    def start_command(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "parties.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """``parley`` with ``arguments``, to its end."""
        process = self.start_command(*arguments)
        try:
            out, err = process.communicate(timeout=COMMAND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_until(true: Any, deadline_s: float, what: str) -> None:
    end = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)


def in_reach() -> AbstractContextManager[object]:
    """Nodes that start in this block find the modules beside this one."""
    path = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    return patch.dict(os.environ, {"PYTHONPATH": path})


@contextmanager
def serving(federation: Federation) -> Iterator[Consortium]:
    """The federation started, with its coordinator's office open; stopped at the end."""
    with federation:
        with in_reach():
            federation.start()
        yield Consortium(federation, Office.open(federation.coordinator_config))


def _children(process: int) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def build(
    root: Path,
    parties: tuple[str, ...],
    policy_changes: Mapping[str, Any] | None = None,
    module: str = "parties.node.main",
    dealer: str | None = None,
) -> Federation:
    """Keys, files and registered data of ``parties``, a coordinator and a rival one; not started.

    With a ``dealer``, that too; it crashes as nodes of ``crashing_node`` do.

    ``policy_changes`` are put over every party's derived policy, key by key.
    """
    study = study_of(dict.fromkeys(parties, 1), dealer=dealer)
    data = {party: root / f"{party}.csv" for party in parties}
    for party, path in data.items():
        path.write_text(rows_of(party))
    policy = root / "policy.yaml"
    policy.write_text(changed(policy_for(study), {
        "coordinators": [COORDINATOR, RIVAL],
        "limits": {"reserve_s": 60, "reserved_max": 8, "aborts_max": 1000},
        "study_budget": {"epsilon": 4, "delta": 0.000001},
        "domains": {DOMAIN: {"epsilon": 100, "delta": 0.000001}},
        "approval_expires_s": 600,
        **(policy_changes or {}),
    }))  # fmt: skip
    federation = Federation(root, study)
    federation.build(data, policy=policy)
    _enrol_rival(federation)
    for node in federation.nodes.values():
        node.module = module
    if federation.dealer is not None:
        federation.dealer.module = "crashing_dealer"
    return federation


def _enrol_rival(federation: Federation) -> None:
    """A second coordinator, pinned by every party."""
    root = federation.root
    pin = federation._enrol(root / "authority", RIVAL, "Rival office", Role.COORDINATOR)
    for party, node in federation.nodes.items():
        trust_peer(node.directory / "identity", root / RIVAL / "bundle.pem", pin)
        trust_peer(root / RIVAL / "identity", root / party / "bundle.pem", federation._pins[party])
        text = node.config.read_text()
        said = YAML(typ="safe").load(text)
        node.config.write_text(changed(text, {
            "coordinators": [COORDINATOR, RIVAL],
            "peers": {**said["peers"], RIVAL: pin},
        }))  # fmt: skip


def rival_office(federation: Federation) -> Office:
    """The other coordinator, who knows every party too."""
    addresses = {party: node.address for party, node in federation.nodes.items()}
    path = federation.root / RIVAL / "coordinator.yaml"
    pins = {party: federation._pins[party] for party in addresses}
    path.write_text(changed(coordinator_file(addresses, {}, pins), {"coordinator": RIVAL}))
    return Office.open(path)


def changed(text: str, changes: Mapping[str, Any]) -> str:
    yaml = YAML()
    content = yaml.load(text)
    content.update(changes)
    changed = StringIO()
    yaml.dump(content, changed)
    return changed.getvalue()
