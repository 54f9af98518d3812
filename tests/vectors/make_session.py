"""Writes session.json: one handshake of two parties, from seeds to keys, masks and signatures.

Another implementation, or a later version of this one, must find the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from seeded_randomness import SeededRandomness
from session_federation import AgreedPlan

from mpc.naming import operation_id
from mpc.ring.words import add
from mpc.session.session import Session
from mpc.session.witnessing import Witnessing
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Network
from mpc.testing.participants import make_participants, roster_of
from mpc.testing.sessions import Meeting
from mpc.units import PartyId, PlanDigest, sha256_hex

PATH = Path(__file__).with_name("session.json")
WORDS = np.array([1, -2, 3], dtype=np.int64)


def vector() -> dict[str, object]:
    """The whole handshake as hex."""
    randomness = SeededRandomness("vectors/session")
    participants = make_participants(2, randomness)
    plan = AgreedPlan(PlanDigest(sha256_hex(b"vectors/session")), roster_of(participants))
    meeting = Meeting.of(plan, participants, randomness)
    network = Network(meeting.agreement.parties)
    sessions = meeting.establish(network)
    parties = {party: _of_party(session, network) for party, session in sessions.items()}
    return {
        "source": "tests/vectors/make_session.py",
        "roster": plan.roster.to_plain(),
        "roster_digest": plan.roster.digest,
        "plan_digest": plan.digest,
        "approvals": [approval.to_plain() for approval in meeting.approvals],
        "run": meeting.agreement.run,
        "hellos": [hello.decode("ascii") for hello in meeting.said],
        "parties": parties,
    }


def _of_party(session: Session, network: Network) -> dict[str, object]:
    first, second = (PartyId("party-1"), PartyId("party-2"))
    operation = operation_id(session.id, b"vector")
    mask = session.zero_sharing.fresh(session.opening, len(WORDS))
    mark = Witnessing(MemoryLedger()).mark(session.own, session._signer)
    ready = session._ready_of(session.own, session.opening, mark, None).signed(session._signer)
    session._ready.add(session.opening)
    share = session.seal(session.opening, add([WORDS, mask]), bytes(32), "vector")
    said = [message.payload for message in network.seen if message.sender == session.own]
    return {
        "session": session.id.hex(),
        "opening": session.opening.hex(),
        "operation": operation.hex(),
        "confirmation": said[1].hex(),
        "stream": session.keys.stream(b"vector", first, second, operation, 3).octets(40).hex(),
        "mask": mask.astype("<i8").tobytes().hex(),
        "opened": session.transcript.digest,
        "ready": ready.to_bytes().decode("ascii"),
        "share": share.decode("ascii"),
    }


def text() -> str:
    return json.dumps(vector(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
