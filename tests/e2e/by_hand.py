"""A coordinator whose every step a test takes itself, and may take wrongly."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType

from federation import Consortium

from mpc.canonical import canonical_bytes
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.session.agreement import Agreement
from mpc.session.approval import Approval
from mpc.session.establish import CoordinatorPairing, OwnHello, make_hello
from mpc.study.canonical import study_to_plain
from mpc.study.model import Study
from mpc.units import PartyId, RunId
from parties.coordinator.client import PartyClient
from parties.coordinator.office import Office
from parties.system import SystemClock, SystemRandomness
from protos import control_pb2 as wire


class ByHand:
    """Connections to every party as one coordinator, for as long as the block lasts."""

    def __init__(self, consortium: Consortium, office: Office | None = None) -> None:
        self._office = office or consortium.office
        self._consortium = consortium
        self._stack = contextlib.ExitStack()
        self.clients: dict[str, PartyClient] = {}
        self.started: dict[str, wire.Started] = {}

    def __enter__(self) -> ByHand:
        for party in self._consortium.parties:
            client = self._consortium.client(party, self._office)
            self.clients[party] = self._stack.enter_context(client)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for party, reply in self.started.items():
            self.clients[party].cancel(RunId(reply.run), "the test is over")
        self._stack.close()

    # --- proposals -----------------------------------------------------------------------------

    def propose(
        self,
        party: str,
        plan: Plan,
        *,
        study: Study | None = None,
        roster: Roster | None = None,
        fresh: bool = False,
    ) -> wire.Judgement:
        """What ``party`` says to ``plan``, or to its digest with another study or roster."""
        proposal = wire.Proposal(
            study=canonical_bytes(study_to_plain(study or plan.study)),
            roster=canonical_bytes((roster or plan.roster).to_plain()),
            plan_digest=plan.digest,
            fresh=fresh,
        )
        return self.clients[party].propose(proposal)

    def approval(self, party: str, plan: Plan, *, fresh: bool = False) -> bytes:
        judgement = self.propose(party, plan, fresh=fresh)
        assert judgement.verdict == wire.Judgement.APPROVED, judgement
        return judgement.approval

    def approvals(self, plan: Plan, *, fresh: bool = False) -> list[bytes]:
        """One of every party, in roster order."""
        return [self.approval(party, plan, fresh=fresh) for party in self.clients]

    # --- runs ----------------------------------------------------------------------------------

    def start(self, party: str, digest: str, approvals: Sequence[bytes]) -> wire.Started:
        request = wire.StartRequest(plan_digest=digest, approvals=list(approvals))
        started = self.clients[party].start(request)
        self.started[party] = started
        return started

    def start_all(self, plan: Plan, approvals: Sequence[bytes]) -> RunId:
        runs = {self.start(party, plan.digest, approvals).run for party in self.clients}
        (run,) = runs
        return RunId(run)

    def hello(self, plan: Plan, approvals: Sequence[bytes]) -> OwnHello:
        read = [Approval.from_bytes(each) for each in approvals]
        agreement = Agreement.of(plan, read, SystemClock().unix_s())
        identity = self._office.identity
        return make_hello(agreement, identity.member.id, identity.sign, SystemRandomness())

    def hellos(self, own: OwnHello) -> tuple[bytes, ...]:
        """Every Hello of the runs that were started, the coordinator's last."""
        return (*(self.started[party].hello for party in self.clients), own.data)

    def connect(
        self, party: str, run: str, hellos: Sequence[bytes], pairing: CoordinatorPairing
    ) -> wire.Connected:
        request = wire.ConnectRequest(
            run=run,
            addresses=[
                wire.Address(party=each, address=said.address, direct=said.direct)
                for each, said in self.started.items()
            ],
            hellos=list(hellos),
            confirmation=pairing.confirmations[PartyId(party)],
        )
        return self.clients[party].connect(request)

    def connected(self, plan: Plan) -> RunId:
        """An honest run of ``plan``, up to where the workers go on by themselves."""
        approvals = self.approvals(plan)
        run = self.start_all(plan, approvals)
        own = self.hello(plan, approvals)
        hellos = self.hellos(own)
        pairing = own.agree_as_coordinator(hellos)
        for party in self.clients:
            pairing.check(PartyId(party), self.connect(party, run, hellos, pairing).confirmation)
        return run

    def watched(self, party: str, run: RunId) -> wire.Problem:
        """How the run ended there; no code if it committed."""
        *_, last = self.clients[party].watch(run)
        assert last.final
        return last.problem
