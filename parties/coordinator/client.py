"""The coordinator's view of a party or dealer: each call has a deadline, each error names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from mpc.errors import ParleyError, PeerError, TransportError
from mpc.roster import Member
from mpc.units import PartyId, RunId
from parties.identity.credentials import KEEPALIVE_S, TIMEOUT_S, dial, explain_failure
from parties.identity.store import Identity
from parties.problems import raised_by
from protos import control_pb2 as wire
from protos.control_pb2_grpc import PartyStub

START_S = 90.0  # a worker is forked, and says where it listens
HEALTH_S = 5.0
CANCEL_S = 5.0
CALL_S = 60.0  # judging a plan: sixteen parties on one laptop take their time
WATCH_S = 4 * 3600.0  # a whole study

Reply = TypeVar("Reply")


class RunClient:
    """Calls to one pinned participant that takes part in runs, a party or a dealer: mutual TLS.

    One that answers no ping for ``timeout_s`` after ``keepalive_s`` of silence is lost.
    """

    def __init__(
        self,
        own: Identity,
        peer: Member,
        address: str,
        *,
        keepalive_s: float = KEEPALIVE_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.peer = peer
        self.address = address
        self._own = own
        self._channel = dial(address, own, peer, keepalive_s=keepalive_s, timeout_s=timeout_s)
        self._stub: Any = PartyStub(self._channel)  # type: ignore[no-untyped-call] # generated

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; calls that wait on it end too."""
        self._channel.close()

    def start(self, request: wire.StartRequest) -> wire.Started:
        """Hand over all approvals; a worker is then ready there."""
        return self._call(self._stub.Start, wire.Started, request, deadline_s=START_S)

    def connect(self, request: wire.ConnectRequest) -> wire.Connected:
        """Hand over all Hellos; the workers then run."""
        return self._call(self._stub.Connect, wire.Connected, request)

    def watch(self, run: RunId) -> Iterator[wire.Stage]:
        """Stages until the final one."""
        try:
            yield from self._stub.Watch(wire.RunRequest(run=run), timeout=WATCH_S)
        except grpc.RpcError as failure:
            raise self._error(failure) from None

    def cancel(self, run: RunId, reason: str) -> None:
        """End the run there, as far as it can be reached."""
        with contextlib.suppress(ParleyError):
            request = wire.CancelRequest(run=run, reason=reason)
            self._call(self._stub.Cancel, wire.Cancelled, request, deadline_s=CANCEL_S)

    def health(self) -> wire.HealthReport:
        """Whether it takes studies, and how many are under way."""
        return self._call(
            self._stub.Health, wire.HealthReport, wire.HealthRequest(), deadline_s=HEALTH_S
        )

    def _call(
        self, method: Any, kind: type[Reply], request: Any, deadline_s: float = CALL_S
    ) -> Reply:
        try:
            reply = method(request, timeout=deadline_s)
        except grpc.RpcError as failure:
            raise self._error(failure) from None
        if not isinstance(reply, kind):
            raise PeerError(self.peer.id, "answered with another kind of message")
        return reply

    def _error(self, failure: grpc.RpcError) -> ParleyError:
        raised = raised_by(failure, self.peer.id)
        if raised is not None:
            return raised
        code = failure.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return PeerError(self.peer.id, "did not answer within its deadline")
        if code is grpc.StatusCode.UNAVAILABLE:
            explained = explain_failure(self.address, self._own, self.peer)
            return explained or PeerError(self.peer.id, f"cannot be reached at {self.address}")
        return TransportError(f"call failed ({code.name})", party=self.peer.id)


class PartyClient(RunClient):
    """Calls to one pinned party: it has a table, judges plans, and holds a share of each result."""

    def describe(self) -> wire.Description:
        """Published schema and announced versions."""
        return self._call(self._stub.Describe, wire.Description, wire.DescribeRequest())

    def propose(self, proposal: wire.Proposal) -> wire.Judgement:
        """The party's judgement on a plan."""
        return self._call(self._stub.Propose, wire.Judgement, proposal)

    def collect(self, run: RunId) -> wire.Collected:
        """The committed share."""
        return self._call(self._stub.Collect, wire.Collected, wire.RunRequest(run=run))


Clients = Mapping[PartyId, PartyClient]
"""The parties of a study: they judge it, are charged for it, and hold shares. In roster order."""


@dataclass(frozen=True)
class LinkedClients:
    """All who take part in a study's runs: parties, and a dealer or none, who holds no share."""

    parties: Clients
    dealer: RunClient | None = None

    @property
    def all(self) -> Mapping[PartyId, RunClient]:
        """In the sequence of :attr:`mpc.roster.Roster.linked`."""
        behind = {} if self.dealer is None else {self.dealer.peer.id: self.dealer}
        return {**self.parties, **behind}
