"""Why a handshake failed: which certificate was shown at an address, and whose it is.

gRPC says only "Socket closed". The probe makes one TLS handshake that accepts any certificate,
looks at it, and sends nothing: what it finds goes into an error, never into a decision to trust.
"""

from __future__ import annotations

import socket
import ssl

from mpc.errors import IdentityError, TransportError, UsageError
from mpc.ports import Clock
from mpc.roster import Member
from parties.identity.certificates import (
    SYSTEM_CLOCK,
    check_issuer,
    check_validity,
    describe,
    issued_by,
    names_of,
    parse_der,
    shown_alternatives,
    tls_name,
)
from parties.identity.contexts import bare_context, load_own
from parties.identity.store import Identity

PROBE_S = 2.0  # of each step: connect, handshake, first answer


def split_address(address: str) -> tuple[str, int]:
    """``host:port`` (IPv6 in brackets) in two. Raises UsageError if it is none."""
    host, _, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or "/" in bare or (":" in bare and bare == host) or not port.isascii():
        raise UsageError(f"{address!r} is no address; write host:port")
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise UsageError(f"{address!r} has no port from 1 to 65535")
    return bare, int(port)


def explain_failure(
    address: str, own: Identity, peer: Member, *, clock: Clock = SYSTEM_CLOCK
) -> IdentityError | TransportError | None:
    """Why ``peer`` could not be reached at ``address``, or None if certificates are not why.

    None too if nothing answers there. Takes at most three times ``PROBE_S``, mostly milliseconds.
    """
    host, port = split_address(address)
    try:
        own.check_validity(clock)
        with socket.create_connection((host, port), timeout=PROBE_S) as plain:
            return _look(plain, address, own, peer, clock)
    except IdentityError as found:
        return found
    except OSError:
        return None


def _look(
    plain: socket.socket, address: str, own: Identity, peer: Member, clock: Clock
) -> IdentityError | TransportError | None:
    try:
        secured = _context(own).wrap_socket(plain, server_hostname=tls_name(peer.id))
    except ssl.SSLError as failure:
        reason = (failure.reason or "handshake failed").replace("_", " ").lower()
        return TransportError(
            f"what answers at {address} speaks no TLS 1.3 ({reason})", party=peer.id
        )
    with secured:
        shown = secured.getpeercert(binary_form=True)
        if shown is None:
            return TransportError(f"what answers at {address} shows no certificate", party=peer.id)
        if shown != peer.tls_certificate:
            return _foreign(shown, address, own, peer, clock)
        try:
            check_validity(parse_der(shown), f"TLS certificate of {peer.id} at {address}", clock)
            answered = secured.recv(1) != b""
        except TimeoutError:
            return None
        except (ssl.SSLError, ConnectionError):
            answered = False
    if answered:
        return None
    return IdentityError(
        f"{peer.id} at {address} refused the {describe(own.bundle.tls)} of this participant",
        hint="issued by another authority, or outside its time by the clock there",
    )


def _foreign(
    shown: bytes, address: str, own: Identity, peer: Member, clock: Clock
) -> IdentityError:
    """The certificate at ``address`` is not the pinned one: whose it is, and all that is wrong."""
    certificate = parse_der(shown)
    host, _port = split_address(address)
    faults = []
    try:
        names = names_of(certificate)
        faults.append(
            f"it is not the pinned one of {peer.id}"
            if names.id == peer.id
            else f"it is {names.id}'s, not {peer.id}'s"
        )
    except IdentityError:
        faults.append(f"{host} not in certificate (SAN: {shown_alternatives(certificate)})")
        faults.append(f"{tls_name(peer.id)} neither")
    try:
        check_issuer(certificate, own.authority)
    except IdentityError:
        faults.append(f"it is {issued_by(certificate)}")
    try:
        check_validity(certificate, "it", clock)
    except IdentityError as fault:
        faults.append(fault.message)
    return IdentityError(
        f"{address} shows the {describe(certificate)}: {'; '.join(faults)}",
        party=peer.id,
        hint=f"pinned: {peer.fingerprint}",
    )


def _context(own: Identity) -> ssl.SSLContext:
    context = bare_context()  # to look, not to trust
    context.set_alpn_protocols(["h2"])
    load_own(context, own.tls_key_pem(), own.tls_certificate_pem())
    return context
