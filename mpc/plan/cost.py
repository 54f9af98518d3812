"""Rounds and bytes of a study, from its parties, its released integers and what it computes.

Zero-sharing costs no message and the coordinator opens, so the parties of a linear study exchange
only their signed Hellos, key confirmations and READYs (each with its 32-byte header); the vector is
sent once. Where something is compared, its openings are added, as a rehearsal counts them.
"""

from __future__ import annotations

from mpc.plan.model import Cost
from mpc.protocols.rehearsal import Rehearsed
from mpc.ring.words import WORD_BYTES

ROUNDS = 2  # Hello with its confirmation, then READY
HEADER_BYTES = 32
HELLO_BYTES_MAX = 4096
CONFIRMATION_BYTES = 32
READY_BYTES_MAX = 2048
AGREE_BYTES = 32  # on what is dealt, with every party and the dealer


def study_cost(parties: int, size: int, computed: Rehearsed | None) -> Cost:
    """Traffic of each party of ``parties`` that release ``size`` integers.

    ``computed`` is what happens on shares, with a dealer, before; None in a linear study.
    """
    one_peer = HELLO_BYTES_MAX + CONFIRMATION_BYTES + READY_BYTES_MAX + 3 * HEADER_BYTES
    linear = Cost(ROUNDS, (parties - 1) * one_peer, size * WORD_BYTES)
    if computed is None:
        return linear
    cost = computed.cost
    opened = cost.bytes_to_each * (parties - 1) + cost.rounds * HEADER_BYTES * (parties - 1)
    with_dealer = HELLO_BYTES_MAX + CONFIRMATION_BYTES + 2 * HEADER_BYTES
    agreed = parties * (AGREE_BYTES + HEADER_BYTES) + (parties - 1) * (
        READY_BYTES_MAX + HEADER_BYTES
    )
    return Cost(
        rounds=ROUNDS + 2 + cost.rounds,
        peer_bytes_max=linear.peer_bytes_max + with_dealer + agreed + opened,
        share_bytes=linear.share_bytes,
        dealt_bytes=computed.correction_bytes,
    )
