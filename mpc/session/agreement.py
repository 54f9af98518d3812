"""What every participant knows before a session begins: plan, roster, run, phase, build's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mpc.errors import IntegrityError
from mpc.plan.model import MECHANISM
from mpc.ports import Channel
from mpc.roster import Member, Roster
from mpc.session.approval import Agreed, Approval, check_approvals
from mpc.units import PARTIES_MIN, PartyId, PlanDigest, RunId

BUILD = MECHANISM
"""The mechanism of this software. A build with another one must say so, and then signs its Hellos
in another context: it can never meet a real one."""


class Phase(StrEnum):
    """Which part of its run a session is. A Hello names it as its protocol: phases never meet."""

    WHOLE = "parley/1"
    """All of it. The dealer takes part, if the roster has one, and deals as the parties compute."""
    PREPARING = "parley/1/preparing"
    """The dealer deals beforehand, and nothing is computed: :mod:`mpc.session.preparing`."""
    PREPARED = "parley/1/prepared"
    """The parties compute with what was dealt beforehand. The dealer takes no part."""

    def present(self, roster: Roster) -> Roster:
        """Those of a study's ``roster`` who take part in this phase."""
        return roster.without_dealer if self is Phase.PREPARED else roster


@dataclass(frozen=True)
class Agreement:
    """One phase of one run of one plan, as this participant checked it. Two parties at least."""

    plan_digest: PlanDigest
    roster: Roster
    run: RunId
    build: str = BUILD
    phase: Phase = Phase.WHOLE

    def __post_init__(self) -> None:
        if len(self.roster.parties) < PARTIES_MIN:
            raise IntegrityError("a session has two or more parties: one alone would hide nothing")
        if self.phase is not Phase.WHOLE and self.roster.dealer is None:
            raise IntegrityError("the plan's roster has no dealer, so nothing is prepared for it")

    @classmethod
    def of(
        cls, plan: Agreed, approvals: Sequence[Approval], now_unix_s: int, *, build: str = BUILD,
        phase: Phase = Phase.WHOLE,
    ) -> Agreement:  # fmt: skip
        """The agreement that ``approvals`` make of ``plan``. Raises what check_approvals raises."""
        run = check_approvals(plan, approvals, now_unix_s)
        return cls(plan.digest, plan.roster, run, build, phase)

    @property
    def parties(self) -> tuple[PartyId, ...]:
        """The parties' ids, in roster order."""
        return tuple(member.id for member in self.roster.parties)

    @property
    def dealer(self) -> Member | None:
        """Who deals in this session, if anybody does."""
        return self.phase.present(self.roster).dealer

    @property
    def last(self) -> PartyId:
        """The party that a dealer sends corrections to; all others expand their shares."""
        return self.parties[-1]

    @property
    def linked(self) -> tuple[PartyId, ...]:
        """The ids of the parties and then of the session's dealer, if it has one."""
        return tuple(member.id for member in self.phase.present(self.roster).linked)

    @property
    def ids(self) -> tuple[PartyId, ...]:
        """Everyone in the session, the coordinator last: the order of Hellos."""
        return self.phase.present(self.roster).ids

    def check_channel(self, channel: Channel, own: PartyId) -> None:
        """Refuse a channel that does not join ``own`` to every other party and nobody else."""
        if not _joins(channel, own, self.parties):
            raise IntegrityError(f"the channel does not join {own} to all other parties")

    def check_links(self, channel: Channel, own: PartyId) -> None:
        """The same for everyone who meets over the lane: the parties and a dealer."""
        if not _joins(channel, own, self.linked):
            dealer = " and the dealer" if self.dealer else ""
            raise IntegrityError(f"the channel does not join {own} to all other parties{dealer}")


def _joins(channel: Channel, own: PartyId, members: tuple[PartyId, ...]) -> bool:
    return channel.own == own and sorted((channel.own, *channel.peers)) == sorted(members)


def hello_context(build: str) -> str:
    """The context in which Hellos of ``build`` are signed."""
    return "parley/hello/v1" if build == BUILD else "parley/hello/v1/other-mechanism"
