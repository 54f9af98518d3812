"""What parties show each other of their ledgers, so that no older copy of one goes unnoticed.

Each READY carries its party's mark, the counter and head of its ledger's hash chain, and gives back
the highest mark that it holds of the reader. Who holds a peer's higher mark refuses the peer; who
is shown its own mark and finds it nowhere in its own chain stops, and its ledger takes no more.

A mark tells a peer how many steps a ledger took, and nothing of whose they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mpc.canonical import Record
from mpc.errors import IntegrityError, LedgerOutdated
from mpc.ports import ChainHead, Ledger, Witness
from mpc.roster import Roster
from mpc.session.signed import Signed
from mpc.session.signer import Signer
from mpc.units import ID_LENGTH_MAX, PartyId

HEAD_SIZE = 32
COUNTER_MAX = 1 << 53


@dataclass(frozen=True)
class LedgerMark(Signed):
    """``party`` says that its ledger's chain has ``head`` (hex) after ``counter`` steps."""

    WHAT: ClassVar[str] = "a mark of a ledger"
    CONTEXT: ClassVar[str] = "parley/ledger-mark/v1"

    party: PartyId
    counter: int
    head: str

    @property
    def chain_head(self) -> ChainHead:
        """The same as the ledger keeps it."""
        return ChainHead(self.counter, bytes.fromhex(self.head))

    @classmethod
    def _read(cls, record: Record) -> LedgerMark:
        return cls(
            party=PartyId(record.text("party", ID_LENGTH_MAX)),
            counter=record.integer("counter", 0, COUNTER_MAX),
            head=record.octets("head", HEAD_SIZE, HEAD_SIZE).hex(),
        )


class Witnessing:
    """One party's end: its ledger, and what that held of its peers when this was made.

    Make it before the session's Hello: a peer's READY answers that Hello, so it is younger than
    all that was held of the peer by then, whatever other studies do meanwhile.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held = dict(ledger.witnessed())

    def mark(self, own: PartyId, signer: Signer) -> LedgerMark:
        """This party's ledger as it stands."""
        head = self._ledger.head()
        return LedgerMark(own, head.counter, head.digest.hex()).signed(signer)

    def seen(self, peer: PartyId) -> LedgerMark | None:
        """The highest mark held of ``peer``; None if it never showed one."""
        held = self._held.get(peer)
        return None if held is None else LedgerMark.from_bytes(held.mark)

    def check_own(self, seen: LedgerMark | None, peer: PartyId, own: PartyId, roster: Roster,
                  ready: bytes) -> None:  # fmt: skip
        """Stop if ``peer`` holds a mark of this party that its ledger does not lead to.

        ``ready`` is the READY that says so, kept as evidence. Raises LedgerOutdated, and then the
        ledger takes no more; IntegrityError naming ``peer`` if this party never signed that mark.
        """
        if seen is None or self._ledger.holds(seen.chain_head):
            return
        try:
            if seen.party != own:
                raise IntegrityError("the mark is of another party")
            seen.verify(roster)
        except IntegrityError:
            what = "it shows a mark that is neither in this party's ledger nor signed by it"
            raise IntegrityError(what, party=peer) from None
        self._ledger.condemn(Witness(peer, seen.chain_head, seen.to_bytes(), ready))
        raise LedgerOutdated(
            f"its ledger is an older copy: {peer} has seen step {seen.counter} of it, which this"
            f" file (at step {self._ledger.head().counter}) does not have",
            party=own,
            hint="put the latest ledger back; if it is lost: parley budget accept-loss",
        )

    def check_peer(self, mark: LedgerMark, roster: Roster, ready: bytes) -> Witness:
        """Refuse ``mark`` if its party showed a higher one before; else what to keep of it.

        Raises LedgerOutdated naming the party, and IntegrityError if it did not sign the mark.
        """
        mark.verify(roster)
        held, shown = self._held.get(mark.party), mark.chain_head
        fault = None if held is None else _fault_after(held.head, shown)
        if fault is not None:
            raise LedgerOutdated(
                fault,
                party=mark.party,
                hint="its owner puts the latest ledger back, or accepts the loss",
            )
        return Witness(mark.party, shown, mark.to_bytes(), ready)


def _fault_after(before: ChainHead, shown: ChainHead) -> str | None:
    """What is wrong with a ledger at ``shown`` that stood at ``before`` earlier."""
    if shown.counter < before.counter:
        return (
            f"its ledger is older than what it showed before: step {shown.counter}, after"
            f" step {before.counter}"
        )
    if shown.counter == before.counter and shown != before:
        return f"its ledger is another one than it showed before, at step {shown.counter}"
    return None
