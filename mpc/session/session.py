"""A session that all participants confirmed: what a party may do in it."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from mpc.errors import (
    IntegrityError,
    LedgerOutdated,
    PeerError,
    SecretMisuseError,
    TransportError,
)
from mpc.guarded import Guarded
from mpc.naming import operation_id
from mpc.plan.cost import READY_BYTES_MAX
from mpc.ports import Channel, Witness
from mpc.session.agreement import Agreement
from mpc.session.among import AmongParties
from mpc.session.keys import KeySchedule
from mpc.session.ready import Ready, Transcript
from mpc.session.share import ReleasedShare, opening_id
from mpc.session.signer import Signer
from mpc.session.witnessing import LedgerMark, Witnessing
from mpc.session.zero_sharing import ZeroSharing
from mpc.units import PartyId, RunId, SessionId


class Session(Guarded):
    """One party's end. Made by :meth:`mpc.session.establish.Pairing.confirm` and nothing else.

    ``id`` is T, ``opening`` names the one release, ``keys`` is for the backend's
    streams, ``transcript`` takes every value that the backend opens, ``material`` is the id of the
    prepared material that it computes with, or empty.
    """

    __slots__ = ("_ready", "_sealed", "_signer", "agreement", "id", "keys", "material", "own",
                 "transcript", "zero_sharing")  # fmt: skip

    def __init__(
        self, agreement: Agreement, own: PartyId, session: SessionId, keys: KeySchedule,
        signer: Signer,
    ) -> None:  # fmt: skip
        self.agreement = agreement
        self.own = own
        self.id = session
        self.keys = keys
        self.zero_sharing = ZeroSharing(own, agreement.parties, keys)
        self.transcript = Transcript(session)
        self.material = b""
        self._signer = signer
        self._ready: set[bytes] = set()
        self._sealed: set[bytes] = set()

    @property
    def run(self) -> RunId:
        return self.agreement.run

    @property
    def opening(self) -> bytes:
        """The id of the release: nothing else is opened but masked values."""
        return opening_id(self.id)

    @property
    def gathering(self) -> bytes:
        """The id of the READY for what is computed on shares, before any of them leaves."""
        return opening_id(self.id, b"gather")

    def operation(self, *parts: bytes) -> bytes:
        """The 16-byte id of a step; ``parts`` are what all parties must agree on."""
        return operation_id(self.id, *parts)

    def use_material(self, id: bytes) -> None:  # noqa: A002
        """Compute with the prepared material ``id``, as READY will say. Once."""
        if self.material:
            raise SecretMisuseError("a session computes with one material")
        self.material = id

    def among_parties(self, channel: Channel) -> Channel:
        """``channel`` as the parties compute over it: without the dealer, if there is one."""
        if self.agreement.dealer is None:
            return channel
        return AmongParties(channel, tuple(p for p in self.agreement.parties if p != self.own))

    def exchange_ready(
        self, channel: Channel, opening: bytes, witnessing: Witnessing
    ) -> tuple[Witness, ...]:
        """Tell every peer that this party is ready for ``opening``; return when all of them are.

        Returns what each peer showed of its ledger, to be kept with the charge. Opens: how many
        steps this party's ledger took, to each peer. Cost: 1 round, at most READY_BYTES_MAX to
        each peer. Deadline: the channel's.
        Raises IntegrityError naming a peer that is at something else, computed with other material
        or saw other values opened; LedgerOutdated naming who brought an older ledger, itself or a
        peer; and what ``channel`` raises.
        """
        self.agreement.check_channel(channel, self.own)
        step = self.operation(b"parley/ready", opening)
        mark = witnessing.mark(self.own, self._signer)
        for peer in channel.peers:
            own = self._ready_of(self.own, opening, mark, witnessing.seen(peer))
            channel.send(peer, step, own.signed(self._signer).to_bytes())
        roster, shown = self.agreement.roster, list[tuple[LedgerMark, bytes]]()
        for peer in channel.peers:
            data = channel.receive_upto(peer, step, READY_BYTES_MAX)
            ready = Ready.from_sender(data, peer)
            ready.check(self._ready_of(peer, opening, ready.ledger, ready.seen), roster)
            witnessing.check_own(ready.seen, peer, self.own, roster, data)
            shown.append((ready.ledger, data))
        try:
            kept = tuple(witnessing.check_peer(mark, roster, data) for mark, data in shown)
        except LedgerOutdated as fault:
            self._await_end(channel, PartyId(fault.party), opening)
            raise
        self._ready.add(opening)
        return kept

    def _await_end(self, channel: Channel, peer: PartyId, opening: bytes) -> None:
        """Let ``peer`` read in this party's READY that its ledger is outdated, and end by itself.

        To end first could take that back on its way. Returns when ``peer`` ended, at the latest at
        the channel's deadline.
        """
        with suppress(PeerError, TransportError, IntegrityError):
            channel.receive_upto(peer, self.operation(b"parley/outdated", opening), 1)

    def seal(
        self, opening: bytes, words: NDArray[np.int64], commitment: bytes, software: str
    ) -> bytes:
        """The signed message that releases ``words``, the masked share of ``opening``.

        Once an opening, and only after :meth:`exchange_ready` for it: else SecretMisuseError.
        Called by :mod:`mpc.release` alone, through ``mpc.flow``. Opens: the noised result, once
        every party's message is with the recipients.
        """
        if opening not in self._ready:
            raise SecretMisuseError("nothing is sealed before every party said READY for it")
        if opening in self._sealed:
            raise SecretMisuseError("an opening is sealed once; the outbox keeps its bytes")
        self._sealed.add(opening)
        share = ReleasedShare.sign(
            run=self.run,
            session=self.id,
            opening=opening,
            party=self.own,
            plan_digest=self.agreement.plan_digest,
            words=words,
            commitment=commitment,
            software=software,
            signer=self._signer,
        )
        return share.to_bytes()

    def close(self) -> None:
        """Forget every key of the session."""
        self.keys.close()

    def _ready_of(
        self, party: PartyId, opening: bytes, ledger: LedgerMark, seen: LedgerMark | None
    ) -> Ready:
        return Ready(
            session=self.id,
            opening=opening,
            party=party,
            plan_digest=self.agreement.plan_digest,
            material=self.material,
            opened=self.transcript.digest,
            ledger=ledger,
            seen=seen,
        )
