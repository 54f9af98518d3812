"""A party of a dealt comparison as a process of its own: ``python dealt_worker.py DESCRIPTOR``.

It meets its peers as a study's worker does, compares its shares of two vectors, and leaves its
share of the answer in a file. Whatever happens, its last words are what it opened and paid.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from dealt_federation import compute
from kernel_parties import ring, shares_of

from mpc.canonical import Plain
from mpc.errors import ParleyError
from mpc.ports import Channel
from mpc.protocols.compare import less
from mpc.protocols.opening import Cost
from mpc.protocols.rehearsal import rehearse
from mpc.protocols.shares import SharedWords
from mpc.session import dealing
from mpc.session.agreement import BUILD
from mpc.session.among import AmongParties
from mpc.session.establish import OwnHello
from mpc.units import PartyId
from parties.system import SystemClock, SystemRandomness
from parties.worker.meeting import Meeting, report_end
from parties.worker.messages import Committed
from parties.worker.order import SessionOrder
from parties.worker.pipe import Pipe

SENT: Counter[str] = Counter()
"""Bytes that went to each peer, as the channel was given them."""
ROUNDS: list[int] = []
PAUSES_S: list[float] = []
"""How long this party computes between two things that it is dealt."""


def values_of(count: int) -> tuple[Any, Any]:
    """What is compared: every sign and size, equal pairs too."""
    at = np.arange(count, dtype=np.int64)
    left = (at * 2_654_435_761) % (1 << 40) - (1 << 39)
    right = np.where(at % 5 == 0, left, (at * 40_503 * 65_537) % (1 << 40) - (1 << 39))
    return left, right


class Counted(AmongParties):
    """Counts what leaves to the other parties, and computes for long before the second round."""

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        if to == self.peers[0]:
            ROUNDS.append(len(payload))
            if len(ROUNDS) == 2:
                time.sleep(sum(PAUSES_S))
        SENT[to] += len(payload)
        super().send(to, operation, payload)


def main() -> None:
    dealing.AHEAD_BYTES_MAX = 0  # the dealer is there as long as they compute
    pipe = Pipe.of_descriptor(int(sys.argv[1]))

    def run(plain: dict[str, Plain]) -> None:
        count, folder = int(str(plain.pop("count"))), Path(str(plain.pop("folder")))
        PAUSES_S.append(float(str(plain.pop("pause_s"))))
        order = SessionOrder.from_plain(plain)
        meeting = Meeting(order, SystemClock(), SystemRandomness(), BUILD)
        costs: dict[PartyId, Cost] = {}
        try:
            with meeting.paired(pipe, OwnHello.agree) as (pairing, channel):
                compare(pairing.confirm(channel), channel, order.party, count, folder, costs)
        except ParleyError as error:
            end(folder, order.party, costs, error)
            raise
        end(folder, order.party, costs, None)
        pipe.send(Committed())

    report_end(pipe, run)


def compare(
    session: Any, channel: Channel, own: PartyId, count: int, folder: Path,
    costs: dict[PartyId, Cost],
) -> None:  # fmt: skip
    parties = session.agreement.parties
    place = parties.index(own)
    inputs = [
        SharedWords(shares_of(ring(values), len(parties), f"input {at}")[place])
        for at, values in enumerate(values_of(count))
    ]
    recipes = rehearse(less, (count,), (count,), parties=len(parties)).recipes
    answer = compute(session, channel, less, recipes, inputs, costs, among=Counted)
    np.save(folder / f"{own}.npy", answer._words)


def end(folder: Path, own: PartyId, costs: dict[PartyId, Cost], error: ParleyError | None) -> None:
    cost = costs.get(own, Cost())
    said = {
        "rounds": cost.rounds, "bytes": cost.bytes_to_each, "sent": dict(SENT),
        "party": "" if error is None else error.party,
        "message": "" if error is None else str(error), "at": time.time(),
    }  # fmt: skip
    (folder / f"{own}.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
