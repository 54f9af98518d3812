"""The dealer's control plane: what a pinned coordinator may ask of it over mutual TLS."""

from __future__ import annotations

import grpc

from mpc.errors import UsageError
from mpc.units import PartyId
from parties.dealer.dealings import Dealings
from parties.identity.trust import Trust
from parties.node.proposals import Proposed
from parties.node.run_calls import RunCalls
from parties.phases import phase_of
from parties.problems import unary
from protos import control_pb2 as wire


class DealerService(RunCalls):
    """A party's service as far as runs go. It has no table, approves no plan, and has no share."""

    def __init__(self, trust: Trust, coordinators: tuple[PartyId, ...], dealings: Dealings) -> None:
        super().__init__(trust, coordinators, dealings)
        self._dealings = dealings

    @unary
    def Start(self, request: wire.StartRequest, context: grpc.ServicerContext) -> wire.Started:
        """Check the plan and all approvals, and make a worker ready."""
        caller = self._caller(context)
        proposed = Proposed(request.study, request.roster, request.plan_digest, caller.id)
        return self._dealings.start(proposed, tuple(request.approvals), phase_of(request))

    @unary
    def Describe(
        self, request: wire.DescribeRequest, context: grpc.ServicerContext
    ) -> wire.Description:
        """Refused: a dealer has no table."""
        self._caller(context)
        raise UsageError("a dealer has no table", party=self._trust.identity.member.id)

    @unary
    def Propose(self, request: wire.Proposal, context: grpc.ServicerContext) -> wire.Judgement:
        """Refused: a plan is its parties' to approve."""
        self._caller(context)
        raise UsageError("a dealer approves no plan", party=self._trust.identity.member.id)

    @unary
    def Collect(self, request: wire.RunRequest, context: grpc.ServicerContext) -> wire.Collected:
        """Refused: a dealer has no share of a result."""
        self._caller(context)
        raise UsageError("a dealer has no share", party=self._trust.identity.member.id)
