"""One party's end of one session's lane, whichever lane it is: a port, then connected peers.

The party that comes first in the roster dials. Frames carry a session tag that all parties of the
run share, not the session id T: that exists only after the Hellos, and is bound to both ends by
the confirmations of :mod:`mpc.session`, which travel over the lane first.
"""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from mpc.errors import ContractError, IdentityError, ParleyError, TransportError
from mpc.roster import Member, Roster
from mpc.units import PartyId
from parties.channel import PeerChannel
from parties.dialling import check_certificates
from parties.waiting import ChannelLimits, Waiting


@dataclass(frozen=True)
class LaneSettings:
    """When a silent peer counts as lost, and the limits of messages.

    3 and 4 s notice a frozen peer within 10 s on a LAN. Slow links need more: 5 and 10 s survive
    5 MB/s, and notice after 14 s.
    """

    keepalive_s: float = 3.0
    timeout_s: float = 4.0
    limits: ChannelLimits = field(default_factory=ChannelLimits)


@dataclass(frozen=True)
class Peers:
    """Who is to be met: those before this party in the roster dial it, it dials those after."""

    before: tuple[Member, ...]
    after: tuple[Member, ...]
    addresses: Mapping[PartyId, str]

    @property
    def ids(self) -> tuple[PartyId, ...]:
        """In roster order."""
        return tuple(member.id for member in (*self.before, *self.after))


class Port:
    """A port of this process that does not listen yet; no other process's socket may share it.

    ``ports`` is the range to choose from, both ends included; (0, 0) lets the system choose. Raises
    TransportError if no port of the range is free.
    """

    def __init__(self, host: str, ports: tuple[int, int]) -> None:
        low, high = ports
        if not 0 <= low <= high <= 65535:
            raise ContractError("a range of ports is two numbers from 0 to 65535, the lower first")
        for port in range(low, high + 1):
            bound = _bound(host, port)
            claim = _claimed(bound.getsockname()[1]) if bound else None
            if bound and claim:
                self.bound, self._claim = bound, claim
                self.number: int = bound.getsockname()[1]
                self.address = f"[{host}]:{self.number}" if ":" in host else f"{host}:{self.number}"
                return
            if bound:
                bound.close()
        raise TransportError(
            f"no free port from {low} to {high} on {host}", hint="widen the node's exchange.ports"
        )

    def close(self) -> None:
        """Give it back."""
        self.bound.close()
        self._claim.close()


def _bound(host: str, port: int) -> socket.socket | None:
    """A socket at ``port``, or None if one that listens, or another program's, is there.

    With SO_REUSEADDR: a session that ended a moment ago would else keep its port taken for a
    minute, and gRPC's own socket binds beside this one to listen (on Linux only one can). Live
    ones are kept apart by :func:`_claimed`.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Where the system chooses, it shall choose what nobody has.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(port > 0))
        bound.bind((host, port))
    except OSError:
        bound.close()
        return None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return bound


def _claimed(port: int) -> socket.socket | None:
    """This machine's one claim to a port among lanes, until it is closed or its process ends.

    A name of Linux's abstract sockets, which no file is behind. None if another has it.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0parley/lane/{port}")
    except OSError:
        claim.close()
        return None
    return claim


class LaneListener(ABC):
    """One party's end of one session's lane, at a port that is its own from now on.

    Nobody is heard until :meth:`connect` says who may come in.
    """

    def __init__(self, own: Member, tls_key_pem: bytes, port: Port, settings: LaneSettings) -> None:
        self._own = own
        self._key = tls_key_pem
        self._settings = settings
        self._channel: PeerChannel | None = None
        self._lock = threading.Lock()
        self._port = port

    @property
    def address(self) -> str:
        """``host:port`` that peers dial."""
        return self._port.address

    def connect(
        self,
        roster: Roster,
        session_tag: bytes,
        addresses: Mapping[PartyId, str],
        deadline_s: float,
    ) -> PeerChannel:
        """Meet everybody whom ``roster`` links; those that come later in it are dialled.

        ``session_tag`` is the 8 bytes that all parties of the run share. Raises IdentityError
        saying which certificate is wrong and whose, or PeerError naming who did not come.
        """
        peers = self._peers(roster, addresses)
        check_certificates((*peers.before, self._own, *peers.after))
        missing = [member.id for member in peers.after if member.id not in addresses]
        if missing:
            raise ContractError(f"no address of {', '.join(missing)}")
        limits = self._settings.limits
        channel = PeerChannel(
            self._own.id, peers.ids, session_tag, limits, self._release, self._waiting()
        )
        with self._lock:
            if self._channel is not None:
                raise ContractError("a listener serves one session")
            self._channel = channel
        try:
            self._meet(channel, peers, deadline_s)
        except ParleyError:
            channel.close()
            raise
        return channel

    def close(self) -> None:
        """Give the port back; ends the session if there is one."""
        if self._channel is not None:
            self._channel.close()
        self._release()

    def _waiting(self) -> Waiting:
        """How the channel is to wait for its peers."""
        return Waiting()

    @abstractmethod
    def _meet(self, channel: PeerChannel, peers: Peers, deadline_s: float) -> None:
        """Attach every peer's link to ``channel``. Raises as :meth:`connect`."""

    @abstractmethod
    def _free(self) -> None:
        """End every connection. May come twice."""

    def _release(self) -> None:
        self._free()
        self._port.close()

    def _peers(self, roster: Roster, addresses: Mapping[PartyId, str]) -> Peers:
        linked = roster.linked
        if self._own not in linked:
            raise IdentityError(f"the roster does not list {self._own.id} with this certificate")
        place = linked.index(self._own)
        return Peers(linked[:place], linked[place + 1 :], addresses)
