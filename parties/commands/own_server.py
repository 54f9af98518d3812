"""A server asked for its health by its own operator: a call to its control plane, as itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protos.control_pb2 import HealthReport

LOOPBACKS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 # to be dialled, not bound


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
