"""Reaching a peer's lane: only the very certificate of the roster passes, and errors say why.

gRPC tells a client nothing about a failed handshake. So own and pinned certificates are checked
before dialling, and a failed handshake is looked at afterwards: one more handshake that accepts any
certificate, reads it, and sends nothing.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable

import grpc

from mpc.errors import IdentityError, PeerError
from mpc.ports import Clock
from mpc.roster import Member
from parties.frames import FRAME_BYTES_MAX
from parties.identity.certificates import (
    SYSTEM_CLOCK,
    Leaf,
    check_leaf,
    check_validity,
    describe,
    parse_der,
    pem,
    tls_name,
)
from parties.identity.contexts import bare_context
from parties.identity.credentials import Options, connection_options, server_options
from parties.identity.probe import split_address

RETRY_S = 0.02  # a peer may not have begun to listen
LOOK_S = 2.0
REFUSALS_MAX = 2  # a handshake may be cut by accident once


def check_certificates(members: Iterable[Member], clock: Clock = SYSTEM_CLOCK) -> None:
    """Refuse a member whose TLS certificate is not its own, not a leaf, or outside its time."""
    for member in members:
        certificate = parse_der(member.tls_certificate)
        names = check_leaf(certificate, Leaf.TLS)
        if (names.id, names.role) != (member.id, member.role):
            raise IdentityError(
                f"the roster gives {member.role.value} {member.id} the {describe(certificate)}"
            )
        check_validity(certificate, f"TLS certificate of {member.id}", clock)


def lane_options(keepalive_s: float, timeout_s: float) -> Options:
    """A peer that answers no ping for ``timeout_s`` is lost; messages are one frame at most."""
    return connection_options(keepalive_s, timeout_s, FRAME_BYTES_MAX)


def listening_options(keepalive_s: float, timeout_s: float) -> Options:
    """The same for a listener: one server a port, and pings as often as peers make them."""
    return server_options(keepalive_s, timeout_s, FRAME_BYTES_MAX)


class Dialler:
    """This party as a caller: its certificate and key, and how long silence may last."""

    def __init__(
        self, own: Member, tls_key_pem: bytes, keepalive_s: float, timeout_s: float
    ) -> None:
        self._own = own
        self._key = tls_key_pem
        self._options: Options = [
            *lane_options(keepalive_s, timeout_s),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]

    def reach(self, peer: Member, address: str, deadline_s: float) -> grpc.Channel:
        """A connected channel to ``peer``.

        Raises IdentityError saying which certificate was wrong and whose, PeerError if nothing
        answers until the deadline.
        """
        split_address(address)
        last = time.monotonic() + deadline_s
        refusals = 0
        while (left := last - time.monotonic()) > 0:
            if not _listens(address, left):
                time.sleep(RETRY_S)
                continue
            channel = self._channel(peer, address)
            if _is_ready(channel, left):
                return channel
            channel.close()
            if answers_rightly(peer, address, min(left, LOOK_S)):
                refusals += 1
            if refusals == REFUSALS_MAX:
                raise refused(self._own, peer, address)
        raise PeerError(peer.id, f"did not answer at {address} within {deadline_s:g} s")

    def _channel(self, peer: Member, address: str) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=pem(parse_der(peer.tls_certificate)),
            private_key=self._key,
            certificate_chain=pem(parse_der(self._own.tls_certificate)),
        )
        named = ("grpc.ssl_target_name_override", tls_name(peer.id))
        return grpc.secure_channel(address, credentials, options=[*self._options, named])


def refused(own: Member, peer: Member, address: str) -> IdentityError:
    """What to raise once the right ``peer`` would not have this party."""
    shown = describe(parse_der(own.tls_certificate))
    return IdentityError(
        f"{peer.id} at {address} refused the {shown} of this party",
        hint="its roster holds another one, or its clock is wrong",
    )


def answers_rightly(peer: Member, address: str, wait_s: float) -> bool:
    """Whether ``peer``'s certificate is shown at ``address``; False if nothing answers.

    Raises IdentityError saying whose is shown instead, or that it is no TLS 1.3.
    """
    try:
        shown = _shown_certificate(address, peer, wait_s)
    except ssl.SSLError as failure:
        reason = (failure.reason or "handshake failed").replace("_", " ").lower()
        raise IdentityError(
            f"what answers at {address} speaks no TLS 1.3 ({reason})", party=peer.id
        ) from None
    except OSError:
        return False
    if shown == peer.tls_certificate:
        return True
    raise IdentityError(
        f"{address} shows the {describe(parse_der(shown))}, not the "
        f"{describe(parse_der(peer.tls_certificate))} of the roster",
        party=peer.id,
    )


def _listens(address: str, wait_s: float) -> bool:
    """Whether anything takes connections there: gRPC would back off, and peers start apart."""
    try:
        socket.create_connection(split_address(address), timeout=wait_s).close()
    except OSError:
        return False
    return True


def _is_ready(channel: grpc.Channel, deadline_s: float) -> bool:
    """Whether the first attempt to connect succeeds."""
    settled = threading.Event()
    states: list[grpc.ChannelConnectivity] = []

    def see(state: grpc.ChannelConnectivity) -> None:
        states.append(state)
        if state in {
            grpc.ChannelConnectivity.READY,
            grpc.ChannelConnectivity.TRANSIENT_FAILURE,
            grpc.ChannelConnectivity.SHUTDOWN,
        }:
            settled.set()

    channel.subscribe(see, try_to_connect=True)
    settled.wait(deadline_s)
    channel.unsubscribe(see)
    return grpc.ChannelConnectivity.READY in states


def _shown_certificate(address: str, peer: Member, wait_s: float) -> bytes:
    """What is shown at ``address``, DER, unverified. Raises OSError (and so SSLError)."""
    context = bare_context()  # to look, not to trust
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(split_address(address), timeout=wait_s) as plain,
        context.wrap_socket(plain, server_hostname=tls_name(peer.id)) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    if shown is None:
        raise ConnectionError
    return shown
