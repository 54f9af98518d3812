"""The one door. What leaves here is noised, masked, paid for, and already on disk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mpc.errors import SecretMisuseError
from mpc.ports import Ledger, Witness
from mpc.ring.words import to_bytes
from mpc.secret.engine import Engine
from mpc.secret.sealed import Releasable

OPENING_BYTES = 16


def open_noised(
    noised: Releasable,
    engine: Engine,
    ledger: Ledger,
    opening: bytes,
    seal: Callable[[bytes], bytes],
    shown: tuple[Witness, ...] = (),
) -> bytes:
    """Commit this party's share of ``noised`` and return the message that may now leave.

    The share is masked afresh for ``opening`` (16 bytes), which names the one opening of this
    session; ``seal`` makes the signed message of the masked little-endian words. One transaction
    moves the run's charge from reserved to committed and stores the message: after a crash the
    outbox has these very bytes, or nothing was spent and nothing left. Call once all are READY;
    ``shown`` is what they showed of their ledgers then, kept in the same transaction.

    Opens: the noised total, to whoever gets the message of every party. Cost: 0 rounds here;
    8 bytes a coordinate, sent later from the outbox. Raises LedgerError if the reservation
    expired, was released, or is committed already: then the new message is dropped.
    """
    if len(opening) != OPENING_BYTES:
        raise SecretMisuseError(f"an opening is named by {OPENING_BYTES} bytes")
    masked = engine.masked_share(noised, opening)
    if masked.dtype != np.int64 or masked.shape != (noised.size,):
        raise SecretMisuseError(f"the engine masked another vector than {noised!r}")
    message = seal(to_bytes(masked))
    ledger.commit(noised.run, message, shown)
    return message
