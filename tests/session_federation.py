"""Participants, an agreed plan and handshakes for tests of the session; seeded, so repeatable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seeded_randomness import SeededRandomness

from mpc.roster import Roster
from mpc.session.agreement import BUILD, Phase
from mpc.session.approval import Approval
from mpc.session.establish import OwnHello, Pairing
from mpc.session.session import Session
from mpc.testing.network import Fault, Network
from mpc.testing.participants import Participant, make_participants, roster_of
from mpc.testing.sessions import Meeting
from mpc.testing.simulated import Time, WallTime
from mpc.units import PartyId, PlanDigest, sha256_hex

COMMITMENT = bytes(range(32))
PassingTime = Callable[[Sequence[PartyId]], Time]
"""Makes the time of a network, given who takes part."""


def on_the_wall(_linked: Sequence[PartyId]) -> Time:
    return WallTime()


@dataclass(frozen=True)
class AgreedPlan:
    """What a session needs of a plan."""

    digest: PlanDigest
    roster: Roster


class SessionFederation:
    """``count`` parties and a coordinator, and the plan they approve."""

    def __init__(self, count: int, seed: int | str = 0, *, dealer: bool = False) -> None:
        self.randomness = SeededRandomness(f"session/{seed}/{count}")
        self.participants = make_participants(count, self.randomness, dealer=dealer)
        self.plan = self.planned("the plan")

    def planned(self, what: str) -> AgreedPlan:
        return AgreedPlan(PlanDigest(sha256_hex(what.encode())), roster_of(self.participants))

    @property
    def parties(self) -> tuple[PartyId, ...]:
        return tuple(member.id for member in self.plan.roster.parties)

    def participant(self, name: str) -> Participant:
        return next(each for each in self.participants if each.id == name)

    def meeting(
        self, plan: AgreedPlan | None = None, build: str = BUILD, *,
        phase: Phase = Phase.WHOLE, approvals: tuple[Approval, ...] = (),
    ) -> Meeting:  # fmt: skip
        return Meeting.of(
            plan or self.plan, self.participants, self.randomness,
            build=build, phase=phase, approvals=approvals,
        )  # fmt: skip

    def network(
        self, *, wait_s: float = 5.0, faults: Sequence[Fault] = (), dealer: bool = True,
        time: PassingTime = on_the_wall,
    ) -> Network:  # fmt: skip
        """Everyone whom the roster links; without the dealer if it is to have no part."""
        roster = self.plan.roster if dealer else self.plan.roster.without_dealer
        linked = tuple(member.id for member in roster.linked)
        return Network(linked, wait_s=wait_s, faults=faults, time=time(linked))

    def sessions(self) -> list[Session]:
        """Confirmed sessions of all parties, in roster order."""
        established = self.meeting().establish(self.network())
        return [established[party] for party in self.parties]


def agree_at(meeting: Meeting, party: str, said: Sequence[bytes]) -> Pairing:
    """``party``'s second step with these Hellos and a confirmation that fits the honest ones."""
    coordinator = meeting.coordinate()
    return own_hello(meeting, party).agree(said, coordinator.confirmations[PartyId(party)])


def own_hello(meeting: Meeting, participant: str) -> OwnHello:
    return meeting.hellos[PartyId(participant)]
