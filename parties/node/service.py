"""The node's control plane: what a pinned coordinator may ask of this party over mutual TLS."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from mpc.canonical import canonical_bytes
from mpc.errors import UsageError
from mpc.roster import Member
from mpc.units import PartyId, RunId
from parties.identity.credentials import peer_member
from parties.identity.trust import Trust
from parties.node.desk import Desk
from parties.node.proposals import Proposed
from parties.node.studies import Studies
from parties.problems import streaming, unary
from parties.system import SOFTWARE_VERSION
from protos import control_pb2 as wire
from protos.control_pb2_grpc import PartyServicer

WATCH_S = 24 * 3600.0  # a watcher that saw no stage for this long is let go
PROPOSAL_BYTES_MAX = 512 << 10


class ControlService(PartyServicer):
    """Every method first finds out who calls; only pinned coordinators are answered."""

    def __init__(
        self, trust: Trust, coordinators: tuple[PartyId, ...], desk: Desk, studies: Studies
    ) -> None:
        self._trust = trust
        self._coordinators = coordinators
        self._desk = desk
        self._studies = studies

    def _caller(self, context: grpc.ServicerContext) -> Member:
        caller = peer_member(context, self._trust.coordinators(self._coordinators))
        self._trust.check(caller)
        return caller

    @unary
    def Describe(
        self, request: wire.DescribeRequest, context: grpc.ServicerContext
    ) -> wire.Description:
        """Published schema and announced versions."""
        self._caller(context)
        return wire.Description(
            party=self._trust.identity.member.id,
            organization=self._trust.identity.member.organization,
            software=SOFTWARE_VERSION,
            tables=canonical_bytes(self._desk.published()),
        )

    @unary
    def Propose(self, request: wire.Proposal, context: grpc.ServicerContext) -> wire.Judgement:
        """Judge a plan; sign it if policy or a person says yes."""
        caller = self._caller(context)
        if len(request.study) > PROPOSAL_BYTES_MAX or len(request.roster) > PROPOSAL_BYTES_MAX:
            raise UsageError(f"a study and a roster have at most {PROPOSAL_BYTES_MAX} bytes each")
        proposed = Proposed(request.study, request.roster, request.plan_digest, caller.id)
        return self._desk.judgement(proposed, dry_run=request.dry_run, fresh=request.fresh)

    @unary
    def Start(self, request: wire.StartRequest, context: grpc.ServicerContext) -> wire.Started:
        """Check all approvals, use up the own one, and make a worker ready."""
        caller = self._caller(context)
        return self._studies.start(request.plan_digest, tuple(request.approvals), caller.id)

    @unary
    def Connect(
        self, request: wire.ConnectRequest, context: grpc.ServicerContext
    ) -> wire.Connected:
        """Let the worker meet its peers and run."""
        caller = self._caller(context)
        return self._studies.connect(request, caller.id)

    @streaming
    def Watch(
        self, request: wire.RunRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.Stage]:
        """Stages of a run, from its first, until it is over."""
        caller = self._caller(context)
        run = self._studies.run(request.run, caller.id)
        with self._studies.watched(caller.id):
            for stage in run.follow(WATCH_S):
                yield wire.Stage(name=stage)
        problem = None if run.problem is None else wire.Problem(**run.problem)
        yield wire.Stage(name="over", final=run.over, problem=problem)

    @unary
    def Collect(self, request: wire.RunRequest, context: grpc.ServicerContext) -> wire.Collected:
        """The committed share of a run: the same bytes for ever, also after a restart."""
        caller = self._caller(context)
        under_way = self._studies.under_way(request.run)  # asked first: a run may just commit
        return self._desk.collected(RunId(request.run), caller.id, under_way=under_way)

    @unary
    def Cancel(self, request: wire.CancelRequest, context: grpc.ServicerContext) -> wire.Cancelled:
        """End a run that has not committed; what was committed stays charged."""
        caller = self._caller(context)
        return wire.Cancelled(was_running=self._studies.cancel(request.run, caller.id))

    @unary
    def Health(
        self, request: wire.HealthRequest, context: grpc.ServicerContext
    ) -> wire.HealthReport:
        """Whether this node takes studies. Its operator may ask too, with its own identity."""
        own = self._trust.identity.member
        peer_member(context, (*self._trust.coordinators(self._coordinators), own))
        return wire.HealthReport(
            ready=True,
            party=self._trust.identity.member.id,
            software=SOFTWARE_VERSION,
            runs=self._studies.count(),
        )
