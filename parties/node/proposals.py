"""Proposals as they come, and the plans this party computes from them, within bounds.

Planning takes CPU (16 parties: most of a second) before the policy is asked, so each coordinator
has one proposal planned at a time and few waiting, and what was planned lately is kept: planning is
a pure function of the study and the roster.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from mpc.canonical import from_canonical
from mpc.errors import Busy, IntegrityError, UsageError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.study.canonical import study_from_plain
from mpc.units import PartyId

PLANS_KEPT_MAX = 16
WAITING_MAX = 4  # proposals of one coordinator, the one being planned among them
TURN_S = 30.0


PROPOSAL_BYTES_MAX = 512 << 10


@dataclass(frozen=True)
class Proposed:
    """A proposal as it came, and who brought it. Raises UsageError if it is too large."""

    study: bytes
    roster: bytes
    digest: str
    asker: PartyId

    def __post_init__(self) -> None:
        if len(self.study) > PROPOSAL_BYTES_MAX or len(self.roster) > PROPOSAL_BYTES_MAX:
            raise UsageError(f"a study and a roster have at most {PROPOSAL_BYTES_MAX} bytes each")

    def read_roster(self) -> Roster:
        """Its roster. Raises IntegrityError if it is broken or names another coordinator."""
        roster = Roster.from_plain(from_canonical(self.roster))
        if roster.coordinator.id != self.asker:
            raise IntegrityError("the roster names another coordinator than the one that asks")
        return roster


class Planner:
    """Computes the plans of proposals. Safe from several threads."""

    def __init__(self) -> None:
        self._turns: defaultdict[PartyId, _Turn] = defaultdict(_Turn)  # askers are pinned, so few
        self._lock = threading.Lock()

    def plan(self, proposed: Proposed) -> Plan:
        """The plan this party computes. Raises IntegrityError if it is not the proposed one.

        Raises StudyFaults or PlanRefusal if the study cannot be planned at all, and Busy if its
        coordinator has WAITING_MAX proposals here already.
        """
        with self._lock:
            turn = self._turns[proposed.asker]
        with turn.taken():
            plan = _planned(proposed.study, proposed.roster)
        if plan.digest != proposed.digest:
            raise IntegrityError("the proposed digest is not that of the plan this party computes")
        return plan


@lru_cache(maxsize=PLANS_KEPT_MAX)
def _planned(study: bytes, roster: bytes) -> Plan:
    return plan_study(
        study_from_plain(from_canonical(study)), Roster.from_plain(from_canonical(roster))
    )


@dataclass
class _Turn:
    """One coordinator's proposals, one after the other."""

    _planning: threading.Lock = field(default_factory=threading.Lock)
    _waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(WAITING_MAX))

    @contextmanager
    def taken(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise Busy(f"{WAITING_MAX} proposals of this coordinator are being judged already")
        try:
            if not self._planning.acquire(timeout=TURN_S):
                raise Busy(f"a proposal of this coordinator waited {TURN_S:g} s for its turn")
            try:
                yield
            finally:
                self._planning.release()
        finally:
            self._waiting.release()
