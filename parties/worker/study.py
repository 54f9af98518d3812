"""A worker: one study at one party, from the order on the pipe to the committed share.

It gets its keys over the pipe, meets its peers over the lane, computes on CrypTen shares, commits
in the party's ledger and ends. It tells its node coarse stages and, if it fails, a problem
without values.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mpc.backend.crypten_engine import CryptenEngine
from mpc.canonical import Plain
from mpc.errors import StudyAborted
from mpc.flow import Stage, Tools, run_study
from mpc.plan.programs import recipes_of
from mpc.ports import Channel, ChargeTerms, Clock, Ledger, Randomness
from mpc.privacy.budget import Budget
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.protocols.opening import Computation
from mpc.ring.words import from_bytes
from mpc.session.agreement import Phase
from mpc.session.dealing import computation_with, dealt_supply
from mpc.session.establish import OwnHello
from mpc.session.preparing import prepared_supply
from mpc.session.session import Session
from mpc.session.witnessing import Witnessing
from parties.data.people import KEY_SIZE
from parties.data.table import DuckTable, EngineLimits
from parties.data.versions import RegisteredVersion, VersionStore
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.prepared.store import open_prepared
from parties.system import SOFTWARE_VERSION, SystemClock, SystemRandomness
from parties.worker.meeting import Meeting, report_end
from parties.worker.messages import Committed, Entered
from parties.worker.order import PreparingOrder, WorkerOrder
from parties.worker.pipe import Pipe
from parties.worker.preparing import PreparingPorts, prepare
from parties.worker.reserved import ReservedChannel

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
    """Run, or prepare, the order that comes over ``pipe``, and report how it ended."""

    def run(plain: dict[str, Plain]) -> None:
        given = ports or system_ports()
        if plain.get("phase") == Phase.PREPARING.value:
            build = given.source.build
            preparing = PreparingPorts(given.clock, given.randomness, recipes_of, build)
            prepare(PreparingOrder.from_plain(plain), pipe, preparing)
        else:
            _Study(WorkerOrder.from_plain(plain), pipe, given).run()

    report_end(pipe, run)


class _Study:
    """The steps of one worker, in order."""

    def __init__(self, order: WorkerOrder, pipe: Pipe, ports: WorkerPorts) -> None:
        self._order = order
        self._pipe = pipe
        self._ports = ports
        self._meeting = Meeting(order, ports.clock, ports.randomness, ports.source.build)
        self._plan = self._meeting.plan
        self._ledger = ports.ledger(order)
        self._witnessing = Witnessing(self._ledger)
        self._met_s = 0.0
        self._expires_unix_s = 0

    def run(self) -> None:
        with self._meeting.paired(self._pipe, OwnHello.agree) as (pairing, channel):
            try:
                session = pairing.confirm(channel)
                self._compute(session, channel)
            except Exception:
                # Before any peer hears of it: who knows that it failed could have it called off.
                self._ledger.fail(self._order.run)
                raise
        self._pipe.send(Committed())

    def _settle(self) -> None:
        """Wait for a tick of the clock: how long rows and noise took is not for others to time."""
        waited_s = self._ports.clock.monotonic_s() - self._met_s
        time.sleep(TICK_S - waited_s % TICK_S)
        self._pipe.send(Entered("agree"))

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
        channel = ReservedChannel(channel, self._ports.clock, lambda: self._expires_unix_s)
        among = session.among_parties(channel)
        tools = Tools(
            engine=CryptenEngine(session, among),
            budget=Budget(self._ledger),
            ledger=self._ledger,
            source=self._ports.source,
            randomness=self._ports.randomness,
            settle=self._settle,
            gather=lambda: session.exchange_ready(among, session.gathering, self._witnessing),
            computation=self._computation(session, channel),
            agree=lambda: session.exchange_ready(among, session.opening, self._witnessing),
            seal=lambda masked: session.seal(
                session.opening, from_bytes(masked), commitment.digest, SOFTWARE_VERSION
            ),
            opening=session.opening,
        )
        run_study(self._plan, table, self._terms(), tools, self._entered)

    def _computation(self, session: Session, channel: Channel) -> Computation | None:
        """What the plan computes in: dealt as it goes, or on material, which that consumes."""
        recipes = recipes_of(self._plan)
        if not recipes:
            return None
        if self._meeting.phase is Phase.PREPARED:
            order, clock = self._order, self._ports.clock
            store = open_prepared(Path(order.state), self._meeting.identity, clock)
            supply = prepared_supply(session, channel, recipes, store.take(order.run))
        else:
            supply = dealt_supply(session, channel, recipes)
        return computation_with(session, channel, recipes, supply)

    def _table(self, version: RegisteredVersion) -> DuckTable:
        order = self._order
        limits = EngineLimits(order.threads, order.memory_mb, Path(order.temporary))
        key = self._ports.randomness.random_bytes(KEY_SIZE)
        return DuckTable(version, self._plan.study.table, limits, key)

    def _terms(self) -> ChargeTerms:
        study, order = self._plan.study, self._order
        self._expires_unix_s = self._ports.clock.unix_s() + order.reserve_s
        return ChargeTerms(
            run=order.run,
            domain=order.domain,
            plan_digest=self._plan.digest,
            study=study.id,
            partner=order.partner,
            coordinator=self._plan.roster.coordinator.id,
            lead=study.lead.name,
            lead_organization=study.lead.organization,
            purpose=study.purpose,
            approved_by=order.approved_by,
            unit=study.protected,
            expires_unix_s=self._expires_unix_s,
        )

    def _entered(self, stage: Stage) -> None:
        """Others learn of two stages only; the rest would time this party's rows for them."""
        if stage is Stage.RESERVE:
            self._pipe.send(Entered("compute"))
