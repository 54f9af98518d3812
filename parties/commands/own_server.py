"""A node or dealer at its own operator's hand: started here, or asked for its health."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from parties.commands.output import answering

if TYPE_CHECKING:
    from protos.control_pb2 import HealthReport

LOOPBACKS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 # to be dialled, not bound


@contextmanager
def serving() -> Iterator[None]:
    """Run a server in the block, which imports it: as :func:`answering`, its log on stderr."""
    # Before gRPC is imported. What it would say of ports and peers, errors and the log say.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from parties.serving import LOG_FORMAT

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    with answering():
        yield


def own_health(identity_directory: Path, listen: str) -> HealthReport:
    """What the server at ``listen`` says, over mutual TLS, to the identity that must be its own.

    Raises PeerError if it cannot be reached, IdentityError if it shows other certificates.
    """
    from parties.coordinator.client import RunClient
    from parties.identity.store import load_identity

    identity = load_identity(identity_directory)
    host, _, port = listen.rpartition(":")
    with RunClient(identity, identity.member, f"{LOOPBACKS.get(host, host)}:{port}") as client:
        return client.health()
