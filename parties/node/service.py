"""The node's control plane: what a pinned coordinator may ask of this party over mutual TLS."""

from __future__ import annotations

import grpc

from mpc.canonical import canonical_bytes
from mpc.units import PartyId, RunId
from parties.identity.trust import Trust
from parties.node.desk import Desk
from parties.node.proposals import Proposed
from parties.node.run_calls import RunCalls
from parties.node.studies import Studies
from parties.phases import phase_of
from parties.problems import unary
from parties.system import SOFTWARE_VERSION
from protos import control_pb2 as wire


class ControlService(RunCalls):
    """Every method first finds out who calls; only pinned coordinators are answered."""

    def __init__(
        self, trust: Trust, coordinators: tuple[PartyId, ...], desk: Desk, studies: Studies
    ) -> None:
        super().__init__(trust, coordinators, studies)
        self._desk = desk
        self._studies = studies

    @unary
    def Describe(
        self, request: wire.DescribeRequest, context: grpc.ServicerContext
    ) -> wire.Description:
        """Published schema, announced versions, and the noises that this party accepts."""
        self._caller(context)
        return wire.Description(
            party=self._trust.identity.member.id,
            organization=self._trust.identity.member.organization,
            software=SOFTWARE_VERSION,
            tables=canonical_bytes(self._desk.published()),
            noises=self._desk.noises,
        )

    @unary
    def Propose(self, request: wire.Proposal, context: grpc.ServicerContext) -> wire.Judgement:
        """Judge a plan; sign it if policy or a person says yes."""
        caller = self._caller(context)
        proposed = Proposed(request.study, request.roster, request.plan_digest, caller.id)
        return self._desk.judgement(proposed, dry_run=request.dry_run, fresh=request.fresh)

    @unary
    def Start(self, request: wire.StartRequest, context: grpc.ServicerContext) -> wire.Started:
        """Check all approvals, use up the own one if rows are read, and make a worker ready."""
        caller = self._caller(context)
        proposed = Proposed(request.study, request.roster, request.plan_digest, caller.id)
        return self._studies.start(proposed, tuple(request.approvals), phase_of(request))

    @unary
    def Collect(self, request: wire.RunRequest, context: grpc.ServicerContext) -> wire.Collected:
        """The committed share of a run: the same bytes for ever, also after a restart."""
        caller = self._caller(context)
        under_way = self._studies.under_way(request.run)  # asked first: a run may just commit
        return self._desk.collected(RunId(request.run), caller.id, under_way=under_way)
