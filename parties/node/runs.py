"""The runs of a node: their stages as watchers see them, and their workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from mpc.canonical import Plain
from mpc.errors import Busy, IntegrityError, StudyAborted, TransportError
from mpc.plan.model import Plan
from mpc.units import PartyId, RunId
from parties.node.workers import Worker

STAGES_MAX = 64  # of one run
RUNS_KEPT_MAX = 1000  # that are over
WATCHERS_MAX = 4  # of one run; each holds a thread


@dataclass
class Run:
    """One study in progress here. Stages only grow; the last one is final."""

    id: RunId
    coordinator: PartyId
    plan: Plan
    worker: Worker
    stages: list[str] = field(default_factory=list)
    problem: dict[str, str] | None = None
    over: bool = False
    _heard: dict[str, Plain] = field(default_factory=dict)
    _connecting: bool = False
    _ending: bool = False
    _watchers: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def enter(self, stage: str) -> None:
        """A stage began. Ignored once the run is over."""
        with self._changed:
            if not self.over and len(self.stages) < STAGES_MAX:
                self.stages.append(stage)
                self._changed.notify_all()

    def hear(self, message: dict[str, Plain]) -> None:
        """The worker answered what it was asked."""
        with self._changed:
            self._heard.update(message)
            self._changed.notify_all()

    def answer(self, key: str, deadline_s: float) -> dict[str, Plain]:
        """What the worker answered, once ``key`` is among it.

        Raises StudyAborted if the run ended before, TransportError at the deadline.
        """
        with self._changed:
            self._changed.wait_for(lambda: key in self._heard or self.over, deadline_s)
            if key in self._heard:
                return dict(self._heard)
            if self.over:
                raise StudyAborted("the run ended before its worker answered")
        raise TransportError("this party's worker did not answer in time")

    def claim_connect(self) -> bool:
        """True for the first caller, while the run is not over."""
        with self._changed:
            first = not self._connecting and not self.over
            self._connecting = True
            return first

    def claim_end(self) -> bool:
        """True for the first who ends this run: how it ends is theirs to say, and to settle."""
        with self._changed:
            first = not self._ending
            self._ending = True
            return first

    def end(self, problem: dict[str, str] | None) -> bool:
        """The run is over, with a problem or without; the first end counts."""
        with self._changed:
            if self.over:
                return False
            self.problem, self.over = problem, True
            self._changed.notify_all()
            return True

    def follow(self, deadline_s: float) -> Iterator[str]:
        """Stages from the first on, as they come, until the run is over or the time is.

        Raises Busy if WATCHERS_MAX follow it already.
        """
        with self._changed:
            if self._watchers >= WATCHERS_MAX:
                raise Busy(f"{WATCHERS_MAX} calls watch this run already")
            self._watchers += 1
        try:
            seen = 0
            while fresh := self._after(seen, deadline_s):
                seen += len(fresh)
                yield from fresh
        finally:
            with self._changed:
                self._watchers -= 1

    def _after(self, seen: int, deadline_s: float) -> list[str]:
        with self._changed:
            self._changed.wait_for(lambda: self.over or len(self.stages) > seen, deadline_s)
            return self.stages[seen:]


class Runs:
    """The runs of this node since it started; of those that are over, the latest."""

    def __init__(self, at_once_max: int) -> None:
        self._at_once_max = at_once_max
        self._runs: dict[RunId, Run] = {}
        self._lock = threading.Lock()

    def add(self, run: Run) -> None:
        """Take up a run. Raises IntegrityError if it is known, Busy if the node has its fill."""
        with self._lock:
            if run.id in self._runs:
                raise IntegrityError("this run was started before")
            if sum(not known.over for known in self._runs.values()) >= self._at_once_max:
                raise Busy(f"this node runs {self._at_once_max} studies already")
            for old in [known.id for known in self._runs.values() if known.over][:-RUNS_KEPT_MAX]:
                del self._runs[old]
            self._runs[run.id] = run

    def get(self, run: str) -> Run | None:
        with self._lock:
            return self._runs.get(RunId(run))

    def active(self) -> tuple[Run, ...]:
        with self._lock:
            return tuple(run for run in self._runs.values() if not run.over)
