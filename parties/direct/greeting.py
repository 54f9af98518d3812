"""From a bare connection to one that both ends know: handshake, certificate, greeting.

    listener            dialler
    JOIN, its id
                        JOIN or HEAR, its id        JOIN: "I shall speak here"; HEAR: "speak here"
    GOT

The listener speaks first, so that a dialler whose certificate it refuses reads why. Each step is a
generator that says what it waits for and is asked again when that is so; it never blocks.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

from mpc.errors import IdentityError, IntegrityError, PeerError
from mpc.roster import Member
from mpc.units import PartyId
from parties import frames
from parties.dialling import LOOK_S, REFUSALS_MAX, RETRY_S, answers_rightly, refused
from parties.frames import HEADER_BYTES, Frame, FrameReader, FrameWriter
from parties.identity.certificates import describe, parse_der, pem, tls_name
from parties.identity.contexts import pinned_context
from parties.identity.probe import split_address

LANE = "parley/direct/1"  # as a TLS application protocol: a peer on another lane is told apart
ENDS_MAX = 20  # of a dialler's connections before the greeting is over: it may be cut by accident
_REFUSING = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")  # in what TLS tells of a refusal


@dataclass(frozen=True)
class Wish:
    """What a step waits for: events on a socket, or a moment."""

    connection: socket.socket | None
    events: int
    at_s: float = 0.0


_T = TypeVar("_T")
Steps = Generator[Wish, None, _T]


@dataclass(frozen=True)
class Joined:
    """A connection after its greeting; ``peer`` speaks on it, or hears."""

    peer: PartyId
    speaks: bool
    secured: ssl.SSLSocket
    reader: FrameReader
    writer: FrameWriter


@dataclass(frozen=True)
class Own:
    """Who greets, with what, in which session, and how long a network may keep bytes back."""

    member: Member
    key_pem: bytes
    tag: bytes
    patience_s: float

    def context(self, pins: Iterable[Member], *, server: bool) -> ssl.SSLContext:
        """TLS 1.3 with ``pins`` and nobody else."""
        context = pinned_context(
            server=server,
            key_pem=self.key_pem,
            certificate_pem=pem(parse_der(self.member.tls_certificate)),
            pins_pem=[pem(parse_der(pin.tls_certificate)) for pin in pins],
        )
        context.set_alpn_protocols([LANE])
        return context

    def prepare(self, plain: socket.socket) -> None:
        """Options of every connection.

        Linux counts the time in which a live peer does not read as time without an answer, so the
        limit is that of a wait for a message; beats notice sooner who is gone.
        """
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        patience_ms = round(self.patience_s * 1000)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)


def welcome(
    own: Own, context: ssl.SSLContext, admitted: Iterable[Member], plain: socket.socket
) -> Steps[Joined]:
    """The listener's part. Raises IdentityError or IntegrityError, OSError if it broke."""
    secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
    try:
        peer, reader, writer, speaks = yield from _admit(own, admitted, secured)
    except BaseException:
        secured.close()
        raise
    return Joined(peer, speaks, secured, reader, writer)


def _admit(
    own: Own, admitted: Iterable[Member], secured: ssl.SSLSocket
) -> Steps[tuple[PartyId, FrameReader, FrameWriter, bool]]:
    yield from _handshake(secured)
    shown = secured.getpeercert(binary_form=True)
    peer = next((each for each in admitted if each.tls_certificate == shown), None)
    if peer is None:
        raise IdentityError("a caller's certificate is not the roster's")
    if secured.selected_alpn_protocol() != LANE:
        raise PeerError(peer.id, "is on another lane")
    writer, reader = FrameWriter(own.tag), FrameReader(own.tag)
    yield from _say(secured, writer, frames.JOIN, own.member.id.encode())
    frame = yield from _hear(secured, reader)
    if frame.operation not in {frames.JOIN, frames.HEAR} or frame.payload != peer.id.encode():
        raise IntegrityError("did not begin with its own JOIN", party=peer.id)
    yield from _say(secured, writer, frames.GOT, b"")
    return peer.id, reader, writer, frame.operation == frames.JOIN


def dial(own: Own, peer: Member, address: str, until_s: float, *, speaks: bool) -> Steps[Joined]:
    """The dialler's part, again and again until ``peer`` listens; ``speaks``: the peer.

    After ``until_s`` (monotonic) it may be left as it is; nothing takes longer by much.

    Raises IdentityError saying which certificate was wrong and whose, PeerError if the peer ends
    the connection each time.
    """
    context = own.context([peer], server=False)
    places = yield from _resolved(peer, address)
    refusals = ends = attempts = 0
    while True:
        family, place = places[attempts % len(places)]
        attempts += 1
        plain = socket.socket(family, socket.SOCK_STREAM)
        reached = False
        try:
            own.prepare(plain)
            yield from _connect(plain, place)
            reached = True
            return (yield from _greet(own, context, peer, plain, speaks=speaks))
        except ssl.SSLError as failure:
            left_s = max(RETRY_S, until_s - time.monotonic())
            right = answers_rightly(peer, address, min(left_s, LOOK_S))
            refusals += right and _refuses(failure, peer)
        except OSError:
            ends += reached
        finally:
            plain.close()  # TLS has taken the connection over, if it came to that
        if refusals == REFUSALS_MAX:
            raise refused(own.member, peer, address)
        if ends == ENDS_MAX:
            raise PeerError(peer.id, "ended the connection at once")
        yield Wish(None, 0, time.monotonic() + RETRY_S)


def _refuses(failure: ssl.SSLError, peer: Member) -> bool:
    """Whether TLS failed over this party's certificate. Raises PeerError on another lane."""
    reason = failure.reason or ""
    if "ALERT_NO_APPLICATION_PROTOCOL" in reason:
        raise PeerError(peer.id, "is on another lane")
    return "ALERT" in reason and any(word in reason for word in _REFUSING)


def _greet(
    own: Own, context: ssl.SSLContext, peer: Member, plain: socket.socket, *, speaks: bool
) -> Steps[Joined]:
    secured = context.wrap_socket(
        plain, do_handshake_on_connect=False, server_hostname=tls_name(peer.id)
    )
    try:
        yield from _handshake(secured)
        shown = secured.getpeercert(binary_form=True) or b""
        if shown != peer.tls_certificate:
            raise IdentityError(
                f"shows the {describe(parse_der(shown))}, not the roster's", party=peer.id
            )
        if secured.selected_alpn_protocol() != LANE:
            raise PeerError(peer.id, "is on another lane")
        writer, reader = FrameWriter(own.tag), FrameReader(own.tag)
        first = yield from _hear(secured, reader)
        if first.operation != frames.JOIN or first.payload != peer.id.encode():
            raise IntegrityError("did not begin with its own JOIN", party=peer.id)
        operation = frames.HEAR if speaks else frames.JOIN
        yield from _say(secured, writer, operation, own.member.id.encode())
        if (yield from _hear(secured, reader)).operation != frames.GOT:
            raise IntegrityError("did not take this party in", party=peer.id)
    except BaseException:
        secured.close()
        raise
    return Joined(peer.id, speaks, secured, reader, writer)


def _resolved(
    peer: Member, address: str
) -> Steps[list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]]:
    """Where ``address`` is. A name may take long to resolve: not in this thread."""
    host, port = split_address(address)
    found: list[object] = []
    done = threading.Event()

    def resolve() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError:
            pass
        finally:
            done.set()

    threading.Thread(target=resolve, name="lane", daemon=True).start()
    while not done.is_set():
        yield Wish(None, 0, time.monotonic() + RETRY_S / 4)
    if not found:
        raise PeerError(peer.id, f"has an address that cannot be resolved: {address}")
    return [(each[0], each[4]) for each in found]  # type: ignore[index]


def _connect(plain: socket.socket, place: tuple[object, ...]) -> Steps[None]:
    try:
        plain.connect(place)
    except BlockingIOError:
        yield Wish(plain, selectors.EVENT_WRITE)
        error = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "not reached") from None


def _handshake(secured: ssl.SSLSocket) -> Steps[None]:
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            yield Wish(secured, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            yield Wish(secured, selectors.EVENT_WRITE)
        else:
            return


def _say(
    secured: ssl.SSLSocket, writer: FrameWriter, operation: bytes, payload: bytes
) -> Steps[None]:
    for frame in writer.frames(operation, payload):
        while True:
            try:
                secured.send(frame)  # one record: whole or not at all
                break
            except ssl.SSLWantWriteError:
                yield Wish(secured, selectors.EVENT_WRITE)


def _hear(secured: ssl.SSLSocket, reader: FrameReader) -> Steps[Frame]:
    """One control frame, and not a byte more."""
    header = yield from _exactly(secured, HEADER_BYTES)
    operation, length = reader.head(header)
    if not operation.startswith(frames.RESERVED):
        raise IntegrityError("began with data")
    return Frame(operation, length, (yield from _exactly(secured, length)))


def _exactly(secured: ssl.SSLSocket, size: int) -> Steps[bytes]:
    got = b""
    while len(got) < size:
        try:
            part = secured.recv(size - len(got))
        except ssl.SSLWantReadError:
            yield Wish(secured, selectors.EVENT_READ)
            continue
        if not part:
            raise ConnectionError("ended")
        got += part
    return got
