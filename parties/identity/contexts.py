"""TLS contexts of Python's own ``ssl``: version 1.3 alone, and keys that never touch a disk."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable


def pinned_context(
    *, server: bool, key_pem: bytes, certificate_pem: bytes, pins_pem: Iterable[bytes]
) -> ssl.SSLContext:
    """A context that shows the own certificate and accepts ``pins_pem`` alone, as they are.

    A pin is a leaf and the only root there is: it passes, and nothing that anybody else issued
    does. Compare what a server was shown with the pins all the same, to know who it is.
    """
    context = bare_context(server=server)
    context.check_hostname = not server
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a leaf may be the end of a chain
    context.load_verify_locations(cadata=b"".join(pins_pem).decode("ascii"))
    load_own(context, key_pem, certificate_pem)
    return context


def bare_context(*, server: bool = False) -> ssl.SSLContext:
    """A context of TLS 1.3 that verifies nothing yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        context.num_tickets = 0  # nothing is ever resumed
    return context


def load_own(context: ssl.SSLContext, key_pem: bytes, certificate_pem: bytes) -> None:
    """Have ``context`` show this certificate.

    The ssl module reads keys from files only; this one lives in memory and has no name.
    """
    descriptor = os.memfd_create("parley", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key_pem + certificate_pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
