"""The runs of a node: their stages as watchers see them, and their workers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mpc.canonical import Plain
from mpc.errors import Busy, IntegrityError, StudyAborted, TransportError
from mpc.plan.model import Plan
from mpc.session.agreement import Phase
from mpc.units import PartyId, RunId
from parties.node.workers import Worker

STAGES_MAX = 64  # of one run
RUNS_KEPT_MAX = 1000  # that are over
WATCHERS_MAX = 4  # of one coordinator, for each study it may have at once; each holds a thread


def share_of(at_once_max: int, coordinators: int) -> int:
    """How many studies one of several coordinators may have at once, so that all have room."""
    return -(-at_once_max // max(1, coordinators))


def watchers_max(at_once_max: int, coordinators: int) -> int:
    """How many calls may watch at once, of all coordinators together."""
    return WATCHERS_MAX * coordinators * share_of(at_once_max, coordinators)


@dataclass
class Run:
    """One study in progress here. Stages only grow; the last one is final."""

    id: RunId
    coordinator: PartyId
    plan: Plan
    worker: Worker
    phase: Phase = Phase.WHOLE
    stages: list[str] = field(default_factory=list)
    problem: dict[str, str] | None = None
    over: bool = False
    _heard: dict[str, Plain] = field(default_factory=dict)
    _connecting: bool = False
    _ending: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def enter(self, stage: str) -> None:
        """A stage began. Ignored once the run is over."""
        with self._changed:
            if not self.over and len(self.stages) < STAGES_MAX:
                self.stages.append(stage)
                self._changed.notify_all()

    @property
    def is_computing(self) -> bool:
        """Whether its worker has met every peer."""
        with self._changed:
            return "compute" in self.stages

    def may_continue_in(self, phase: Phase) -> bool:
        """Whether the run, having been prepared, may go on in ``phase``."""
        return self.over and self.phase is Phase.PREPARING and phase is not Phase.PREPARING

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
        """Stages from the first on, as they come, until the run is over or the time is."""
        seen = 0
        while fresh := self._after(seen, deadline_s):
            seen += len(fresh)
            yield from fresh

    def _after(self, seen: int, deadline_s: float) -> list[str]:
        with self._changed:
            self._changed.wait_for(lambda: self.over or len(self.stages) > seen, deadline_s)
            return self.stages[seen:]


class Runs:
    """The runs of this node since it started; of those that are over, the latest."""

    def __init__(self, at_once_max: int, coordinators: int) -> None:
        self._at_once_max = at_once_max
        self._share = share_of(at_once_max, coordinators)
        self._runs: dict[RunId, Run] = {}
        self._placed: dict[RunId, PartyId] = {}  # under way, or about to be
        self._watching: Counter[PartyId] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, run: RunId, coordinator: PartyId, phase: Phase = Phase.WHOLE) -> Iterator[None]:
        """Room for a run that the block adds; given back if it raises.

        A run that was prepared may be run once more, in another phase. Raises IntegrityError if it
        is known otherwise, Busy if the node or the coordinator has its fill:
        then nothing was changed.
        """
        with self._lock:
            known = self._runs.get(run)
            if run in self._placed or not (known is None or known.may_continue_in(phase)):
                raise IntegrityError("this run was started before")
            holders = [*self._placed.values(), *(r.coordinator for r in self._active())]
            if len(holders) >= self._at_once_max:
                raise Busy(f"this node runs {self._at_once_max} studies already")
            if holders.count(coordinator) >= self._share:
                raise Busy(f"this node runs {self._share} studies of this coordinator already")
            self._placed[run] = coordinator
        try:
            yield
        finally:
            with self._lock:
                del self._placed[run]

    def add(self, run: Run) -> None:
        """Take up a run that has a place; of those that are over, forget the oldest."""
        with self._lock:
            for old in [known.id for known in self._runs.values() if known.over][:-RUNS_KEPT_MAX]:
                del self._runs[old]
            self._runs[run.id] = run

    @contextmanager
    def watched(self, coordinator: PartyId) -> Iterator[None]:
        """One more call of ``coordinator`` that watches a run, for as long as the block lasts.

        Raises Busy if it has WATCHERS_MAX for each study it may have at once.
        """
        most = WATCHERS_MAX * self._share
        with self._lock:
            if self._watching[coordinator] >= most:
                raise Busy(f"{most} calls of this coordinator watch runs already")
            self._watching[coordinator] += 1
        try:
            yield
        finally:
            with self._lock:
                self._watching[coordinator] -= 1

    def get(self, run: str) -> Run | None:
        with self._lock:
            return self._runs.get(RunId(run))

    def active(self) -> tuple[Run, ...]:
        with self._lock:
            return self._active()

    def _active(self) -> tuple[Run, ...]:
        return tuple(run for run in self._runs.values() if not run.over)
