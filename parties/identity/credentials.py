"""Mutual TLS over gRPC: both sides show certificates, and each accepts one pinned peer only.

A server asks for a certificate of the federation's authority and then compares the very
certificate with its pins (:func:`peer_member`), so that a refusal can say whose it was. A client
takes the peer's pinned leaf as its only root, so no other certificate of anybody passes. gRPC
gives a client no reason for a failed handshake: :func:`dial` therefore checks what it can before,
and :func:`explain_failure` looks afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import grpc
from cryptography import x509

from mpc.canonical import SIZE_MAX
from mpc.errors import IdentityError
from mpc.ports import Clock
from mpc.roster import Member
from parties.identity.bundle import check_member
from parties.identity.certificates import SYSTEM_CLOCK, der, describe, parse_der, pem, tls_name
from parties.identity.probe import explain_failure, split_address
from parties.identity.store import Identity

MESSAGE_SIZE_MAX = SIZE_MAX + (64 << 10)  # one canonical object and its envelope
KEEPALIVE_S = 3.0
TIMEOUT_S = 4.0
TLS_VERSION = b"TLSv1.3"

__all__ = [
    "Options",
    "dial",
    "explain_failure",
    "peer_member",
    "server_credentials",
    "server_options",
]

Options = list[tuple[str, int | str]]


def server_credentials(identity: Identity) -> grpc.ServerCredentials:
    """Credentials of a server that demands a certificate of the federation's authority.

    That admits to the handshake only; call :func:`peer_member` in every method.
    """
    return grpc.ssl_server_credentials(
        [(identity.tls_key_pem(), identity.tls_certificate_pem())],
        root_certificates=identity.authority_pem(),
        require_client_auth=True,
    )


def server_options(
    keepalive_s: float = KEEPALIVE_S,
    timeout_s: float = TIMEOUT_S,
    size_max: int = MESSAGE_SIZE_MAX,
) -> Options:
    """Options of every server: one owner a port, bounded messages, frozen peers are noticed."""
    return [
        *connection_options(keepalive_s, timeout_s, size_max),
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(keepalive_s) // 2),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def dial(
    address: str,
    own: Identity,
    peer: Member,
    *,
    keepalive_s: float = KEEPALIVE_S,
    timeout_s: float = TIMEOUT_S,
    size_max: int = MESSAGE_SIZE_MAX,
    clock: Clock = SYSTEM_CLOCK,
) -> grpc.Channel:
    """A channel to ``peer`` at ``address`` (host:port) that accepts its pinned certificate alone.

    Connects at the first call, which must not set ``wait_for_ready``: it would hide a wrong
    certificate until the deadline. Raises IdentityError at once if an own or the peer's pinned
    certificate is outside its time or not of the federation.
    """
    split_address(address)
    own.check_validity(clock)
    check_member(peer, own.authority, clock)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=pem(parse_der(peer.tls_certificate)),
        private_key=own.tls_key_pem(),
        certificate_chain=own.tls_certificate_pem(),
    )
    options = [
        *connection_options(keepalive_s, timeout_s, size_max),
        ("grpc.ssl_target_name_override", tls_name(peer.id)),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),  # a start must not be sent twice
        ("grpc.use_local_subchannel_pool", 1),
        # Also how long one attempt may take: who accepts a connection and says nothing is frozen.
        ("grpc.min_reconnect_backoff_ms", _ms(timeout_s)),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
    return grpc.secure_channel(address, credentials, options=options)


def peer_member(context: grpc.ServicerContext, members: Iterable[Member]) -> Member:
    """Which of the pinned ``members`` is calling. Raises IdentityError, saying whose it was, else.

    The handshake proved that the caller holds the key of the certificate it showed.
    """
    # Every value is a list of bytes; the stubs say otherwise.
    shown = cast("Mapping[str, Sequence[bytes]]", context.auth_context())
    if shown.get("transport_security_type") != [b"ssl"]:
        raise IdentityError("a caller came without TLS")
    if shown.get("ssl_tls_version") != [TLS_VERSION]:
        raise IdentityError("a caller came with an older TLS than 1.3")
    found = shown.get("x509_pem_cert")
    if not found or len(found) != 1:
        raise IdentityError("a caller showed no certificate")
    certificate = _der_of_pem(found[0])
    for member in members:
        if member.tls_certificate == certificate:
            return member
    raise IdentityError(
        f"{describe(parse_der(certificate))} is not pinned here",
        hint="wrong, borrowed, or renewed since its fingerprint was written into this node's file",
    )


def _der_of_pem(data: bytes) -> bytes:
    try:
        return der(x509.load_pem_x509_certificate(data))
    except ValueError:
        raise IdentityError("a caller showed something that is no certificate") from None


def connection_options(keepalive_s: float, timeout_s: float, size_max: int) -> Options:
    """Options of both ends: bounded messages; a peer silent for ``timeout_s`` is lost."""
    return [
        ("grpc.max_send_message_length", size_max),
        ("grpc.max_receive_message_length", size_max),
        ("grpc.keepalive_time_ms", _ms(keepalive_s)),
        ("grpc.keepalive_timeout_ms", _ms(timeout_s)),
        # The one that counts: without it a frozen peer is noticed after a minute.
        ("grpc.http2.ping_timeout_ms", _ms(timeout_s)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
