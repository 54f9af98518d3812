"""What every channel of a lane is made with: its limits, and how it waits for its peers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mpc.errors import ContractError
from mpc.units import PartyId
from parties import frames


@dataclass(frozen=True)
class ChannelLimits:
    """Every wait and every size of a session's messages."""

    wait_s: float = 60.0  # for each frame (1 MiB) of a message
    close_s: float = 4.0  # for the peers' acknowledgement of BYE
    message_bytes_max: int = 1 << 30
    unread_bytes_max: int = 64 << 20  # of memory, a peer; then its frames wait on the network
    unsent_bytes_max: int = 2 << 30  # a peer; then sending fails
    waits_s: Mapping[PartyId, float] = field(default_factory=dict)  # of whom ``wait_s`` is not for

    def __post_init__(self) -> None:
        if not 0 < self.message_bytes_max <= frames.LENGTH_MAX:
            raise ContractError("a message has at most 2^32 - 1 bytes")
        limits = self.wait_s, self.close_s, self.unread_bytes_max, self.unsent_bytes_max
        if min(*limits, *self.waits_s.values()) <= 0:
            raise ContractError("waits and queues have positive limits")

    def wait_of_s(self, peer: PartyId) -> float:
        """How long a frame of ``peer`` is waited for."""
        return self.waits_s.get(peer, self.wait_s)


class Waiting:
    """How a channel waits for its peers: until a thread of its lane says that something changed.

    A lane without such threads waits otherwise. ``changed`` guards everything of the channel.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()

    def until(self, predicate: Callable[[], object], deadline_s: float) -> None:
        """Return once ``predicate`` holds or ``deadline_s`` is over. ``changed`` held, once."""
        self.changed.wait_for(predicate, deadline_s)

    def queued(self, peer: PartyId) -> None:
        """Something is to go out to ``peer``. ``changed`` held; here threads wait for it."""
