"""The gRPC lane: one bidirectional stream of raw frames between every two parties of a session.

Both sides show certificates over TLS 1.3 and accept the very ones of the plan's roster: the dialler
takes the peer's leaf as its only root, the listener compares what was shown with the roster. The
party that comes first in the roster dials. Frames carry a session tag that all parties of the run
share, not the session id T: that exists only after the Hellos, and is bound to both ends by the
confirmations of :mod:`mpc.session`, which travel here first.

Make a :class:`Listener` only after ``os.fork``: gRPC does not survive a fork.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import grpc

from mpc.errors import (
    Busy,
    ContractError,
    IdentityError,
    IntegrityError,
    ParleyError,
    PeerError,
    TransportError,
    UnknownStudy,
)
from mpc.roster import Member, Roster
from mpc.units import PARTIES_MAX, PartyId
from parties.channel import PeerChannel
from parties.dialling import Dialler, check_certificates, listening_options
from parties.frames import FrameReader
from parties.identity.certificates import parse_der, pem
from parties.identity.credentials import peer_member
from parties.waiting import ChannelLimits

METHOD = "/parley.Lane/Exchange"
STREAMS_OF_A_PEER_MAX = 2  # the one in use, and one to be refused
REASON_LENGTH_MAX = 300  # of a peer's words in our errors

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class LaneSettings:
    """When a silent peer counts as lost, and the limits of messages.

    3 and 4 s notice a frozen peer within 10 s on a LAN. Slow links need more: 5 and 10 s survive
    5 MB/s, and notice after 14 s.
    """

    keepalive_s: float = 3.0
    timeout_s: float = 4.0
    limits: ChannelLimits = field(default_factory=ChannelLimits)


class Listener:
    """One party's end of one session's lane: first a bound port, then connected peers.

    ``ports`` is the range to choose from, both ends included; (0, 0) lets the system choose.
    Nobody is heard until :meth:`connect` says who may come in. Raises TransportError if no port of
    the range is free.
    """

    def __init__(
        self,
        own: Member,
        tls_key_pem: bytes,
        host: str,
        ports: tuple[int, int],
        settings: LaneSettings,
    ) -> None:
        self._own = own
        self._key = tls_key_pem
        self._settings = settings
        self._admitted: tuple[Member, ...] = ()
        self._channel: PeerChannel | None = None
        self._server: grpc.Server | None = None
        self._reached: list[grpc.Channel] = []
        self._lock = threading.Lock()
        self._host = f"[{host}]" if ":" in host else host
        self._reserved = _reserve(host, ports)
        self._port = self._reserved.getsockname()[1]

    @property
    def address(self) -> str:
        """``host:port`` that peers dial."""
        return f"{self._host}:{self._port}"

    def connect(
        self,
        roster: Roster,
        session_tag: bytes,
        addresses: Mapping[PartyId, str],
        deadline_s: float,
    ) -> PeerChannel:
        """Meet every other party of ``roster``; those that come later in it are dialled.

        ``session_tag`` is the 8 bytes that all parties of the run share. Raises IdentityError
        saying which certificate is wrong and whose, or PeerError naming who did not come.
        """
        before, after = self._sides(roster)
        check_certificates((*before, self._own, *after))
        missing = [member.id for member in after if member.id not in addresses]
        if missing:
            raise ContractError(f"no address of {', '.join(missing)}")
        peers = tuple(member.id for member in (*before, *after))
        channel = PeerChannel(
            self._own.id, peers, session_tag, self._settings.limits, self._release
        )
        with self._lock:
            if self._channel is not None:
                raise ContractError("a listener serves one session")
            self._admitted, self._channel = before, channel
        if before:
            self._listen()
        for member in after:
            _in_thread(self._dial, channel, member, addresses[member.id], deadline_s)
        try:
            channel.wait_joined(deadline_s)
        except ParleyError:
            channel.close()
            raise
        return channel

    def close(self) -> None:
        """Give the port back; ends the session if there is one."""
        if self._channel is not None:
            self._channel.close()
        self._release()

    # --- dialling ------------------------------------------------------------------------------

    def _dial(self, channel: PeerChannel, peer: Member, address: str, deadline_s: float) -> None:
        settings = self._settings
        dialler = Dialler(self._own, self._key, settings.keepalive_s, settings.timeout_s)
        try:
            reached = dialler.reach(peer, address, deadline_s)
        except ParleyError as error:
            channel.fail(error, about=peer.id)
            return
        with self._lock:
            self._reached.append(reached)
        exchange: grpc.StreamStreamMultiCallable[bytes, bytes] = reached.stream_stream(METHOD)
        stream = exchange(channel.outgoing(peer.id))
        reader = channel.new_reader()
        try:
            channel.check_join(peer.id, reader, next(stream))
            if not channel.attach(peer.id):
                stream.cancel()
        except (grpc.RpcError, StopIteration, IntegrityError) as error:
            stream.cancel()
            channel.fail(_unwelcome(peer.id, error), about=peer.id)
        else:
            _read(channel, peer.id, reader, stream)

    # --- listening -----------------------------------------------------------------------------

    def _serve(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        channel = self._channel
        try:
            if channel is None:
                raise UnknownStudy("no session here")
            peer = peer_member(context, self._admitted).id
            reader = channel.new_reader()
            first = next(requests, b"")
            channel.check_join(peer, reader, first)
            if not channel.attach(peer):
                raise Busy(f"{peer} is in this session already, or it is over")
        except IdentityError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, error.message)
        except (IntegrityError, UnknownStudy, Busy) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.message)
        _in_thread(_read, channel, peer, reader, requests)
        yield from channel.outgoing(peer)

    def _listen(self) -> None:
        """Start to hear the roster's parties that dial us; no other passes the handshake."""
        settings = self._settings
        server = grpc.server(
            _DaemonThreads(),
            handlers=[_OneMethod(self._serve)],
            options=[
                *listening_options(settings.keepalive_s, settings.timeout_s),
                ("grpc.max_concurrent_streams", STREAMS_OF_A_PEER_MAX),
            ],
            maximum_concurrent_rpcs=STREAMS_OF_A_PEER_MAX * PARTIES_MAX,
        )
        credentials = grpc.ssl_server_credentials(
            [(self._key, pem(parse_der(self._own.tls_certificate)))],
            root_certificates=b"".join(
                pem(parse_der(member.tls_certificate)) for member in self._admitted
            ),
            require_client_auth=True,
        )
        try:
            server.add_secure_port(self.address, credentials)
        except RuntimeError:
            raise TransportError(f"port {self._port} of this party is taken") from None
        server.start()
        with self._lock:
            self._server = server

    def _sides(self, roster: Roster) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
        parties = tuple(roster.parties)
        if self._own not in parties:
            raise IdentityError(f"the roster does not list {self._own.id} with this certificate")
        place = parties.index(self._own)
        return parties[:place], parties[place + 1 :]

    def _release(self) -> None:
        with self._lock:
            reached, self._reached = self._reached, []
            server, self._server = self._server, None
        for channel in reached:
            channel.close()
        if server is not None:
            grace_s = self._settings.limits.close_s
            server.stop(grace_s).wait(grace_s)
        self._reserved.close()


class _OneMethod(grpc.GenericRpcHandler):
    """The lane's one method, on bytes as they are."""

    def __init__(
        self, serve: Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]
    ) -> None:
        self._method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            serve
        )

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._method if handler_call_details.method == METHOD else None


class _DaemonThreads(futures.ThreadPoolExecutor):
    """A thread a task, and none that keeps a failed process from ending."""

    def submit(
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> futures.Future[_T]:
        future: futures.Future[_T] = futures.Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        _in_thread(run)
        return future


def _in_thread(task: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
    threading.Thread(target=task, args=args, kwargs=kwargs, name="lane", daemon=True).start()


def _read(
    channel: PeerChannel, peer: PartyId, reader: FrameReader, incoming: Iterable[bytes]
) -> None:
    why = ""
    try:
        channel.take_in(peer, reader, incoming)
    except grpc.RpcError as error:
        why = _words(error)
    except Exception:  # what gRPC raises in a server when the caller is gone is of no fixed type
        why = "lost"
    channel.end(peer, why)


def _words(error: grpc.RpcError) -> str:
    details = error.details() if isinstance(error, grpc.Call) else None
    text = "".join(letter if letter.isprintable() else "?" for letter in details or "lost")
    return text[:REASON_LENGTH_MAX]


def _unwelcome(peer: PartyId, error: Exception) -> ParleyError:
    """Why a stream did not begin."""
    if isinstance(error, IntegrityError):
        return IntegrityError(error.what, party=peer)
    if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return IdentityError(f"{peer} refused this party: {_words(error)}")
        return PeerError(peer, f"did not take this party in: {_words(error)}")
    return PeerError(peer, "ended the connection at once")


def _reserve(host: str, ports: tuple[int, int]) -> socket.socket:
    """A bound socket that keeps a port of the range for this process, and does not listen.

    Bound without SO_REUSEADDR, so that it never shares; given it afterwards, so that gRPC's own
    socket, which has it, may bind beside it and listen (Linux: none of the others may listen).
    """
    low, high = ports
    if not 0 <= low <= high <= 65535:
        raise ContractError("a range of ports is two numbers from 0 to 65535, the lower first")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(low, high + 1):
        reserved = socket.socket(family, socket.SOCK_STREAM)
        try:
            reserved.bind((host, port))
        except OSError:
            reserved.close()
            continue
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return reserved
    raise TransportError(
        f"no free port from {low} to {high} on {host}", hint="widen the node's exchange.ports"
    )
