"""The gRPC lane: one bidirectional stream of raw frames between every two parties of a session.

Both sides show certificates over TLS 1.3 and accept the very ones of the plan's roster: the dialler
takes the peer's leaf as its only root, the listener compares what was shown with the roster.

Make a :class:`Listener` only after ``os.fork``: gRPC does not survive a fork.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import ParamSpec, TypeVar

import grpc

from mpc.errors import (
    Busy,
    IdentityError,
    IntegrityError,
    ParleyError,
    PeerError,
    TransportError,
    UnknownStudy,
)
from mpc.roster import Member
from mpc.units import PARTIES_MAX, PartyId
from parties.channel import PeerChannel
from parties.dialling import Dialler, listening_options
from parties.frames import FrameReader
from parties.identity.certificates import parse_der, pem
from parties.identity.credentials import peer_member
from parties.listening import LaneListener, LaneSettings, Peers, Port

METHOD = "/parley.Lane/Exchange"
STREAMS_OF_A_PEER_MAX = 2  # the one in use, and one to be refused
REASON_LENGTH_MAX = 300  # of a peer's words in our errors

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Listener(LaneListener):
    """One party's end of a session over gRPC. Make it only after ``os.fork``."""

    def __init__(self, own: Member, tls_key_pem: bytes, port: Port, settings: LaneSettings) -> None:
        super().__init__(own, tls_key_pem, port, settings)
        self._admitted: tuple[Member, ...] = ()
        self._server: grpc.Server | None = None
        self._reached: list[grpc.Channel] = []

    def _meet(self, channel: PeerChannel, peers: Peers, deadline_s: float) -> None:
        self._admitted = peers.before
        if peers.before:
            self._listen()
        for member in peers.after:
            _in_thread(self._dial, channel, member, peers.addresses[member.id], deadline_s)
        channel.wait_joined(deadline_s)

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
            raise TransportError(f"port {self._port.number} of this party is taken") from None
        server.start()
        with self._lock:
            self._server = server

    def _free(self) -> None:
        with self._lock:
            reached, self._reached = self._reached, []
            server, self._server = self._server, None
        for channel in reached:
            channel.close()
        if server is not None:
            grace_s = self._settings.limits.close_s
            server.stop(grace_s).wait(grace_s)


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
