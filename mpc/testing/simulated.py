"""How time passes in the in-memory network: as on the wall, or while everybody waits.

With :class:`SimulatedTime` a deadline of an hour costs nothing, and a run in which nobody can go on
ends at once, each at the deadline that it would have met. Thousands of runs a minute take it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mpc.errors import ContractError
from mpc.units import PartyId


class Time(Protocol):
    """What a network asks of time. All but ``ended`` are called with the network's lock held."""

    def wait(
        self, changed: threading.Condition, own: PartyId, ready: Callable[[], object], wait_s: float
    ) -> None:
        """Return when ``own`` has something ``ready``, or after ``wait_s``."""
        ...

    def later(self, changed: threading.Condition, delay_s: float, act: Callable[[], None]) -> None:
        """Have ``act`` done after ``delay_s``, with the lock held."""
        ...

    def ended(self, changed: threading.Condition, own: PartyId) -> None:
        """``own`` will neither wait nor send any more."""
        ...


class WallTime:
    """As it passes: :class:`Time` of this machine's clock."""

    def wait(
        self, changed: threading.Condition, own: PartyId, ready: Callable[[], object], wait_s: float
    ) -> None:
        changed.wait_for(ready, wait_s)

    def later(self, changed: threading.Condition, delay_s: float, act: Callable[[], None]) -> None:
        def locked() -> None:
            with changed:
                act()

        timer = threading.Timer(delay_s, locked)
        timer.daemon = True
        timer.start()

    def ended(self, changed: threading.Condition, own: PartyId) -> None:
        """Nobody waits for that."""


@dataclass
class _Wait:
    own: PartyId
    until_s: float
    ready: Callable[[], object]
    is_over: bool = False


@dataclass
class _Due:
    at_s: float
    act: Callable[[], None]


@dataclass
class SimulatedTime:
    """:class:`Time` that passes while all of ``running`` wait, and then to what comes first.

    ``running``: participants whose threads run, each of which must be told of as ``ended``. At one
    time, what arrives comes before who gives up, and that in the sequence of ``running``. Raises
    ContractError at who waits if for ``stuck_s`` on the wall nothing comes and somebody runs.
    """

    running: Sequence[PartyId]
    stuck_s: float = 60.0
    now_s: float = 0.0
    _waits: list[_Wait] = field(default_factory=list)
    _due: list[_Due] = field(default_factory=list)
    _ended: set[PartyId] = field(default_factory=set)

    def wait(
        self, changed: threading.Condition, own: PartyId, ready: Callable[[], object], wait_s: float
    ) -> None:
        wait = _Wait(own, self.now_s + wait_s, ready)
        self._waits.append(wait)
        try:
            while not ready() and not wait.is_over:
                if self._nobody_runs():
                    self._pass(changed)
                elif not changed.wait(self.stuck_s):
                    raise ContractError("somebody neither waits nor sends nor is told of as ended")
        finally:
            self._waits.remove(wait)

    def later(self, changed: threading.Condition, delay_s: float, act: Callable[[], None]) -> None:
        self._due.append(_Due(self.now_s + delay_s, act))

    def ended(self, changed: threading.Condition, own: PartyId) -> None:
        with changed:
            self._ended.add(own)
            changed.notify_all()

    def _nobody_runs(self) -> bool:
        idle = {wait.own for wait in self._waits if not wait.is_over and not wait.ready()}
        return idle | self._ended >= set(self.running)

    def _pass(self, changed: threading.Condition) -> None:
        """Go to the next thing that happens, and let it."""
        due = min(self._due, key=lambda each: each.at_s, default=None)
        idle = [wait for wait in self._waits if not wait.is_over and not wait.ready()]
        wait = min(idle, key=lambda each: (each.until_s, self.running.index(each.own)))
        if due is not None and due.at_s <= wait.until_s:
            self._due.remove(due)
            self.now_s = due.at_s
            due.act()
        else:
            self.now_s = wait.until_s
            wait.is_over = True
        changed.notify_all()
