"""How the parties of a session meet on the direct lane: who may knock, how many, for how long.

One poll loop in the thread that called, without a thread a caller. Strangers cost a connection
each, of a bounded number, for a bounded time; the one that waits longest makes room for the next.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from mpc.errors import ParleyError, PeerError
from mpc.roster import Member
from mpc.units import PartyId
from parties.channel import PeerChannel
from parties.direct.greeting import Joined, Own, Steps, Wish, dial, welcome
from parties.direct.loop import PollLoop
from parties.listening import Peers

UNGREETED_MAX = 64  # connections of which nobody knows yet whose they are; 30 of them may be peers'
GREETING_S = 5.0  # from a connection to the end of its greeting
TURN_S = 0.02
BACKLOG = 64
ACCEPTS_MAX = 16  # a turn


@dataclass(eq=False)
class _Knock:
    """A connection on its way to be known."""

    steps: Steps[Joined]
    wish: Wish
    failed: Callable[[ParleyError | OSError], None]
    until_s: float


class Meeting:
    """One party meets its peers. For one call of :meth:`run`."""

    def __init__(self, own: Own, peers: Peers, channel: PeerChannel, loop: PollLoop) -> None:
        self._own = own
        self._peers = peers
        self._channel = channel
        self._loop = loop
        self._selector = selectors.DefaultSelector()
        self._dials: dict[_Knock, PartyId] = {}
        self._callers: dict[_Knock, None] = {}  # the one that waits longest first
        self._joined: dict[tuple[PartyId, bool], Joined] = {}
        self._met: set[PartyId] = set()

    def run(self, port: socket.socket, deadline_s: float) -> None:
        """Meet everybody, or end the channel with what prevented it; then listen no more."""
        last = time.monotonic() + deadline_s
        try:
            if self._peers.before:
                admits = self._own.context(self._peers.before, server=True)
                port.setblocking(False)
                port.listen(BACKLOG)
                self._selector.register(port, selectors.EVENT_READ, admits)
            for member in self._peers.after:
                for speaks in (True, False):
                    self._dial(member, last, speaks=speaks)
            while len(self._met) < len(self._peers.ids) and not self._channel.is_over:
                if time.monotonic() > last:
                    self._give_up(deadline_s)
                    return
                self._turn(port)
        finally:
            self._end(port)

    def _turn(self, port: socket.socket) -> None:
        for key, _events in self._selector.select(TURN_S):
            if isinstance(key.data, ssl.SSLContext):
                self._accept(port, key.data)
            elif key.data in self._dials or key.data in self._callers:
                self._step(key.data)
        now = time.monotonic()
        for knock in [*self._dials, *self._callers]:
            if now > knock.until_s:
                self._forget(knock)
            elif knock.wish.connection is None and now >= knock.wish.at_s:
                self._step(knock)
        self._loop.turn()

    def _dial(self, member: Member, until_s: float, *, speaks: bool) -> None:
        peer = member.id
        steps = dial(self._own, member, self._peers.addresses[peer], until_s, speaks=speaks)

        def failed(error: ParleyError | OSError) -> None:
            why = error if isinstance(error, ParleyError) else PeerError(peer, "is out of reach")
            self._channel.fail(why, about=peer)

        knock = _Knock(steps, Wish(None, 0), failed, math.inf)
        self._dials[knock] = peer
        self._step(knock)

    def _accept(self, port: socket.socket, admits: ssl.SSLContext) -> None:
        for _ in range(ACCEPTS_MAX):
            try:
                plain, _address = port.accept()
            except OSError:
                return
            if len(self._callers) == UNGREETED_MAX:
                self._forget(next(iter(self._callers)))
            try:
                self._own.prepare(plain)
                steps = welcome(self._own, admits, self._peers.before, plain)
            except OSError:
                plain.close()
                continue
            until_s = time.monotonic() + GREETING_S
            knock = _Knock(steps, Wish(None, 0), lambda _error: None, until_s)
            self._callers[knock] = None
            self._step(knock)

    def _step(self, knock: _Knock) -> None:
        """Go on with ``knock`` as far as it goes without waiting."""
        self._unpoll(knock)
        try:
            knock.wish = next(knock.steps)
        except StopIteration as end:
            self._forget(knock)
            self._take(end.value)
        except (ParleyError, OSError) as error:  # a caller's is nobody's business but its own
            self._forget(knock)
            knock.failed(error)
        else:
            if knock.wish.connection is not None:
                self._selector.register(knock.wish.connection, knock.wish.events, knock)

    def _take(self, joined: Joined) -> None:
        peer = joined.peer
        if (peer, joined.speaks) in self._joined:
            joined.secured.close()  # it is in this session already
            return
        self._joined[peer, joined.speaks] = joined
        to, of = self._joined.get((peer, False)), self._joined.get((peer, True))
        if to is not None and of is not None:
            self._met.add(peer)
            self._loop.line(
                peer, (to.secured, to.reader, to.writer), (of.secured, of.reader, of.writer)
            )

    def _forget(self, knock: _Knock) -> None:
        self._unpoll(knock)
        knock.steps.close()
        self._dials.pop(knock, None)
        self._callers.pop(knock, None)

    def _unpoll(self, knock: _Knock) -> None:
        if knock.wish.connection is not None:
            self._selector.unregister(knock.wish.connection)
            knock.wish = Wish(None, 0)

    def _give_up(self, deadline_s: float) -> None:
        for peer in self._dials.values():
            address = self._peers.addresses[peer]
            late = PeerError(peer, f"did not answer at {address} within {deadline_s:g} s")
            self._channel.fail(late, about=peer)

    def _end(self, port: socket.socket) -> None:
        for knock in [*self._dials, *self._callers]:
            self._forget(knock)
        for (peer, _speaks), joined in self._joined.items():
            if peer not in self._met:
                joined.secured.close()
        if self._peers.before:
            with contextlib.suppress(OSError):
                # Nobody else can come; the port stays this party's. (Linux; elsewhere callers wait
                # until the session is over.)
                port.shutdown(socket.SHUT_RD)
        self._selector.close()
