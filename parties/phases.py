"""The phases of a run as the control plane names them."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.errors import IntegrityError
from mpc.session.agreement import Phase
from protos import control_pb2 as wire

NAMED: Mapping[Phase, wire.Phase] = {
    Phase.WHOLE: wire.WHOLE,
    Phase.PREPARING: wire.PREPARING,
    Phase.PREPARED: wire.PREPARED,
}


def phase_of(request: wire.StartRequest) -> Phase:
    """Which phase of its run a start is for. Raises IntegrityError if it is none."""
    found = next((phase for phase, name in NAMED.items() if name == request.phase), None)
    if found is None:
        raise IntegrityError("the start names no phase of a run")
    return found
