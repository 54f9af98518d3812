"""Every party of a study, and its dealer, inside this process, a thread each.

Plan, approvals, handshake, engine, charge, noise and the one door are the product's. Replaced is
what lies outside ``mpc``: rows are whatever tables are given, messages go over the in-memory
network, the ledger is forgotten with the process, and certificates are self-signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mpc.flow import Tools, run_study
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.plan.programs import recipes_of
from mpc.ports import Channel, ChargeTerms, Ledger, Randomness
from mpc.privacy.budget import Budget
from mpc.privacy.sampler import NoiseSource
from mpc.protocols.opening import Computation
from mpc.questions.answer import Answer
from mpc.ring.words import from_bytes
from mpc.sampling import discrete_gaussian
from mpc.secret.engine import Engine
from mpc.secret.reference import ReferenceEngine, ZeroMasks
from mpc.session.agreement import BUILD, Agreement
from mpc.session.approval import Approval
from mpc.session.dealing import computation_with, dealt_supply
from mpc.session.establish import CoordinatorPairing, OwnHello, make_hello
from mpc.session.hello import session_id
from mpc.session.session import Session
from mpc.session.share import COMMITMENT_SIZE, ReleasedShare, check_shares, opening_id
from mpc.session.witnessing import Witnessing
from mpc.study.model import Study
from mpc.table.model import BoundedTable
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Ends, Fault, Network, together
from mpc.testing.participants import Participant, roster_of
from mpc.testing.sessions import NOW_UNIX_S, approvals_of
from mpc.testing.simulated import Time
from mpc.units import DeltaAtto, PartyId, RhoPico, Role, RunId

DOMAIN = "population"
COORDINATOR = "coordinator"
SOFTWARE = "mpc.testing"
_RHO_CAP = RhoPico(10**18)
_DELTA_CAP = DeltaAtto(10**18)
_RESERVE_S = 600
_COMMITMENT = bytes(COMMITMENT_SIZE)  # rows in memory are no file to commit to


class Crash(Exception):
    """A party's process ends here as if it were killed. Raised by what a test hands in."""


@dataclass(frozen=True, repr=False)
class Released:
    """One run: the opened integers, their answers, each party's message, what the network saw."""

    totals: tuple[int, ...]
    answers: tuple[Answer, ...]
    messages: Mapping[PartyId, bytes]
    network: Network


@dataclass(frozen=True, repr=False)
class Attempt:
    """One run as each participant ended it, before a coordinator collects anything."""

    run: RunId
    ends: Ends[bytes]
    network: Network
    agreement: Agreement
    said: Sequence[bytes]


class InProcessParties:
    """The parties and the coordinator of ``study``; each :meth:`run` is a run of its own.

    ``tables`` has every party's. ``randomness`` makes keys, nonces and masks; noise comes from the
    source that a run gives each party; ``engine`` computes on what a session masks. ``ledgers``
    outlive the runs, and whatever ends them.
    """

    def __init__(
        self,
        study: Study,
        tables: Mapping[str, BoundedTable],
        randomness: Randomness,
        engine: Callable[[ZeroMasks], Engine] = ReferenceEngine,
    ) -> None:
        self._tables = tables
        self._randomness = randomness
        self._engine = engine
        roles = [(party, Role.PARTY) for party in study.parties]
        roles += [] if study.dealer is None else [(study.dealer, Role.DEALER)]
        roles.append((COORDINATOR, Role.COORDINATOR))
        self._participants = tuple(Participant.make(name, role, randomness) for name, role in roles)
        self.plan: Plan = plan_study(study, roster_of(self._participants))
        self.ledgers: dict[PartyId, Ledger] = {
            participant.id: self._ledger() for participant in self._own_parties
        }

    @property
    def _own_parties(self) -> tuple[Participant, ...]:
        return tuple(each for each in self._participants if each.member.role is Role.PARTY)

    def _ledger(self) -> MemoryLedger:
        ledger = MemoryLedger()
        ledger.create_domain(DOMAIN, self.plan.study.protected, _RHO_CAP, _DELTA_CAP)
        return ledger

    def run(
        self,
        sources: Mapping[PartyId, NoiseSource],
        *,
        build: str = BUILD,
        wait_s: float = 30.0,
    ) -> Released:
        """Run the study once. ``build`` is the coordinator's mechanism; a party's is its source's.

        Raises IntegrityError if those differ, and the first error of any party, in roster order.
        Opens: the noised totals, to the caller. Cost: 2 rounds in memory.
        """
        attempt = self.attempt(sources, build=build, wait_s=wait_s)
        return self.combine(attempt, attempt.ends.all())

    def attempt(
        self,
        sources: Mapping[PartyId, NoiseSource],
        *,
        build: str = BUILD,
        wait_s: float = 30.0,
        faults: Sequence[Fault] = (),
        time: Callable[[Sequence[PartyId]], Time] | None = None,
    ) -> Attempt:
        """One run over a network with ``faults``, in ``time``: how everyone ended, nothing added.

        A party that raises :class:`Crash` takes its links along and settles nothing. One that ends
        otherwise settles its charge before any peer hears of it, as a worker does. Raises
        IntegrityError as :meth:`run` does. Opens: nothing.
        """
        approvals = approvals_of(self.plan, self._participants, self._randomness)
        builds = {party: source.build for party, source in sources.items()}
        hellos = [
            self._hello(participant, approvals, builds.get(participant.id, build))
            for participant in self._participants
        ]
        said = [hello.data for hello in hellos]
        pairing = hellos[-1].agree_as_coordinator(said)
        linked = [hello.own for hello in hellos[:-1]]
        network = Network(
            linked, wait_s=wait_s, faults=faults, time=None if time is None else time(linked)
        )

        def end(hello: OwnHello, channel: Channel) -> bytes:
            try:
                if hello.own == self.plan.study.dealer:
                    return self._deal(hello, said, pairing, channel)
                return self._take_part(hello, said, pairing, channel, sources[hello.own])
            except Crash:
                network.kill(hello.own)
                raise
            finally:
                channel.close()

        tasks = {
            hello.own: network.until_ended(hello.own, partial(end, hello, channel))
            for hello, channel in zip(hellos[:-1], network.channels, strict=True)
        }
        agreement = hellos[-1].agreement
        return Attempt(agreement.run, together(tasks), network, agreement, said)

    def _take_part(
        self,
        hello: OwnHello,
        said: list[bytes],
        coordinator: CoordinatorPairing,
        channel: Channel,
        source: NoiseSource,
    ) -> bytes:
        try:
            pairing = hello.agree(said, coordinator.confirmations[hello.own])
            coordinator.check(hello.own, pairing.for_coordinator)
            return self._compute(pairing.confirm(channel), channel, source)
        except Crash:
            raise
        except Exception:
            self.ledgers[hello.own].fail(hello.agreement.run)
            raise

    def _deal(
        self,
        hello: OwnHello,
        said: list[bytes],
        coordinator: CoordinatorPairing,
        channel: Channel,
    ) -> bytes:
        pairing = hello.agree_as_dealer(said, coordinator.confirmations[hello.own])
        sampler = partial(discrete_gaussian, self._randomness)
        pairing.confirm(channel).deal(channel, recipes_of(self.plan), sampler)
        return b""

    def _hello(
        self, participant: Participant, approvals: tuple[Approval, ...], build: str
    ) -> OwnHello:
        agreement = Agreement.of(self.plan, approvals, NOW_UNIX_S, build=build)
        return make_hello(agreement, participant.id, participant.sign, self._randomness)

    def _compute(self, session: Session, channel: Channel, source: NoiseSource) -> bytes:
        ledger = self.ledgers[session.own]
        among = session.among_parties(channel)
        witnessing = Witnessing(ledger)
        tools = Tools(
            engine=self._engine(session.zero_sharing),
            budget=Budget(ledger),
            ledger=ledger,
            source=source,
            randomness=self._randomness,
            settle=lambda: None,
            gather=lambda: session.exchange_ready(among, session.gathering, witnessing),
            computation=self._computation(session, channel),
            agree=lambda: session.exchange_ready(among, session.opening, witnessing),
            seal=lambda masked: session.seal(
                session.opening, from_bytes(masked), _COMMITMENT, SOFTWARE
            ),
            opening=session.opening,
        )
        table = self._tables[session.own]
        return run_study(self.plan, table, self._terms(session), tools, lambda _stage: None)

    def _computation(self, session: Session, channel: Channel) -> Computation | None:
        recipes = recipes_of(self.plan)
        if not recipes:
            return None
        supply = dealt_supply(session, channel, recipes)
        return computation_with(session, channel, recipes, supply)

    def _terms(self, session: Session) -> ChargeTerms:
        study = self.plan.study
        return ChargeTerms(
            run=session.run,
            domain=DOMAIN,
            plan_digest=self.plan.digest,
            study=study.id,
            partner=self.plan.roster.coordinator.organization,
            coordinator=self.plan.roster.coordinator.id,
            lead=study.lead.name,
            lead_organization=study.lead.organization,
            purpose=study.purpose,
            approved_by="policy",
            unit=self.plan.study.protected,
            expires_unix_s=NOW_UNIX_S + _RESERVE_S,
        )

    def combine(self, attempt: Attempt, collected: Mapping[PartyId, bytes]) -> Released:
        """What the coordinator does with every party's message, ``collected`` from the outboxes.

        Raises as :func:`mpc.session.share.check_shares` does. Opens: the noised totals.
        """
        plan, agreement = self.plan, attempt.agreement
        messages = {party: collected[party] for party in agreement.parties}
        shares = [ReleasedShare.from_bytes(message) for message in messages.values()]
        session = session_id(list(attempt.said))
        check_shares(plan.roster, plan.digest, agreement.run, session, opening_id(session), shares)
        totals = combine_shares(plan, [share.words for share in shares])
        return Released(tuple(totals), decode_totals(plan, totals), messages, attempt.network)
