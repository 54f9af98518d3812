"""Whole sessions inside one process: the handshake as it is, over the in-memory network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpc.ports import Randomness
from mpc.session.agreement import BUILD, Agreement, Phase
from mpc.session.approval import Agreed, Approval
from mpc.session.establish import (
    CoordinatorPairing,
    DealerPairing,
    OwnHello,
    Pairing,
    make_hello,
)
from mpc.session.session import Session
from mpc.testing.network import Network, together
from mpc.testing.participants import Participant
from mpc.units import PartyId, Role

NOW_UNIX_S = 1_800_000_000
_APPROVAL_S = 3600


def approvals_of(
    plan: Agreed, participants: Sequence[Participant], randomness: Randomness
) -> tuple[Approval, ...]:
    """Every party's approval of ``plan``, good for an hour from :data:`NOW_UNIX_S`."""
    return tuple(
        Approval.sign(
            plan_digest=plan.digest,
            party=participant.id,
            nonce=randomness.random_bytes(32),
            expires_unix_s=NOW_UNIX_S + _APPROVAL_S,
            approved_by="policy",
            signer=participant.sign,
        )
        for participant in participants
        if participant.member.role is Role.PARTY
    )


@dataclass(frozen=True, repr=False)
class Meeting:
    """All participants of one run, before any Hello is compared. The coordinator is the last."""

    agreement: Agreement
    approvals: tuple[Approval, ...]
    hellos: Mapping[PartyId, OwnHello]

    @classmethod
    def of(
        cls,
        plan: Agreed,
        participants: Sequence[Participant],
        randomness: Randomness,
        *,
        build: str = BUILD,
        phase: Phase = Phase.WHOLE,
        approvals: tuple[Approval, ...] = (),
    ) -> Meeting:
        """Make every Hello for ``phase``; approve ``plan`` at every party if none are given."""
        approvals = approvals or approvals_of(plan, participants, randomness)
        agreement = Agreement.of(plan, approvals, NOW_UNIX_S, build=build, phase=phase)
        hellos = {
            participant.id: make_hello(agreement, participant.id, participant.sign, randomness)
            for participant in participants
            if participant.id in agreement.ids
        }
        return cls(agreement, approvals, hellos)

    @property
    def said(self) -> list[bytes]:
        """Every Hello as it travels, in roster order with the coordinator last."""
        return [self.hellos[participant].data for participant in self.agreement.ids]

    def coordinate(self) -> CoordinatorPairing:
        """The coordinator's second step."""
        return self.hellos[self.agreement.roster.coordinator.id].agree_as_coordinator(self.said)

    def pair(self) -> Mapping[PartyId, Pairing]:
        """Every party's second step; the coordinator checks each one's confirmation."""
        return self._pair(self.coordinate())

    def pair_dealt(self) -> tuple[Mapping[PartyId, Pairing], DealerPairing]:
        """The same where the roster has a dealer, and that dealer's second step."""
        coordinator = self.coordinate()
        dealer = self.agreement.linked[-1]
        confirmation = coordinator.confirmations[dealer]
        pairing = self.hellos[dealer].agree_as_dealer(self.said, confirmation)
        coordinator.check(dealer, pairing.for_coordinator)
        return self._pair(coordinator), pairing

    def _pair(self, coordinator: CoordinatorPairing) -> Mapping[PartyId, Pairing]:
        pairings = {
            party: self.hellos[party].agree(self.said, coordinator.confirmations[party])
            for party in self.agreement.parties
        }
        for party, pairing in pairings.items():
            coordinator.check(party, pairing.for_coordinator)
        return pairings

    def establish(self, network: Network) -> Mapping[PartyId, Session]:
        """Every party's confirmed session over ``network``, each in a thread of its own."""
        pairings = self.pair()
        channels = {channel.own: channel for channel in network.channels}
        tasks = {
            party: lambda pairing=pairing, channel=channels[party]: pairing.confirm(channel)
            for party, pairing in pairings.items()
        }
        return together(tasks).all()
