"""Every party of a study, and its dealer, inside this process, a thread each.

Plan, approvals, handshake, engine, charge, noise and the one door are the product's. Replaced is
what lies outside ``mpc``: rows are whatever tables are given, messages go over the in-memory
network, the ledger is forgotten with the process, and certificates are self-signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from mpc.flow import Tools, run_study
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.plan.programs import recipes_of
from mpc.ports import Channel, ChargeTerms, Randomness
from mpc.privacy.budget import Budget
from mpc.privacy.sampler import NoiseSource
from mpc.protocols.opening import Computation
from mpc.questions.answer import Answer
from mpc.ring.words import from_bytes
from mpc.secret.reference import ReferenceEngine
from mpc.session.agreement import BUILD, Agreement
from mpc.session.approval import Approval
from mpc.session.dealing import computation_with, dealt_supply
from mpc.session.establish import OwnHello, make_hello
from mpc.session.hello import session_id
from mpc.session.session import Session
from mpc.session.share import COMMITMENT_SIZE, ReleasedShare, check_shares, opening_id
from mpc.study.model import Study
from mpc.table.model import BoundedTable
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Network, together
from mpc.testing.participants import Participant, roster_of
from mpc.testing.sessions import NOW_UNIX_S, approvals_of
from mpc.units import DeltaAtto, PartyId, RhoPico, Role

DOMAIN = "population"
COORDINATOR = "coordinator"
SOFTWARE = "mpc.testing"
_RHO_CAP = RhoPico(10**18)
_DELTA_CAP = DeltaAtto(10**18)
_RESERVE_S = 600
_COMMITMENT = bytes(COMMITMENT_SIZE)  # rows in memory are no file to commit to


@dataclass(frozen=True, repr=False)
class Released:
    """One run: the opened integers, their answers, each party's message, what the network saw."""

    totals: tuple[int, ...]
    answers: tuple[Answer, ...]
    messages: Mapping[PartyId, bytes]
    network: Network


class InProcessParties:
    """The parties and the coordinator of ``study``; each :meth:`run` is a run of its own.

    ``tables`` has every party's. ``randomness`` makes keys, nonces and masks; noise comes from the
    source that a run gives each party. ``ledgers`` outlive the runs.
    """

    def __init__(
        self, study: Study, tables: Mapping[str, BoundedTable], randomness: Randomness
    ) -> None:
        self._tables = tables
        self._randomness = randomness
        roles = [(party, Role.PARTY) for party in study.parties]
        roles += [] if study.dealer is None else [(study.dealer, Role.DEALER)]
        roles.append((COORDINATOR, Role.COORDINATOR))
        self._participants = tuple(Participant.make(name, role, randomness) for name, role in roles)
        self.plan: Plan = plan_study(study, roster_of(self._participants))
        self.ledgers = {participant.id: self._ledger() for participant in self._own_parties}

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
        approvals = approvals_of(self.plan, self._participants, self._randomness)
        builds = {party: source.build for party, source in sources.items()}
        hellos = [
            self._hello(participant, approvals, builds.get(participant.id, build))
            for participant in self._participants
        ]
        said = [hello.data for hello in hellos]
        coordinator = hellos[-1].agree_as_coordinator(said)
        network = Network([hello.own for hello in hellos[:-1]], wait_s=wait_s)
        channels = {channel.own: channel for channel in network.channels}

        def take_part(hello: OwnHello) -> bytes:
            channel = channels[hello.own]
            try:
                pairing = hello.agree(said, coordinator.confirmations[hello.own])
                coordinator.check(hello.own, pairing.for_coordinator)
                session = pairing.confirm(channel)
                return self._compute(session, channel, sources[hello.own])
            finally:
                channel.close()

        def deal(hello: OwnHello) -> bytes:
            channel = channels[hello.own]
            try:
                pairing = hello.agree_as_dealer(said, coordinator.confirmations[hello.own])
                pairing.confirm(channel).deal(channel, recipes_of(self.plan))
                return b""
            finally:
                channel.close()

        tasks = {
            hello.own: partial(deal if hello.own == self.plan.study.dealer else take_part, hello)
            for hello in hellos[:-1]
        }
        ended = together(tasks).all()
        messages = {party: ended[party] for party in hellos[-1].agreement.parties}
        return self._combined(hellos[-1].agreement, said, messages, network)

    def _hello(
        self, participant: Participant, approvals: tuple[Approval, ...], build: str
    ) -> OwnHello:
        agreement = Agreement.of(self.plan, approvals, NOW_UNIX_S, build=build)
        return make_hello(agreement, participant.id, participant.sign, self._randomness)

    def _compute(self, session: Session, channel: Channel, source: NoiseSource) -> bytes:
        ledger = self.ledgers[session.own]
        among = session.among_parties(channel)
        tools = Tools(
            engine=ReferenceEngine(session.zero_sharing),
            budget=Budget(ledger),
            ledger=ledger,
            source=source,
            settle=lambda: None,
            gather=lambda: session.exchange_ready(among, session.gathering),
            computation=self._computation(session, channel),
            agree=lambda: session.exchange_ready(among, session.opening),
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
            purpose=study.purpose,
            approved_by="policy",
            unit=self.plan.study.protected,
            expires_unix_s=NOW_UNIX_S + _RESERVE_S,
        )

    def _combined(
        self,
        agreement: Agreement,
        said: list[bytes],
        messages: Mapping[PartyId, bytes],
        network: Network,
    ) -> Released:
        """What the coordinator does with every party's message."""
        plan, session = self.plan, session_id(said)
        shares = [ReleasedShare.from_bytes(messages[party]) for party in agreement.parties]
        check_shares(plan.roster, plan.digest, agreement.run, session, opening_id(session), shares)
        totals = combine_shares(plan, [share.words for share in shares])
        return Released(tuple(totals), decode_totals(plan, totals), messages, network)
