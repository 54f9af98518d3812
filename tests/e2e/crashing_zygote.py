"""A node's zygote whose workers crash where a file in the node's folder says.

The workers are the product's. They are handed ports that crash: their own ledger and randomness,
with a process killed or frozen just before or after they do what they always do.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from crash_points import Point, reach

from mpc.ports import Balance, ChainHead, ChargeRequest, ChargeState, Ledger, Witness
from mpc.units import PartyId, RunId
from parties.system import SystemRandomness
from parties.worker.forking import serve
from parties.worker.order import WorkerOrder
from parties.worker.pipe import Pipe
from parties.worker.study import open_ledger, system_ports, work


class CrashingLedger:
    """The party's ledger, with a crash point on either side of what is durable."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._ledger = ledger
        self._folder = folder

    def reserve(self, request: ChargeRequest) -> None:
        reach(Point.RESERVE, self._folder)
        self._ledger.reserve(request)
        reach(Point.RESERVED, self._folder)

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        reach(Point.COMMIT, self._folder)
        self._ledger.commit(run, message, shown)
        reach(Point.COMMITTED, self._folder)

    def release(self, run: RunId) -> bool:
        return self._ledger.release(run)

    def mark_computed(self, run: RunId) -> None:
        self._ledger.mark_computed(run)

    def mark_shared(self, run: RunId, shown: tuple[Witness, ...] = ()) -> None:
        reach(Point.SHARE, self._folder)
        self._ledger.mark_shared(run, shown)
        reach(Point.SHARED, self._folder)

    def fail(self, run: RunId) -> bool:
        return self._ledger.fail(run)

    def outbox(self, run: RunId) -> bytes | None:
        return self._ledger.outbox(run)

    def state(self, run: RunId) -> ChargeState | None:
        return self._ledger.state(run)

    def balance(self, domain: str) -> Balance:
        return self._ledger.balance(domain)

    def head(self) -> ChainHead:
        return self._ledger.head()

    def holds(self, head: ChainHead) -> bool:
        return self._ledger.holds(head)

    def witnessed(self) -> Mapping[PartyId, Witness]:
        return self._ledger.witnessed()

    def condemn(self, witness: Witness) -> None:
        self._ledger.condemn(witness)


class CrashingPorts:
    """Ports of one worker: its folder is known once it opens its ledger, before its Hello."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._system = SystemRandomness()

    def ledger(self, order: WorkerOrder) -> Ledger:
        self._folder = Path(order.ledger).parents[1]
        return CrashingLedger(open_ledger(order), self._folder)

    def random_bytes(self, count: int) -> bytes:
        if self._folder is not None:
            reach(Point.HELLO, self._folder)
        return self._system.random_bytes(count)


def crashing_work(pipe: Pipe) -> None:
    ports = CrashingPorts()
    work(pipe, replace(system_ports(), randomness=ports, ledger=ports.ledger))


if __name__ == "__main__":
    serve(int(sys.argv[1]), crashing_work)
