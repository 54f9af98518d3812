"""From an agreement to a session, in explicit steps, since Hellos travel by the coordinator first.

    party:        make_hello → agree(all Hellos, coordinator's confirmation) → Pairing
                  Pairing.for_coordinator → back to the coordinator
                  Pairing.confirm(channel) → Session, or .prepare(channel) → PreparingSession
    dealer:       the same with agree_as_dealer → DealerPairing → DealingSession
    coordinator:  make_hello → agree_as_coordinator(all Hellos) → CoordinatorPairing
                  .confirmations → to each party; .check(party, its confirmation)

The coordinator is trusted with none of it: every Hello is signed, each party compares with what its
peers say themselves, and a confirmation needs the private half of the key in a signed Hello.
Protocol: SIGMA-like signed Diffie-Hellman with key confirmation (Krawczyk 2003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpc.errors import IntegrityError, SecretMisuseError
from mpc.guarded import Guarded
from mpc.naming import operation_id
from mpc.plan.cost import CONFIRMATION_BYTES, HELLO_BYTES_MAX
from mpc.ports import Channel, Randomness
from mpc.session.agreement import Agreement, Phase
from mpc.session.dealing import DealingSession
from mpc.session.hello import NONCE_SIZE, Hello, check_hellos, session_id
from mpc.session.keys import EphemeralKey, KeySchedule
from mpc.session.preparing import PreparingSession
from mpc.session.session import Session
from mpc.session.signer import Signer
from mpc.units import PartyId, SessionId


class OwnHello(Guarded):
    """This participant's Hello and the private half of its key. Good for one handshake."""

    __slots__ = ("_ephemeral", "_signer", "agreement", "data", "own")

    def __init__(
        self, agreement: Agreement, own: PartyId, data: bytes, ephemeral: EphemeralKey,
        signer: Signer,
    ) -> None:  # fmt: skip
        self.agreement = agreement
        self.own = own
        self.data = data
        self._ephemeral: EphemeralKey | None = ephemeral
        self._signer = signer

    def agree(self, hellos: Sequence[bytes], coordinator_confirmation: bytes) -> Pairing:
        """A party's second step: ``hellos`` of all, in roster order with the coordinator last.

        Raises IntegrityError naming whose Hello or confirmation is refused, and why. Once: a second
        call raises SecretMisuseError, also after a refusal.
        """
        if self.own not in self.agreement.parties:
            role = self.agreement.roster.member(self.own).role.value
            raise SecretMisuseError(f"the {role} has no part in the parties' session")
        session, keys = self._confirmed_keys(hellos, coordinator_confirmation)
        return Pairing(self.agreement, self.own, session, keys, hellos, self._signer)

    def agree_as_dealer(
        self, hellos: Sequence[bytes], coordinator_confirmation: bytes
    ) -> DealerPairing:
        """The dealer's second step. Raises as :meth:`agree` does."""
        dealer = self.agreement.dealer
        if dealer is None or self.own != dealer.id:
            raise SecretMisuseError("only the session's dealer takes this step")
        session, keys = self._confirmed_keys(hellos, coordinator_confirmation)
        return DealerPairing(self.agreement, self.own, session, keys, hellos, self._signer)

    def agree_as_coordinator(self, hellos: Sequence[bytes]) -> CoordinatorPairing:
        """The coordinator's second step. Raises as :meth:`agree` does."""
        if self.own != self.agreement.roster.coordinator.id:
            raise SecretMisuseError("only the roster's coordinator takes this step")
        session, keys = self._keys(hellos)
        return CoordinatorPairing(session, keys, self.agreement.linked)

    def _confirmed_keys(
        self, hellos: Sequence[bytes], coordinator_confirmation: bytes
    ) -> tuple[SessionId, KeySchedule]:
        session, keys = self._keys(hellos)
        keys.check_confirmation(self.agreement.roster.coordinator.id, coordinator_confirmation)
        return session, keys

    def _keys(self, hellos: Sequence[bytes]) -> tuple[SessionId, KeySchedule]:
        ephemeral, self._ephemeral = self._ephemeral, None
        if ephemeral is None:
            raise SecretMisuseError("a Hello serves one handshake")
        read = check_hellos(self.agreement, hellos)
        if hellos[self.agreement.ids.index(self.own)] != self.data:
            raise IntegrityError(
                "the Hello given as this participant's is not its own", party=self.own
            )
        session = session_id(hellos)
        publics = {hello.participant: hello.key for hello in read if hello.participant != self.own}
        return session, KeySchedule(self.own, session, ephemeral, publics)


def make_hello(
    agreement: Agreement, own: PartyId, signer: Signer, randomness: Randomness
) -> OwnHello:
    """Every participant's first step: a Hello with a fresh key and nonce of ``randomness``.

    ``data`` of the result goes to the coordinator. Raises IntegrityError if ``own`` is not in the
    roster, or not in this phase of the run, or ``signer`` is not that member's.
    """
    ephemeral = EphemeralKey(randomness)
    nonce = randomness.random_bytes(NONCE_SIZE)
    hello = Hello.sign(agreement, own, ephemeral.public, nonce, signer)
    hello.check(agreement, own)
    if own not in agreement.ids:
        raise IntegrityError("it has no part in this phase of the run", party=own)
    return OwnHello(agreement, own, hello.to_bytes(), ephemeral, signer)


class Paired(Guarded):
    """Who has T and keys, which its peers have yet to confirm."""

    __slots__ = ("_agreement", "_hellos", "_keys", "_own", "_signer", "for_coordinator", "id")

    def __init__(
        self, agreement: Agreement, own: PartyId, session: SessionId, keys: KeySchedule,
        hellos: Sequence[bytes], signer: Signer,
    ) -> None:  # fmt: skip
        self._agreement = agreement
        self._own = own
        self._keys: KeySchedule | None = keys
        self._hellos = dict(zip(agreement.ids, hellos, strict=True))
        self._signer = signer
        self.id = session
        self.for_coordinator = keys.confirmation(agreement.roster.coordinator.id)

    def _confirmed(self, channel: Channel) -> KeySchedule:
        """The keys, once every peer showed that it has the same."""
        keys, self._keys = self._keys, None
        if keys is None:
            raise SecretMisuseError("a session is confirmed once")
        self._agreement.check_links(channel, self._own)
        hello_step, confirm_step = self._step(b"hello"), self._step(b"confirm")
        for peer in channel.peers:
            channel.send(peer, hello_step, self._hellos[self._own])
            channel.send(peer, confirm_step, keys.confirmation(peer))
        for peer in channel.peers:
            said = channel.receive_upto(peer, hello_step, HELLO_BYTES_MAX)
            if said != self._hellos[peer]:
                raise IntegrityError("it says another Hello than the coordinator gave", party=peer)
            keys.check_confirmation(peer, channel.receive(peer, confirm_step, CONFIRMATION_BYTES))
        return keys

    def _step(self, name: bytes) -> bytes:
        """Of the run, not of T: parties that were given different Hellos shall find that out."""
        return operation_id(self._agreement.run.encode(), b"parley/handshake/v1", name)


class Pairing(Paired):
    """A party that has T and keys, which its peers have yet to confirm."""

    __slots__ = ()

    def confirm(self, channel: Channel) -> Session:
        """Exchange Hellos and confirmations with every peer; returns when all of them hold.

        ``channel`` leads to the other parties and to the dealer, if there is one.
        Cost: 1 round, about 900 bytes to each peer. Deadline: the channel's. Once.
        Raises IntegrityError naming a peer whose Hello differs from the one the coordinator gave,
        or whose confirmation does not hold; and what ``channel`` raises. SecretMisuseError in a
        preparing phase, which computes nothing.
        """
        if self._agreement.phase is Phase.PREPARING:
            raise SecretMisuseError("a preparing session computes nothing")
        keys = self._confirmed(channel)
        return Session(self._agreement, self._own, self.id, keys, self._signer)

    def prepare(self, channel: Channel) -> PreparingSession:
        """As :meth:`confirm`, in a preparing phase; SecretMisuseError in any other."""
        if self._agreement.phase is not Phase.PREPARING:
            raise SecretMisuseError("nothing is prepared in a session that computes")
        return PreparingSession(self._agreement, self._own, self.id, self._confirmed(channel))


class DealerPairing(Paired):
    """The dealer that has T and keys, which the parties have yet to confirm."""

    __slots__ = ()

    def confirm(self, channel: Channel) -> DealingSession:
        """As :meth:`Pairing.confirm`, with every party."""
        return DealingSession(self._agreement, self._own, self.id, self._confirmed(channel))


class CoordinatorPairing(Guarded):
    """The coordinator's end: T, a confirmation for each other one, and the check of theirs."""

    __slots__ = ("_keys", "confirmations", "id")

    def __init__(self, session: SessionId, keys: KeySchedule, others: tuple[PartyId, ...]) -> None:
        self._keys = keys
        self.id = session
        self.confirmations: Mapping[PartyId, bytes] = {
            other: keys.confirmation(other) for other in others
        }

    def check(self, party: PartyId, confirmation: bytes) -> None:
        """Refuse what is not ``party``'s confirmation. Raises IntegrityError naming it."""
        self._keys.check_confirmation(party, confirmation)
