"""A whole federation on one machine: throw-away authority and keys, real node processes, real mTLS.

For researchers and tests. Everything lies in one folder, a sub-folder each participant, as it
would lie on separate machines. The schema and the policy of every simulated owner are derived
from the scenario unless the folder of the scenario holds a ``schema.yaml`` or ``policy.yaml``. The
files that such a schema names are not read: every party has its own.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from mpc.errors import ContractError, StudyAborted, UsageError
from mpc.study.model import Study
from mpc.units import Role
from parties.config import NodeConfig, load_node_config
from parties.data.register import register_table
from parties.identity.authority import approve, authority_init
from parties.identity.store import install, request
from parties.identity.trust import trust_peer
from parties.simulated_files import (
    COORDINATOR,
    coordinator_file,
    dealer_file,
    node_file,
    policy_for,
    schema_for,
    schema_over,
)

COORDINATOR_ORGANIZATION = "Simulated coordinator"
DEALER_ORGANIZATION = "Simulated dealer"
NODE_MODULE = "parties.node.main"
DEALER_MODULE = "parties.dealer.main"
READY_S = 60.0
READY_EACH_S = 10.0  # servers that start together share this machine's cores
STOP_S = 10.0


@dataclass
class SimulatedServer:
    """The process that serves a participant, and its folder."""

    id: str
    directory: Path
    module: str
    file: str
    address: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def config(self) -> Path:
        return self.directory / self.file

    @property
    def log(self) -> Path:
        return self.config.with_suffix(".log")

    def start(self) -> None:
        """Start the process; it says its address in its first line."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, str(self.config)],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
            )

    def wait_ready(self, deadline_s: float = READY_S) -> None:
        """Return once it listens. Raises StudyAborted, naming its log, if it does not."""
        if self.process is None or self.process.stdout is None:
            raise ContractError(f"{self.id} was not started")
        ready, _, _ = select.select([self.process.stdout], [], [], deadline_s)
        line = self.process.stdout.readline() if ready else ""
        try:
            self.address = str(json.loads(line)["listening"])
        except (ValueError, KeyError):
            raise StudyAborted(
                "its server did not start", party=self.id, hint=f"see {self.log}"
            ) from None

    def stop(self) -> None:
        """End the process, by force after STOP_S."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None


@dataclass
class SimulatedNode(SimulatedServer):
    """A party's node."""

    module: str = NODE_MODULE
    file: str = "node.yaml"

    @property
    def node_config(self) -> NodeConfig:
        return load_node_config(self.config)


@dataclass
class SimulatedDealer(SimulatedServer):
    """A dealer, which holds no data."""

    module: str = DEALER_MODULE
    file: str = "dealer.yaml"


@dataclass
class Federation:
    """The participants of one study on this machine: a dealer too if the study names one."""

    root: Path
    study: Study
    nodes: dict[str, SimulatedNode] = field(default_factory=dict)
    dealer: SimulatedDealer | None = None
    _pins: dict[str, str] = field(default_factory=dict)  # id → fingerprint, by build

    @property
    def servers(self) -> tuple[SimulatedServer, ...]:
        """Every party's node, and the dealer if there is one."""
        return (*self.nodes.values(), *(() if self.dealer is None else (self.dealer,)))

    @property
    def coordinator_config(self) -> Path:
        return self.root / COORDINATOR / "coordinator.yaml"

    @property
    def roster_file(self) -> Path:
        return self.root / COORDINATOR / "roster.json"

    def build(
        self, data: Mapping[str, Path], schema: Path | None = None, policy: Path | None = None
    ) -> None:
        """Make keys, certificates and files for everyone, and register every party's table.

        A ``schema`` says how tables are written; each party's ``files`` are its own in ``data``.
        """
        missing = [party for party in self.study.parties if party not in data]
        if missing:
            raise UsageError(f"no data file for {', '.join(missing)}")
        authority = self.root / "authority"
        authority_init(authority, COORDINATOR_ORGANIZATION)
        pins = self._enrol_all(authority)
        bundles = {party: self.root / party / "bundle.pem" for party in pins}
        for party in self.study.parties:
            directory = self.root / party
            trust_peer(directory / "identity", bundles[COORDINATOR], pins[COORDINATOR])
            own = data[party].resolve()
            (directory / f"{self.study.table.name}.schema.yaml").write_text(
                schema_over(schema.read_text(), own) if schema else schema_for(self.study, own)
            )
            (directory / "policy.yaml").write_text(
                policy.read_text() if policy else policy_for(self.study)
            )
            (directory / "node.yaml").write_text(node_file(self.study, party, pins))
            self.nodes[party] = SimulatedNode(party, directory)
        if self.study.dealer is not None:
            directory = self.root / self.study.dealer
            trust_peer(directory / "identity", bundles[COORDINATOR], pins[COORDINATOR])
            self.dealer = SimulatedDealer(self.study.dealer, directory)
            organizations = [self._organization(party) for party in self.study.parties]
            self.dealer.config.write_text(
                dealer_file(self.study.dealer, (*organizations, COORDINATOR_ORGANIZATION), pins)
            )
        for server in self.servers:
            trust_peer(self.root / COORDINATOR / "identity", bundles[server.id], pins[server.id])
        self.roster_file.write_text(json.dumps(pins, indent=2) + "\n")
        self._pins = pins
        for node in self.nodes.values():
            register_table(node.node_config, self.study.table.name)

    def _enrol_all(self, authority: Path) -> dict[str, str]:
        """Keys and certificates for everyone; id → fingerprint."""
        members = {party: (self._organization(party), Role.PARTY) for party in self.study.parties}
        if self.study.dealer is not None:
            members[self.study.dealer] = (DEALER_ORGANIZATION, Role.DEALER)
        members[COORDINATOR] = (COORDINATOR_ORGANIZATION, Role.COORDINATOR)
        return {member: self._enrol(authority, member, *what) for member, what in members.items()}

    @staticmethod
    def _organization(party: str) -> str:
        return f"Simulated {party}"

    def _enrol(self, authority: Path, member: str, organization: str, role: Role) -> str:
        directory = self.root / member
        directory.mkdir(parents=True)
        identity, bundle = directory / "identity", directory / "bundle.pem"
        fingerprint = approve(
            authority, request(identity, member, role, organization), bundle, days=7
        )
        install(identity, bundle, fingerprint)
        return fingerprint

    def start(self) -> None:
        """Start every server, wait until all listen, and write the coordinator's file."""
        servers = self.servers
        for server in servers:
            server.start()
        end = time.monotonic() + READY_S + READY_EACH_S * len(servers)
        with ThreadPoolExecutor(len(servers)) as pool:
            for waiting in [
                pool.submit(server.wait_ready, max(1.0, end - time.monotonic()))
                for server in servers
            ]:
                waiting.result()
        parties = {party: node.address for party, node in self.nodes.items()}
        dealers = {} if self.dealer is None else {self.dealer.id: self.dealer.address}
        self.coordinator_config.write_text(coordinator_file(parties, dealers, self._pins))

    def stop(self) -> None:
        """Stop every server, all at once."""
        with ThreadPoolExecutor(max(1, len(self.servers))) as pool:
            for stopping in [pool.submit(server.stop) for server in self.servers]:
                stopping.result()

    def __enter__(self) -> Federation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
