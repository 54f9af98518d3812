"""Names of a session's steps: what both ends must agree on before a word of a message is used.

The id of a step is a running hash of every step so far (its name and shapes), so parties whose
programs took different turns stop at the next message, although it has the right size.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from mpc.naming import joined
from mpc.units import PartyId

Shape = tuple[int, ...]


class Operations(Protocol):
    """What names steps within a session: :class:`mpc.session.session.Session`."""

    def operation(self, *parts: bytes) -> bytes: ...


class Steps:
    """The steps of one party in one session. ``agreed`` is what must be equal before the first."""

    def __init__(self, operations: Operations, agreed: bytes) -> None:
        self._operations = operations
        self._agreed = agreed
        self._common = hashlib.sha256(joined(b"parley/steps/v1", agreed)).digest()
        self._directed: dict[tuple[PartyId, PartyId], bytes] = {}
        self._count = 0
        self._name = "nothing"

    def next(self, name: str, *shapes: Shape) -> bytes:
        """The id of the next step that all parties take. 16 bytes."""
        self._count, self._name = self._count + 1, name
        self._common = hashlib.sha256(joined(self._common, _described(name, shapes))).digest()
        return self._operations.operation(b"parley/step", self._common)

    def between(self, sender: PartyId, receiver: PartyId, name: str, *shapes: Shape) -> bytes:
        """The id of the next step from ``sender`` to ``receiver``, which others take no part in."""
        self._count, self._name = self._count + 1, name
        ends = joined(sender.encode(), receiver.encode())
        before = self._directed.get((sender, receiver), self._agreed)
        after = hashlib.sha256(joined(before, _described(name, shapes))).digest()
        self._directed[sender, receiver] = after
        return self._operations.operation(b"parley/directed-step", ends, after)

    @property
    def last(self) -> str:
        """The last step, for an error: its number and name."""
        return f"step {self._count}, {self._name}"


def _described(name: str, shapes: tuple[Shape, ...]) -> bytes:
    return joined(name.encode(), *(",".join(map(str, shape)).encode() for shape in shapes))
