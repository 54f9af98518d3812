"""One phase of one run, with everyone who is present in it: started, connected, watched.

What a phase is for, and what the coordinator writes down of it, is its caller's. The first failure
anywhere is raised, naming who; calling the others off is the caller's, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from mpc.canonical import canonical_bytes
from mpc.errors import ContractError, IntegrityError, PeerError, StudyAborted, TransportError
from mpc.plan.model import Plan
from mpc.ports import Randomness
from mpc.session.agreement import Agreement, Phase
from mpc.session.approval import Approval
from mpc.session.establish import CoordinatorPairing, make_hello
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, RunId
from parties.coordinator.asking import call_all
from parties.coordinator.client import LinkedClients, RunClient
from parties.identity.store import Identity
from parties.phases import NAMED
from parties.problems import from_problem
from protos import control_pb2 as wire

GRACE_S = 3.0
CANCEL_S = 2.0

Progress = Callable[[PartyId, str], None]
"""Told each stage that each party and the dealer enter, as they do."""

_DONE: Mapping[Phase, str] = {
    Phase.WHOLE: "committed",
    Phase.PREPARING: "prepared",
    Phase.PREPARED: "committed",
}
"""What a party's good end is called; a dealer's is DEALT in every phase."""
DEALT = "dealt"


class Gathering:
    """A coordinator's hand on all who are present in one phase of one run.

    ``done``: the parties that came to its good end; ``lost``: whose connection broke meanwhile;
    ``approvals_used``: parties were told to start, which uses their approvals up.
    """

    def __init__(
        self,
        own: Identity,
        linked: LinkedClients,
        agreement: Agreement,
        randomness: Randomness,
        progress: Progress,
    ) -> None:
        """``linked`` are those present: without the dealer if ``agreement`` is for PREPARED."""
        if set(linked.all) != set(agreement.linked):
            raise ContractError("the connections are not those of the participants")
        self.run: RunId = agreement.run
        self.phase = agreement.phase
        self.done: set[PartyId] = set()
        self.lost: set[PartyId] = set()
        self.approvals_used = False
        self._agreement = agreement
        self._linked = linked.all
        self._parties = linked.parties
        self._progress = progress
        self._own = make_hello(agreement, own.member.id, own.sign, randomness)
        self._started: Mapping[PartyId, wire.Started] = {}

    def start(self, plan: Plan, approvals: Sequence[Approval]) -> tuple[bytes, ...]:
        """Hand over all approvals, so that workers are ready; the Hellos of everyone.

        The dealer first, if it takes part: should it not deal for this study, no party has used up
        an approval.
        """
        known = wire.StartRequest(
            plan_digest=plan.digest,
            approvals=[approval.to_bytes() for approval in approvals],
            phase=NAMED[self.phase],
        )
        whole = wire.StartRequest(
            study=canonical_bytes(study_to_plain(plan.study)),
            roster=canonical_bytes(plan.roster.to_plain()),
        )
        whole.MergeFrom(known)

        def start(client: RunClient) -> wire.Started:
            # A node may have been started anew since it approved what is prepared.
            knows = client.peer.id in self._parties and self.phase is not Phase.PREPARED
            return client.start(known if knows else whole)

        dealers = {each: c for each, c in self._linked.items() if each not in self._parties}
        dealing = call_all(dealers, start) if dealers else {}
        self.approvals_used = self.phase is not Phase.PREPARING
        self._started = {**call_all(self._parties, start), **dealing}
        for party, reply in self._started.items():
            if reply.run != self.run:
                raise IntegrityError("it started another run than was agreed", party=party)
        return (*(self._started[member].hello for member in self._agreement.linked), self._own.data)

    def pair(self, hellos: tuple[bytes, ...]) -> CoordinatorPairing:
        """The keys that ``hellos`` make. Raises IntegrityError naming whose Hello is wrong."""
        return self._own.agree_as_coordinator(hellos)

    def connect(self, hellos: tuple[bytes, ...], pairing: CoordinatorPairing) -> None:
        """Hand over all Hellos and addresses; from here on the workers go on by themselves."""
        addresses = [
            wire.Address(party=party, address=reply.address, direct=reply.direct)
            for party, reply in self._started.items()
        ]

        def connect(client: RunClient) -> wire.Connected:
            return client.connect(
                wire.ConnectRequest(
                    run=self.run,
                    addresses=addresses,
                    hellos=hellos,
                    confirmation=pairing.confirmations[client.peer.id],
                )
            )

        for party, connected in call_all(self._linked, connect).items():
            pairing.check(party, connected.confirmation)

    def watch(self) -> None:
        """Follow everyone to the phase's end: of all parties, and of a dealer.

        Raises what tells most once one has failed. The others of a failed one end by themselves
        within seconds, or commit if all were READY: they get GRACE_S for it.
        """
        pool = ThreadPoolExecutor(len(self._linked))
        watching = {
            member: pool.submit(self._follow, client) for member, client in self._linked.items()
        }
        pool.shutdown(wait=False)  # a thread that waits for a lost party ends with its connection
        done, _ = wait(watching.values(), return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            wait(watching.values(), GRACE_S)
        failures = {
            member: failure
            for member, future in watching.items()
            if future.done() and (failure := future.exception())
        }
        if failures:
            raise min(failures.items(), key=_tells_of_another)[1]

    def cancel(self) -> None:
        """End the run wherever it did not commit, as far as parties answer soon."""
        reachable = [c for member, c in self._linked.items() if member not in self.lost]
        if reachable:
            pool = ThreadPoolExecutor(len(reachable))
            reason = "the study ended elsewhere"
            wait([pool.submit(client.cancel, self.run, reason) for client in reachable], CANCEL_S)
            pool.shutdown(wait=False)

    def _follow(self, client: RunClient) -> None:
        member = client.peer.id
        problem = self._last_stage(client).problem
        if problem.code:
            raise from_problem(problem.code, problem.message, problem.party or member)
        if member not in self._parties:
            self._progress(member, DEALT)
            return
        self.done.add(member)
        self._progress(member, _DONE[self.phase])

    def _last_stage(self, client: RunClient) -> wire.Stage:
        member = client.peer.id
        try:
            for stage in client.watch(self.run):
                if stage.final:
                    return stage
                self._progress(member, stage.name)
        except (PeerError, TransportError) as error:
            self.lost.add(member)
            error.what = f"was lost while the study ran: {error.what}"
            raise
        raise StudyAborted("its node stopped reporting", party=member)


def approvals_of(plan: Plan, judgements: Mapping[PartyId, wire.Judgement]) -> tuple[Approval, ...]:
    """What every party sent for its approval, in roster order.

    Raises IntegrityError naming whose cannot be one.
    """
    return tuple(
        _approval(member.id, judgements[member.id].approval) for member in plan.roster.parties
    )


def _approval(party: PartyId, data: bytes) -> Approval:
    approval = Approval.from_sender(data, party)
    if approval.party != party:
        raise IntegrityError("its approval is another party's", party=party)
    return approval


def _tells_of_another(failure: tuple[PartyId, BaseException]) -> bool:
    """Whether somebody failed because of another: then that one's own word, if any, says more."""
    member, error = failure
    return isinstance(error, PeerError) and error.party != member
