"""The calls that concern a run under way, as a party's node and a dealer answer them."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from mpc.roster import Member
from mpc.units import PartyId
from parties.identity.credentials import peer_member
from parties.identity.trust import Trust
from parties.node.following import Following
from parties.problems import streaming, unary
from parties.system import SOFTWARE_VERSION
from protos import control_pb2 as wire
from protos.control_pb2_grpc import PartyServicer

WATCH_S = 24 * 3600.0  # a watcher that saw no stage for this long is let go


class RunCalls(PartyServicer):
    """Every method first finds out who calls; only pinned coordinators are answered."""

    def __init__(
        self, trust: Trust, coordinators: tuple[PartyId, ...], following: Following
    ) -> None:
        self._trust = trust
        self._coordinators = coordinators
        self._following = following

    def _caller(self, context: grpc.ServicerContext) -> Member:
        caller = peer_member(context, self._trust.coordinators(self._coordinators))
        self._trust.check(caller)
        return caller

    @unary
    def Connect(
        self, request: wire.ConnectRequest, context: grpc.ServicerContext
    ) -> wire.Connected:
        """Let the worker meet its peers and run."""
        caller = self._caller(context)
        return self._following.connect(request, caller.id)

    @streaming
    def Watch(
        self, request: wire.RunRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.Stage]:
        """Stages of a run, from its first, until it is over."""
        caller = self._caller(context)
        run = self._following.run(request.run, caller.id)
        with self._following.watched(caller.id):
            for stage in run.follow(WATCH_S):
                yield wire.Stage(name=stage)
        problem = None if run.problem is None else wire.Problem(**run.problem)
        yield wire.Stage(name="over", final=run.over, problem=problem)

    @unary
    def Cancel(self, request: wire.CancelRequest, context: grpc.ServicerContext) -> wire.Cancelled:
        """End a run that has not committed; what was committed stays charged."""
        caller = self._caller(context)
        return wire.Cancelled(was_running=self._following.cancel(request.run, caller.id))

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
            runs=self._following.count(),
        )
