"""Throw-away parties with real certificates, and lanes between them, for tests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mpc.ports import Clock
from mpc.roster import Member, Roster
from mpc.units import PartyId, Role
from parties.channel import PeerChannel
from parties.direct.lane import DirectListener
from parties.identity.certificates import Leaf, Names, der
from parties.identity.issuing import PublicKey, make_authority, make_leaf
from parties.lane import Listener
from parties.listening import LaneListener, LaneSettings, Port
from parties.system import SystemClock
from parties.waiting import ChannelLimits

QUICK = LaneSettings(limits=ChannelLimits(wait_s=10, close_s=2))
LANES: dict[str, type[LaneListener]] = {"grpc": Listener, "direct": DirectListener}
NAMES = ("alpha", "bravo", "charlie", "delta", "echo")


@dataclass(frozen=True, repr=False)
class Participant:
    """A member and the key of its TLS certificate."""

    member: Member
    tls_key_pem: bytes
    lane: str

    def listener(
        self, settings: LaneSettings = QUICK, ports: tuple[int, int] = (0, 0)
    ) -> LaneListener:
        return LANES[self.lane](self.member, self.tls_key_pem, Port("127.0.0.1", ports), settings)


class Federation:
    """An authority, ``count`` parties and a coordinator."""

    def __init__(
        self,
        count: int,
        clock: Clock | None = None,
        names: Sequence[str] = NAMES,
        lane: str = "grpc",
    ) -> None:
        self.lane = lane
        self._clock = clock or SystemClock()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = make_authority(self._key, "Test authority", 1, self._clock)
        self.parties = tuple(self.participant(name) for name in names[:count])
        self.coordinator = self.participant("office", Role.COORDINATOR)
        self.roster = self.roster_of(*self.parties)
        self.session_tag = os.urandom(8)

    def participant(self, name: str, role: Role = Role.PARTY) -> Participant:
        """A fresh participant of this name; a second one of the same name is an impostor."""
        names = Names(PartyId(name), role, f"Organization of {name}")
        tls_key = ec.generate_private_key(ec.SECP256R1())
        signing_key = ed25519.Ed25519PrivateKey.generate()
        leaves = [
            der(
                make_leaf(leaf, names, key.public_key(), self._authority, self._key, 1, self._clock)
            )
            for leaf, key in ((Leaf.TLS, tls_key), (Leaf.SIGNING, signing_key))
        ]
        pem = tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        member = Member(names.id, role, names.organization, *leaves)
        return Participant(member, pem, self.lane)

    def _leaf(self, leaf: Leaf, names: Names, key: PublicKey) -> bytes:
        return der(make_leaf(leaf, names, key, self._authority, self._key, 1, self._clock))

    def roster_of(self, *parties: Participant) -> Roster:
        return Roster((*(party.member for party in parties), self.coordinator.member))

    def lanes(self, settings: LaneSettings = QUICK) -> tuple[PeerChannel, ...]:
        """A connected channel for each party, all in this process, over real sockets."""
        listeners = [party.listener(settings) for party in self.parties]
        addresses = {
            party.member.id: listener.address
            for party, listener in zip(self.parties, listeners, strict=True)
        }
        return tuple(connect_all(self, listeners, addresses))


def connect_all(
    federation: Federation, listeners: Sequence[LaneListener], addresses: Mapping[PartyId, str]
) -> list[PeerChannel]:
    """Connect every listener at once; raises the first error."""
    with ThreadPoolExecutor(len(listeners)) as pool:
        waiting = [
            pool.submit(
                listener.connect, federation.roster, federation.session_tag, addresses, 10.0
            )
            for listener in listeners
        ]
        return [each.result() for each in waiting]
