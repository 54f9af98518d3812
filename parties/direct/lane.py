"""The direct lane: two TLS 1.3 connections between every two parties, one for each direction.

Both sides show certificates and accept the very ones of the plan's roster, and nobody else passes
the handshake. Same frames, same rules, same failures as the gRPC lane (:mod:`parties.lane`), whose
rounds take three times as long on one machine (``tests/bench/lanes.py``); that one is for parties
whose ports only HTTP/2 gets to. Makes one thread a session, which works while the protocol's own
thread computes.
"""

from __future__ import annotations

from mpc.roster import Member
from parties.channel import PeerChannel
from parties.direct.greeting import Own
from parties.direct.loop import PollLoop
from parties.direct.meeting import Meeting
from parties.listening import LaneListener, LaneSettings, Peers, Port
from parties.waiting import Waiting


class DirectListener(LaneListener):
    """One party's end of a session over the direct lane."""

    def __init__(self, own: Member, tls_key_pem: bytes, port: Port, settings: LaneSettings) -> None:
        super().__init__(own, tls_key_pem, port, settings)
        self._loop = PollLoop(settings.keepalive_s, settings.timeout_s)

    def _waiting(self) -> Waiting:
        return self._loop

    def _meet(self, channel: PeerChannel, peers: Peers, deadline_s: float) -> None:
        settings = self._settings
        patience_s = max(settings.limits.wait_s, settings.keepalive_s + settings.timeout_s)
        own = Own(self._own, self._key, channel.tag, patience_s)
        self._loop.serve(channel)
        Meeting(own, peers, channel, self._loop).run(self._port.bound, deadline_s)
        channel.wait_joined(0)
        self._loop.watch()

    def _free(self) -> None:
        self._loop.close()
