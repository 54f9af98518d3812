"""One participant of the kernel's bench as a process: a party, or the dealer as the last one.

Reads orders (JSON lines) from standard input and answers each with one line. Keys come from a
fixed text: nothing here is secret.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import threading
import time
from typing import Any

import numpy as np
from kernel_parties import Scope, shares_of, stream_of
from lane_federation import LANES

from mpc.backend.products import TorchProducts
from mpc.dealing.dealer import Dealer
from mpc.dealing.supply import PlannedSupply, Sequenced
from mpc.protocols.opening import Cost
from mpc.protocols.party import PartyComputation
from mpc.protocols.rehearsal import Rehearsed, rehearse
from mpc.protocols.shares import SharedWords
from mpc.ring.planes import Ring
from mpc.roster import Roster
from mpc.session.among import AmongParties
from mpc.steps import Steps
from mpc.units import PartyId
from parties.channel import PeerChannel
from parties.listening import LaneSettings, Port
from parties.waiting import ChannelLimits
from tests.bench.kernel_works import OPEN, Work, works

_BARRIER = hashlib.sha256(b"barrier").digest()[:16]


class Record:
    """Hashes what is opened, as a session's transcript does."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def record(self, _operation: bytes, opened: bytes) -> None:
        self._state.update(hashlib.sha256(opened).digest())


class Participant:
    """One end of the bench's session."""

    def __init__(self, channel: PeerChannel, members: tuple[PartyId, ...]) -> None:
        self.channel = channel
        self.parties, self.dealer = members[:-1], members[-1]
        self.place = members.index(channel.own)
        self.works = works(TorchProducts())
        self.rehearsed: dict[str, Rehearsed] = {}
        self.turn = 0

    def run(self, name: str) -> dict[str, Any]:
        work = self.works[name]
        inputs = work.inputs()
        if name not in self.rehearsed:
            self.rehearsed[name] = rehearse(work.ours, *(each.shape for each in inputs))
        shares = [
            SharedWords(shares_of(each, len(self.parties), f"{name} {at}")[self.place])
            for at, each in enumerate(inputs)
            if self.channel.own != self.dealer
        ]
        self.turn += 1
        scope = f"{name} {self.turn}".encode()
        self._barrier()
        begun_s, cpu_s = time.perf_counter(), time.process_time()
        if name == OPEN:
            self._share_and_open(inputs[0], scope)
        elif self.channel.own == self.dealer:
            self._deal(name, scope)
        else:
            self._compute(work, shares, name, scope)
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
        cost = self.rehearsed[name].cost
        if name == OPEN:
            cost = Cost(rounds=1, bytes_to_each=inputs[0].nbytes)
        return {
            "wall_s": took_s,
            "cpu_s": cpu_s,
            "rounds": cost.rounds,
            "bytes": cost.bytes_to_each * (len(self.parties) - 1) + cost.bytes_to_one,
            "dealt_bytes": self.rehearsed[name].correction_bytes,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }

    def _barrier(self) -> None:
        for peer in self.channel.peers:
            self.channel.send(peer, _BARRIER, b"")
        for peer in self.channel.peers:
            self.channel.receive(peer, _BARRIER, 0)

    def _deal(self, name: str, scope: bytes) -> None:
        sources = [stream_of(place, scope.decode()) for place in range(len(self.parties))]
        dealer, sequence = Dealer(sources, TorchProducts()), Sequenced(scope)
        for recipe in self.rehearsed[name].recipes:
            operation = sequence.next(recipe)
            self.channel.send(self.parties[-1], operation, bytes(dealer.corrections(recipe)))

    def _share_and_open(self, numbers: Ring, scope: bytes) -> None:
        """The first party's numbers under a zero-sharing over all pairs, then all shares to all."""
        if self.channel.own == self.dealer:
            return
        share = numbers.copy() if self.place == 0 else np.zeros_like(numbers)
        for at in range(len(self.parties)):
            if at != self.place:
                pair = f"{scope!r} {sorted((at, self.place))}"
                mask = stream_of(at * self.place, pair).words(share.size).view(np.uint64)
                share += mask if self.place < at else np.uint64(0) - mask
        peers = [party for party in self.parties if party != self.channel.own]
        own = share.tobytes()
        for peer in peers:
            self.channel.send(peer, _BARRIER, own)
        for peer in peers:
            share += np.frombuffer(self.channel.receive(peer, _BARRIER, len(own)), np.uint64)
        assert (share == numbers).all()

    def _compute(self, work: Work, shares: list[SharedWords], name: str, scope: bytes) -> None:
        last = self.place == len(self.parties) - 1
        supply = PlannedSupply(
            self.place, stream_of(self.place, scope.decode()), self.rehearsed[name].recipes, scope,
            (lambda operation, size: self.channel.receive(self.dealer, operation, size))
            if last else None,
        )  # fmt: skip
        peers = tuple(party for party in self.parties if party != self.channel.own)
        channel = AmongParties(self.channel, peers)
        computation = PartyComputation(
            self.parties, channel, supply, Steps(Scope(), scope), Record()
        )
        work.ours(computation, *shares)


def main() -> None:
    order = json.loads(sys.stdin.readline())
    roster = Roster.from_plain(order["roster"])
    listener = LANES[order["lane"]](
        roster.member(order["own"]), order["key"].encode(), Port("127.0.0.1", (0, 0)),
        LaneSettings(limits=ChannelLimits(wait_s=120, close_s=2)),
    )  # fmt: skip
    print(json.dumps({"address": listener.address}), flush=True)
    addresses = {PartyId(key): value for key, value in json.loads(sys.stdin.readline()).items()}
    channel = listener.connect(roster, bytes.fromhex(order["tag"]), addresses, 30)
    with channel:
        participant = Participant(channel, tuple(member.id for member in roster.parties))
        print(json.dumps({"ready": threading.active_count()}), flush=True)
        for line in sys.stdin:
            print(json.dumps(participant.run(json.loads(line)["work"])), flush=True)


main()
