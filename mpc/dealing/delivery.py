"""How corrections reach the last party: in parts, ahead of need, never more than a window unread.

Both ends know the recipes beforehand, so they cut them into the same parts and agree on which of
them the party confirms; a part has its own operation id, and a confirmation is an empty message.
The dealer runs ahead until :data:`WINDOW_BYTES` of what it sent are unconfirmed, and waits then.
Each wait has the channel's deadline.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpc.dealing.dealer import Dealer
from mpc.dealing.recipe import Recipe, correction_bytes, recipe_name
from mpc.dealing.supply import Sequenced
from mpc.errors import IntegrityError
from mpc.guarded import Guarded
from mpc.naming import joined, operation_id
from mpc.ports import Channel
from mpc.units import PartyId

PART_BYTES = 4 << 20
"""What one message carries at most: far below what any lane takes."""

WINDOW_BYTES = 32 << 20
"""What the party has neither read nor confirmed, at most, overheads included."""

CONFIRMED_BYTES = 8 << 20
"""The party confirms when it has read so much since it did so last."""

OVERHEAD_BYTES = 256
"""What a message counts beside its bytes, so that a million tiny ones are bounded too."""


def recipes_digest(recipes: Sequence[Recipe]) -> bytes:
    """SHA-256 over the names of all recipes, in sequence: what everyone agrees to deal. Public."""
    names = (recipe_name(recipe) for recipe in recipes)
    return hashlib.sha256(joined(b"parley/recipes/v1", *names)).digest()


@dataclass(frozen=True)
class Part:
    """Bytes ``start`` to ``end`` of a recipe's corrections, and the id of their message."""

    operation: bytes
    start: int
    end: int
    is_confirmed: bool

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def cost(self) -> int:
        """What it counts while it is unread."""
        return self.size + OVERHEAD_BYTES

    @property
    def confirmation(self) -> bytes:
        """The id of the message that says it was read, if ``is_confirmed``."""
        return operation_id(self.operation, b"parley/dealing/read")


class _Parts:
    """The parts of a whole dealing, as both ends count them."""

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self._left = sum(-(-correction_bytes(recipe) // PART_BYTES) for recipe in recipes)
        self._unconfirmed = 0

    def of(self, operation: bytes, size: int) -> Iterator[Part]:
        """The parts of the next recipe, named ``operation``; none if it has nothing to correct."""
        for start in range(0, size, PART_BYTES):
            end = min(start + PART_BYTES, size)
            self._left -= 1
            self._unconfirmed += end - start + OVERHEAD_BYTES
            is_confirmed = self._unconfirmed >= CONFIRMED_BYTES or self._left == 0
            if is_confirmed:
                self._unconfirmed = 0
            name = operation_id(operation, b"parley/dealing/part", start.to_bytes(8, "big"))
            yield Part(name, start, end, is_confirmed)


def deliver(
    dealer: Dealer, recipes: Sequence[Recipe], channel: Channel, to: PartyId, scope: bytes
) -> None:
    """Deal all of ``recipes`` to ``to``, the last party; return when it has read everything.

    Memory: at most :data:`WINDOW_BYTES` sent and unread, beside one recipe as
    :meth:`mpc.dealing.dealer.Dealer.corrections` states. Opens: nothing. Cost: to the last party 8
    bytes a derived word; from it an empty message for each 8 MiB. Raises what ``channel`` raises.
    """
    sequence, parts, window = Sequenced(scope), _Parts(recipes), _Window(channel, to)
    for recipe in recipes:
        operation = sequence.next(recipe)
        data = dealer.corrections(recipe)
        for part in parts.of(operation, len(data)):
            window.make_room(part)
            channel.send(to, part.operation, bytes(data[part.start : part.end]))
            window.add(part)
    window.wait_empty()


class _Window:
    """What was sent and not confirmed yet."""

    def __init__(self, channel: Channel, to: PartyId) -> None:
        self._channel = channel
        self._to = to
        self._unread: deque[Part] = deque()
        self._bytes = 0

    def make_room(self, part: Part) -> None:
        while self._unread and self._bytes + part.cost > WINDOW_BYTES:
            self._wait()

    def add(self, part: Part) -> None:
        self._unread.append(part)
        self._bytes += part.cost

    def wait_empty(self) -> None:
        while self._unread:
            self._wait()

    def _wait(self) -> None:
        """Until the party confirms again: then it has read everything up to there."""
        while True:
            part = self._unread.popleft()
            self._bytes -= part.cost
            if part.is_confirmed:
                self._channel.receive(self._to, part.confirmation, 0)
                return


class DeliveredCorrections(Guarded):
    """The last party's end of :func:`deliver`: a :data:`mpc.dealing.supply.Corrections`."""

    __slots__ = ("_channel", "_dealer", "_parts")

    def __init__(self, channel: Channel, dealer: PartyId, recipes: Sequence[Recipe]) -> None:
        self._channel = channel
        self._dealer = dealer
        self._parts = _Parts(recipes)

    def __call__(self, operation: bytes, size: int) -> bytearray:
        """The next recipe's corrections. Memory: their size, and one part more.

        Raises what the channel raises, naming the dealer: lost, silent past the deadline, at
        another recipe, or with more or less than is due.
        """
        data, start = bytearray(size), 0
        for part in self.parts(operation, size):
            data[start : start + len(part)] = part
            start += len(part)
        return data

    def parts(self, operation: bytes, size: int) -> Iterator[bytes]:
        """The same in parts, each confirmed once the next is asked for."""
        for part in self._parts.of(operation, size):
            yield self._channel.receive(self._dealer, part.operation, part.size)
            if part.is_confirmed:
                self._channel.send(self._dealer, part.confirmation, b"")


def delivered_parts(
    channel: Channel, dealer: PartyId, recipes: Sequence[Recipe], scope: bytes
) -> Iterator[bytes]:
    """All that :func:`deliver` sends to the last party, for it to keep: to be taken to the end.

    Memory: one part. Raises what :class:`DeliveredCorrections` does. What was taken is confirmed,
    so the dealer runs ahead of whoever stores it by :data:`WINDOW_BYTES` and no more.
    """
    sequence, corrections = Sequenced(scope), DeliveredCorrections(channel, dealer, recipes)
    for recipe in recipes:
        yield from corrections.parts(sequence.next(recipe), correction_bytes(recipe))


class KeptCorrections(Guarded):
    """What :func:`delivered_parts` gave, put together again: a Corrections of no dealer."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __call__(self, _operation: bytes, size: int) -> bytearray:
        """The next recipe's. Raises IntegrityError if they were cut otherwise, or are no more."""
        data = bytearray(size)
        for start in range(0, size, PART_BYTES):
            part = next(self._parts, b"")
            if len(part) != min(PART_BYTES, size - start):
                raise IntegrityError("kept corrections are not those of the recipes that are taken")
            data[start : start + len(part)] = part
        return data
