"""Channels between parties that are threads of one process, with faults where a test wants them.

:class:`MemoryChannel` is :class:`mpc.ports.Channel` and behaves as the lane does: the first failure
ends the session for all and names the party it is about, an end without BYE is a failure, messages
of a direction carry numbers, so that one lost, repeated or out of order is noticed.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from mpc.errors import ContractError, IntegrityError, ParleyError, PeerError
from mpc.testing.simulated import Time, WallTime
from mpc.units import PartyId

OPERATION_BYTES = 16
Result = TypeVar("Result")


class FaultKind(StrEnum):
    """What the network does to one message."""

    DELAY = "delay"  # arrives ``delay_s`` late, and what follows it waits
    DROP = "drop"  # never arrives
    SWAP = "swap"  # arrives after the next one
    REPEAT = "repeat"  # arrives twice
    TAMPER = "tamper"  # one bit of it is turned
    CUT = "cut"  # the link ends here, without BYE
    KILL = "kill"  # its sender ends here, and all links of it


@dataclass(frozen=True)
class Fault:
    """``kind`` befalls message ``index`` (from 0) of ``sender`` to ``receiver``."""

    kind: FaultKind
    sender: PartyId
    receiver: PartyId
    index: int
    delay_s: float = 0.05


@dataclass(frozen=True, repr=False)
class Message:
    """One message as the network saw it."""

    sender: PartyId
    receiver: PartyId
    number: int
    operation: bytes
    payload: bytes


@dataclass
class _Line:
    """One direction of one link."""

    sent: int = 0
    due: int = 0  # number of the message to be taken next
    arrived: deque[Message] = field(default_factory=deque)
    waiting: deque[Message] = field(default_factory=deque)  # behind a delayed or swapped one
    delayed: bool = False
    swapped: Message | None = None
    left: bool = False  # the sender said BYE

    @property
    def over(self) -> bool:
        """Nothing more will arrive."""
        return self.left and not self.delayed


class Network:
    """Every channel of one session in memory. ``seen`` keeps each message, for wire-taps."""

    def __init__(
        self, parties: Sequence[PartyId], *, wait_s: float = 10.0, faults: Sequence[Fault] = (),
        time: Time | None = None,
    ) -> None:  # fmt: skip
        """``parties`` in roster order. ``wait_s``: deadline of every receive, in ``time``, which
        passes as on the wall unless told otherwise."""
        self.wait_s = wait_s
        self.time = time or WallTime()
        self.seen: list[Message] = []
        self.changed = threading.Condition()
        self._faults = {(fault.sender, fault.receiver, fault.index): fault for fault in faults}
        self._lines = {(a, b): _Line() for a in parties for b in parties if a != b}
        self.channels = tuple(MemoryChannel(self, party, tuple(parties)) for party in parties)
        self._channel_of = {channel.own: channel for channel in self.channels}

    def line(self, sender: PartyId, receiver: PartyId) -> _Line:
        return self._lines[sender, receiver]

    def kill(self, party: PartyId) -> None:
        """End every link of ``party`` without BYE, as if its process had been killed."""
        with self.changed:
            for channel in self.channels:
                if channel.own == party:
                    channel.record(PeerError(party, "was killed"))
                elif not self._lines[party, channel.own].left:
                    channel.record(_cut_off(party))

    def post(self, sender: PartyId, receiver: PartyId, operation: bytes, payload: bytes) -> None:
        """Carry one message, or do to it what a fault says. Lock held."""
        line = self._lines[sender, receiver]
        fault = self._faults.get((sender, receiver, line.sent))
        message = Message(sender, receiver, line.sent, operation, payload)
        line.sent += 1
        self.seen.append(message)
        kind = None if fault is None else fault.kind
        if kind is FaultKind.CUT:
            self._cut(sender, receiver)
            return
        if kind is FaultKind.KILL:
            self.kill(sender)
            return
        if kind is FaultKind.DROP:
            return
        if kind is FaultKind.SWAP:
            line.swapped = message
            return
        if kind is FaultKind.TAMPER:
            message = replace(message, payload=_turned(payload))
        if fault is not None and kind is FaultKind.DELAY:
            self._delay(line, fault.delay_s)
        arriving = [message] * (2 if kind is FaultKind.REPEAT else 1)
        if line.swapped is not None:
            arriving.append(line.swapped)
            line.swapped = None
        (line.waiting if line.delayed else line.arrived).extend(arriving)
        self.changed.notify_all()

    def tell(self, own: PartyId, about: PartyId) -> None:
        """``own`` failed because of ``about``: every peer's session ends as well. Lock held."""
        for channel in self.channels:
            if channel.own == own:
                continue
            if about in (own, channel.own):
                why = "ended the session: it says that it lost this party"
                error = PeerError(own, why if about == channel.own else "ended the session")
            else:
                error = PeerError(about, f"lost, as {own} reports")
            channel.record(error)

    def _cut(self, sender: PartyId, receiver: PartyId) -> None:
        for own, peer in ((sender, receiver), (receiver, sender)):
            if not self._lines[peer, own].left:
                self._channel_of[own].record(_cut_off(peer), tell=peer)

    def _delay(self, line: _Line, delay_s: float) -> None:
        def arrive() -> None:
            line.delayed = False
            line.arrived.extend(line.waiting)
            line.waiting.clear()
            self.changed.notify_all()

        line.delayed = True
        self.time.later(self.changed, delay_s, arrive)

    def until_ended(self, own: PartyId, task: Callable[[], Result]) -> Callable[[], Result]:
        """``task``, after which simulated time does not wait for ``own`` any more."""

        def told() -> Result:
            try:
                return task()
            finally:
                self.time.ended(self.changed, own)

        return told


class MemoryChannel:
    """One party's end. See :class:`mpc.ports.Channel`."""

    def __init__(self, network: Network, own: PartyId, parties: tuple[PartyId, ...]) -> None:
        self._network = network
        self._own = own
        self._peers = tuple(party for party in parties if party != own)
        self._failure: ParleyError | None = None
        self._closed = False

    @property
    def own(self) -> PartyId:
        return self._own

    @property
    def peers(self) -> tuple[PartyId, ...]:
        return self._peers

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        """Queue ``payload``. Raises the session's failure, or PeerError if the peer has left."""
        self._check(to, operation)
        if type(payload) is not bytes:
            raise ContractError("a channel carries bytes and no other buffer")
        with self._network.changed:
            self._check_open()
            if self._network.line(to, self._own).left:
                raise self._failed(
                    PeerError(to, "has left the session, but was still to be sent to"), to
                )
            self._network.post(self._own, to, operation, payload)
            self._check_open()

    def receive(self, sender: PartyId, operation: bytes, size: int) -> bytes:
        """The next message of ``sender``, which must be of ``operation`` and ``size`` bytes."""
        return self._receive(sender, operation, size, size)

    def receive_upto(self, sender: PartyId, operation: bytes, size_max: int) -> bytes:
        """The next message of ``sender``, which must be of ``operation``."""
        return self._receive(sender, operation, 0, size_max)

    def close(self) -> None:
        """Say BYE to every peer and end. Idempotent."""
        with self._network.changed:
            if not self._closed and self._failure is None:
                for peer in self._peers:
                    self._network.line(self._own, peer).left = True
            self._closed = True
            self._network.changed.notify_all()

    def record(self, error: ParleyError, tell: PartyId | None = None) -> None:
        """Keep the first failure and wake whoever waits; tell the peers whom it is about."""
        if self._failure is not None or self._closed:
            return
        self._failure = error
        self._network.changed.notify_all()
        if tell is not None:
            self._network.tell(self._own, tell)

    def _check(self, peer: PartyId, operation: bytes) -> None:
        if len(operation) != OPERATION_BYTES:
            raise ContractError(f"an operation id is {OPERATION_BYTES} bytes")
        if peer not in self._peers:
            raise ContractError(f"{peer} is no peer of {self._own} in this session")

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ContractError("this session's channel is closed")

    def _failed(self, error: ParleyError, about: PartyId) -> ParleyError:
        """End the session; what to raise: the failure that came first."""
        self.record(error, tell=about)
        return self._failure or error

    def _receive(self, sender: PartyId, operation: bytes, least: int, most: int) -> bytes:
        self._check(sender, operation)
        with self._network.changed:
            message = self._next(sender)
            if message.operation != operation:
                raise self._failed(
                    PeerError(sender, "is at another step of the computation"), sender
                )
            size = len(message.payload)
            if not least <= size <= most:
                due = f"{most}" if least == most else f"at most {most}"
                error = PeerError(sender, f"sends {size} bytes where {due} are due")
                raise self._failed(error, sender)
            return message.payload

    def _next(self, sender: PartyId) -> Message:
        line = self._network.line(sender, self._own)
        self._check_open()
        self._network.time.wait(
            self._network.changed,
            self._own,
            lambda: line.arrived or line.over or self._failure or self._closed,
            self._network.wait_s,
        )
        self._check_open()
        if line.arrived:
            message = line.arrived.popleft()
            if message.number != line.due:
                what = "a message repeated, left out or out of order"
                raise self._failed(IntegrityError(f"sent {what}", party=sender), sender)
            line.due += 1
            return message
        if line.over:
            raise self._failed(
                PeerError(sender, "has left the session, but its message was due"), sender
            )
        raise self._failed(
            PeerError(sender, f"sent nothing for {self._network.wait_s:g} s"), sender
        )


@dataclass(frozen=True)
class Ends(Generic[Result]):
    """How each party's thread ended: with a value or with an error."""

    values: Mapping[PartyId, Result]
    errors: Mapping[PartyId, Exception]

    def all(self) -> Mapping[PartyId, Result]:
        """Every party's value. Raises the first error, in roster order."""
        for error in self.errors.values():
            raise error
        return self.values


def together(tasks: Mapping[PartyId, Callable[[], Result]]) -> Ends[Result]:
    """Run every party's task in a thread of its own and wait for all of them."""
    values: dict[PartyId, Result] = {}
    errors: dict[PartyId, Exception] = {}
    with ThreadPoolExecutor(len(tasks)) as pool:
        futures = {party: pool.submit(task) for party, task in tasks.items()}
        for party, future in futures.items():
            error = future.exception()
            if isinstance(error, Exception):
                errors[party] = error
            elif error is not None:
                raise error
            else:
                values[party] = future.result()
    return Ends(values, errors)


def seeded_fault(
    seed: int, kinds: Sequence[FaultKind], parties: Sequence[PartyId], messages: int
) -> Fault:
    """One fault among the first ``messages`` of some direction: the same one for the same seed."""
    digest = hashlib.sha256(f"parley/fault/{seed}".encode()).digest()
    number = int.from_bytes(digest, "big")
    number, kind = divmod(number, len(kinds))
    number, sender = divmod(number, len(parties))
    number, offset = divmod(number, len(parties) - 1)
    receiver = (sender + 1 + offset) % len(parties)
    return Fault(kinds[kind], parties[sender], parties[receiver], number % messages)


def _cut_off(peer: PartyId) -> PeerError:
    return PeerError(peer, "its connection ended without BYE")


def _turned(payload: bytes) -> bytes:
    return bytes([payload[0] ^ 1]) + payload[1:] if payload else b"\1"
