"""Rounds and bytes of a linear study, from its number of parties and released integers.

Zero-sharing costs no message and the coordinator opens, so the parties exchange only their signed
Hellos, key confirmations and READYs (each with its 32-byte header); the vector is sent once.
"""

from __future__ import annotations

from mpc.plan.model import Cost
from mpc.ring.words import WORD_BYTES

ROUNDS = 2  # Hello with its confirmation, then READY
HEADER_BYTES = 32
HELLO_BYTES_MAX = 4096
CONFIRMATION_BYTES = 32
READY_BYTES_MAX = 1024


def linear_cost(parties: int, size: int) -> Cost:
    """Traffic of each party of ``parties`` that release ``size`` integers."""
    one_peer = HELLO_BYTES_MAX + CONFIRMATION_BYTES + READY_BYTES_MAX + 3 * HEADER_BYTES
    return Cost(
        rounds=ROUNDS, peer_bytes_max=(parties - 1) * one_peer, share_bytes=size * WORD_BYTES
    )
