"""Three party processes and a dealer's, over mutual TLS on loopback; this process coordinates."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from dealt_visits import dealt_visits
from visits_study import visits

from mpc.canonical import Plain, canonical_bytes
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.session.agreement import Agreement
from mpc.session.approval import Approval
from mpc.session.establish import make_hello
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, Role
from parties.commands.making import NewDealer, make_dealer
from parties.config import Exchange
from parties.coordinator.client import PartyClient
from parties.identity.authority import approve, authority_init
from parties.identity.store import Identity, install, load_identity, request
from parties.identity.trust import trust_peer
from parties.pinning import pin
from parties.system import SystemClock, SystemRandomness
from parties.worker.messages import Connect
from parties.worker.order import SessionOrder
from parties.worker.pipe import Pipe
from protos import control_pb2 as wire

TESTS = Path(__file__).parent
DEALER, OFFICE = PartyId("dealing-house"), PartyId("office")
LAST_S = 60.0


@dataclass(frozen=True)
class Order:
    """What a party's process is told."""

    plain: dict[str, Plain]

    def to_plain(self) -> dict[str, Plain]:
        return self.plain


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Dealt:
    """A federation with a dealer in ``root``: certificates, the dealer's files, processes."""

    root: Path
    organizations: tuple[str, ...] | None = None  # those of everyone
    direct: bool = True  # which lane
    dealer_exchange: tuple[str, ...] = ()  # lines of its file, instead of those it begins with
    exchange: Mapping[str, int] = field(default_factory=lambda: {"wait_s": 15})  # the parties'
    pauses_s: Mapping[str, float] = field(default_factory=dict)  # between two draws of a party
    identities: dict[PartyId, Identity] = field(default_factory=dict)
    dealer: subprocess.Popen[str] | None = None
    address: str = ""
    parties: dict[PartyId, tuple[subprocess.Popen[bytes], Pipe]] = field(default_factory=dict)

    def build(self) -> Dealt:
        authority_init(self.root / "authority", "Office Ltd")
        self.study = dealt_visits(DEALER)
        for name in (*self.study.parties, OFFICE):
            role = Role.COORDINATOR if name == OFFICE else Role.PARTY
            asked = request(self.root / name, name, role, f"{name} Ltd")
            self.identities[PartyId(name)] = self._install(asked, self.root / name)
        folder = self.root / DEALER
        new = NewDealer(folder, DEALER, "Dealing House", OFFICE, "127.0.0.1", free_port())
        asked = make_dealer(new).request
        dealer = self._install(asked, folder / "identity")
        for name, identity in self.identities.items():
            trust_peer(folder / "identity", self.root / f"{name}.pem", identity.member.fingerprint)
            pin(self.config, identity.member)
        self.identities[DEALER] = dealer
        listed = self.organizations
        if listed is None:
            listed = tuple(f"{name} Ltd" for name in (*self.study.parties, OFFICE))
        text = self.config.read_text()
        text = text.replace("organizations: []", f"organizations: {json.dumps(listed)}")
        for line in ("ports: [20000, 29000]", *self.dealer_exchange):
            name = line.partition(":")[0]
            text = re.sub(rf"^  {name}:[^#\n]*", f"  {line} ", text, flags=re.MULTILINE)
        self.config.write_text(text)
        return self

    def _install(self, asked: Path, folder: Path) -> Identity:
        bundle = self.root / f"{folder.name if folder.name != 'identity' else DEALER}.pem"
        install(folder, bundle, approve(self.root / "authority", asked, bundle, days=7))
        return load_identity(folder)

    @property
    def config(self) -> Path:
        return self.root / DEALER / "dealer.yaml"

    @property
    def roster(self) -> Roster:
        names = (*self.study.parties, DEALER, OFFICE)
        return Roster(tuple(self.identities[PartyId(name)].member for name in names))

    def start_dealer(self, fault: str = "") -> None:
        self.dealer = subprocess.Popen(
            [sys.executable, str(TESTS / "dealing_dealer.py"), str(self.config)],
            stdout=subprocess.PIPE,
            stderr=(self.root / "dealer.log").open("w"),
            text=True,
            env={**os.environ, "PARLEY_TEST_DEALING": fault,
                 "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        )  # fmt: skip
        assert self.dealer.stdout is not None
        self.address = json.loads(self.dealer.stdout.readline())["listening"]

    def client(self, own: PartyId = OFFICE) -> PartyClient:
        return PartyClient(self.identities[own], self.identities[DEALER].member, self.address)

    def approved(self, roster: Roster | None = None) -> tuple[Plan, list[Approval]]:
        """A plan with a dealer unless ``roster`` has none, and every party's approval of it."""
        roster = roster or self.roster
        plan = plan_study(visits() if roster.dealer is None else self.study, roster)
        return plan, [
            Approval.sign(
                plan_digest=plan.digest,
                party=member.id,
                nonce=os.urandom(32),
                expires_unix_s=SystemClock().unix_s() + 600,
                approved_by="policy",
                signer=self.identities[member.id].sign,
            )
            for member in plan.roster.parties
        ]

    @staticmethod
    def request(plan: Plan, approvals: list[Approval]) -> wire.StartRequest:
        return wire.StartRequest(
            plan_digest=plan.digest,
            approvals=[approval.to_bytes() for approval in approvals],
            study=canonical_bytes(study_to_plain(plan.study)),
            roster=canonical_bytes(plan.roster.to_plain()),
        )

    def run(self, count: int) -> dict[PartyId, dict[str, Any]]:
        """A whole run: how each party's process ended, by what it left in its file."""
        plan, approvals = self.approved()
        agreement = Agreement.of(plan, approvals, SystemClock().unix_s())
        own = make_hello(agreement, OFFICE, self.identities[OFFICE].sign, SystemRandomness())
        with self.client() as client:
            started = client.start(self.request(plan, approvals))
            hellos, addresses = {DEALER: started.hello, OFFICE: own.data}, {DEALER: started.address}
            for party in agreement.parties:
                order = SessionOrder.of(
                    agreement.run, plan, approvals, self.identities[party],
                    Exchange(
                        host="127.0.0.1", ports=(20000, 29000), direct=self.direct, **self.exchange
                    ),
                )  # fmt: skip
                pipe = self._party(party, Order({
                    **order.to_plain(), "count": count, "folder": str(self.root),
                    "pause_s": str(self.pauses_s.get(party, 0.0)),
                }))  # fmt: skip
                said = self._heard(pipe)
                hellos[party] = bytes.fromhex(str(said["hello"]))
                addresses[party] = str(said["address"])
            all_hellos = tuple(hellos[name] for name in plan.roster.ids)
            pairing = own.agree_as_coordinator(all_hellos)
            connected = client.connect(wire.ConnectRequest(
                run=agreement.run, hellos=all_hellos,
                addresses=[
                    wire.Address(party=party, address=address, direct=self.direct)
                    for party, address in addresses.items()
                ],
                confirmation=pairing.confirmations[DEALER],
            ))  # fmt: skip
            pairing.check(DEALER, connected.confirmation)
            for party, (_, pipe) in self.parties.items():
                pipe.send(Connect(addresses, all_hellos, pairing.confirmations[party], self.direct))
                told = self._heard(pipe)
                pairing.check(party, bytes.fromhex(str(told["confirmation"])))
            self.stages = list(client.watch(agreement.run))
        for process, _ in self.parties.values():
            process.wait(LAST_S)
        return {party: json.loads((self.root / f"{party}.json").read_text())
                for party in self.parties}  # fmt: skip

    def answer(self) -> Any:
        return sum(np.load(self.root / f"{party}.npy").astype(np.uint64) for party in self.parties)

    @staticmethod
    def _heard(pipe: Pipe) -> dict[str, Plain]:
        while True:
            said = pipe.receive(LAST_S)
            if "alive" not in said:
                return said

    def _party(self, party: PartyId, order: Order) -> Pipe:
        own, theirs = socket.socketpair()
        process = subprocess.Popen(
            [sys.executable, str(TESTS / "dealt_worker.py"), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        )
        theirs.close()
        pipe = Pipe(own)
        self.parties[party] = (process, pipe)
        pipe.send(order)
        return pipe

    def close(self) -> None:
        for process, pipe in self.parties.values():
            pipe.close()
            process.kill()
            process.wait()
        if self.dealer is not None:
            self.dealer.terminate()
            self.dealer.communicate(timeout=20)

    @property
    def log(self) -> str:
        return (self.root / "dealer.log").read_text()
