"""A worker: one study at one party, from the order on the pipe to the committed share.

It gets its keys over the pipe, meets its peers over the lane, computes on CrypTen shares, commits
in the party's ledger and ends. It tells its node coarse stages and, if it fails, a problem
without values.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mpc.backend.crypten_engine import CryptenEngine
from mpc.errors import IntegrityError, ParleyError, StudyAborted, TransportError
from mpc.flow import Stage, Tools, run_linear
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.ports import Channel, ChargeTerms, Clock, Ledger, Randomness
from mpc.privacy.budget import Budget
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.ring.words import from_bytes
from mpc.roster import Roster
from mpc.session.agreement import Agreement
from mpc.session.approval import Approval
from mpc.session.establish import OwnHello, make_hello
from mpc.session.session import Session
from mpc.study.canonical import study_from_plain
from mpc.units import PartyId, ProtectedUnit
from parties.channel import PeerChannel
from parties.data.table import DuckTable, EngineLimits
from parties.data.versions import RegisteredVersion, VersionStore
from parties.direct.lane import DirectListener
from parties.identity.store import Identity
from parties.lane import Listener
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.listening import LaneListener, LaneSettings, Port
from parties.problems import as_problem, whereabouts
from parties.system import SOFTWARE_VERSION, SystemClock, SystemRandomness
from parties.waiting import ChannelLimits
from parties.worker.messages import Committed, Confirmation, Connect, Entered, Failed, Listening
from parties.worker.order import WorkerOrder
from parties.worker.pipe import Pipe, exit_when_closed, show_life

CONNECT_S = 60.0  # from the Hello until the coordinator hands over everybody's
MEET_S = 10.0  # until every peer is met
SESSION_TAG_SIZE = 8
TICK_S = 0.5


@dataclass(frozen=True)
class WorkerPorts:
    """What a worker takes from outside. Tests hand in their own; the noise says its build."""

    clock: Clock
    randomness: Randomness
    source: NoiseSource
    ledger: Callable[[WorkerOrder], Ledger]


def system_ports() -> WorkerPorts:
    """The real ones: the system's clock and randomness, exact noise, the party's ledger."""
    clock, randomness = SystemClock(), SystemRandomness()
    return WorkerPorts(clock, randomness, DiscreteGaussian(randomness), open_ledger)


def open_ledger(order: WorkerOrder) -> SqliteLedger:
    """The ledger of the order's party."""
    limits = PartnerLimits(
        reserved_max=order.reserved_max,
        aborts_max=order.aborts_max,
        reserve_s=order.reserve_s,
    )
    return SqliteLedger(Path(order.ledger), SystemClock(), limits)


def work(pipe: Pipe, ports: WorkerPorts | None = None) -> None:
    """Run the order that comes over ``pipe``, and report how it ended."""
    logging.disable(logging.CRITICAL)  # what a library logs may quote data
    try:
        order = WorkerOrder.from_plain(pipe.receive(CONNECT_S))
        show_life(pipe)
        _Study(order, pipe, ports or system_ports()).run()
    except Exception as error:
        where = "" if isinstance(error, ParleyError) else whereabouts(error)
        pipe.send(Failed(as_problem(error), where))


class _Study:
    """The steps of one worker, in order."""

    def __init__(self, order: WorkerOrder, pipe: Pipe, ports: WorkerPorts) -> None:
        self._order = order
        self._pipe = pipe
        self._ports = ports
        self._identity = Identity.from_node(order.identity)
        self._plan = _recomputed(order)
        self._ledger = ports.ledger(order)
        self._met_s = 0.0
        self._expires_unix_s = 0

    def run(self) -> None:
        hello = self._hello()
        order = self._order
        port = Port(order.bind, (order.port_first, order.port_last))
        self._pipe.send(Listening(self._address(port), hello.data, order.direct))
        met = Connect.from_plain(self._pipe.receive(CONNECT_S))
        exit_when_closed(self._pipe)
        pairing = hello.agree(met.hellos, met.confirmation)
        self._pipe.send(Confirmation(pairing.for_coordinator))
        channel = self._met(self._listener(port, direct=met.direct), met.addresses)
        try:
            session = pairing.confirm(channel)
            self._compute(session, channel)
        except Exception as error:
            # Before any peer hears of it: who knows that it failed could have it called off.
            self._ledger.fail(self._order.run)
            if isinstance(error, ParleyError):
                channel.fail(error, about=self._blamed(error))
            raise
        finally:
            # Peers hear why, or BYE; what is committed stays so, however they end.
            with contextlib.suppress(ParleyError):
                channel.close()
        self._pipe.send(Committed())

    def _met(self, listener: LaneListener, addresses: Mapping[PartyId, str]) -> PeerChannel:
        """Every peer's link. What went wrong is told after MEET_S, whatever it was: addresses are
        the coordinator's, and how soon one answers would tell it of the owner's network."""
        begun_s = self._ports.clock.monotonic_s()
        try:
            return listener.connect(self._plan.roster, self._session_tag(), addresses, MEET_S)
        except ParleyError:
            time.sleep(max(0.0, MEET_S - (self._ports.clock.monotonic_s() - begun_s)))
            raise

    def _blamed(self, error: ParleyError) -> PartyId:
        """Whom ``error`` is about, for the peers: the party it names, else this one."""
        known = [member.id for member in self._plan.roster.parties]
        return PartyId(error.party) if error.party in known else self._order.party

    def _hello(self) -> OwnHello:
        plain = self._order.approvals
        if not isinstance(plain, list):
            raise IntegrityError("the order has no approvals")
        approvals = [Approval.from_plain(approval) for approval in plain]
        now = self._ports.clock.unix_s()
        agreement = Agreement.of(self._plan, approvals, now, build=self._ports.source.build)
        if agreement.run != self._order.run:
            raise IntegrityError("the order names another run than its approvals make")
        return make_hello(agreement, self._order.party, self._identity.sign, self._ports.randomness)

    def _listener(self, port: Port, *, direct: bool) -> LaneListener:
        """On the lane that all parties of the run take, since each was told what all announced."""
        order = self._order
        settings = LaneSettings(
            order.keepalive_s, order.timeout_s, ChannelLimits(wait_s=float(order.wait_s))
        )
        lane = DirectListener if direct and order.direct else Listener
        return lane(self._identity.member, self._identity.tls_key_pem(), port, settings)

    def _address(self, port: Port) -> str:
        host = f"[{self._order.host}]" if ":" in self._order.host else self._order.host
        return f"{host}:{port.number}"

    def _session_tag(self) -> bytes:
        return hashlib.sha256(b"parley/lane/v1" + bytes.fromhex(self._order.run)).digest()[
            :SESSION_TAG_SIZE
        ]

    def _agree(self, session: Session, channel: Channel) -> None:
        """READY, at a tick of the clock: how long rows and noise took is not for others to time."""
        waited_s = self._ports.clock.monotonic_s() - self._met_s
        time.sleep(TICK_S - waited_s % TICK_S)
        self._pipe.send(Entered("agree"))
        session.exchange_ready(channel, session.opening)
        if self._ports.clock.unix_s() >= self._expires_unix_s:
            raise TransportError("its peers were READY only when its reservation had ended")

    def _compute(self, session: Session, channel: Channel) -> None:
        self._met_s = self._ports.clock.monotonic_s()
        version = RegisteredVersion.from_plain(self._order.table)
        if version.number != self._plan.study.parties[self._order.party].version:
            raise StudyAborted(
                "another data version was announced meanwhile", party=self._order.party
            )
        table = self._table(version)
        commitment = version.commit(self._ports.randomness)
        store = VersionStore(Path(self._order.versions), self._ports.clock)
        store.keep(self._order.run, version, commitment)
        tools = Tools(
            engine=CryptenEngine(session, channel),
            budget=Budget(self._ledger),
            ledger=self._ledger,
            source=self._ports.source,
            agree=lambda: self._agree(session, channel),
            seal=lambda masked: session.seal(
                session.opening, from_bytes(masked), commitment.digest, SOFTWARE_VERSION
            ),
            opening=session.opening,
        )
        run_linear(self._plan, table, self._terms(), tools, self._entered)

    def _table(self, version: RegisteredVersion) -> DuckTable:
        order = self._order
        limits = EngineLimits(order.threads, order.memory_mb, Path(order.temporary))
        return DuckTable(version, self._plan.study.table, limits)

    def _terms(self) -> ChargeTerms:
        study, order = self._plan.study, self._order
        self._expires_unix_s = self._ports.clock.unix_s() + order.reserve_s
        return ChargeTerms(
            run=order.run,
            domain=order.domain,
            plan_digest=self._plan.digest,
            study=study.id,
            partner=order.partner,
            purpose=study.purpose,
            approved_by=order.approved_by,
            unit=ProtectedUnit(study.table.unit.rows_max, study.privacy.adjacency),
            expires_unix_s=self._expires_unix_s,
        )

    def _entered(self, stage: Stage) -> None:
        """Others learn of two stages only; the rest would time this party's rows for them."""
        if stage is Stage.RESERVE:
            self._pipe.send(Entered("compute"))


def _recomputed(order: WorkerOrder) -> Plan:
    plan = plan_study(study_from_plain(order.study), Roster.from_plain(order.roster))
    if plan.digest != order.plan_digest:
        raise IntegrityError("the order's plan is not the one it names")
    return plan
