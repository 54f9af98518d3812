"""A node's zygote whose workers crash where a file in the node's folder says.

The workers are the product's. They are handed ports that crash: their own ledger and randomness,
with a process killed or frozen just before or after they do what they always do.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from crash_points import Point, reach

from mpc.ports import Balance, ChargeRequest, ChargeState, Journal
from mpc.units import RunId
from parties.system import SystemRandomness
from parties.worker.order import WorkerOrder
from parties.worker.pipe import Pipe
from parties.worker.study import open_journal, system_ports, work
from parties.worker.zygote import serve


class CrashingJournal:
    """The party's ledger, with a crash point on either side of what is durable."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self._journal = journal
        self._folder = folder

    def reserve(self, request: ChargeRequest) -> None:
        reach(Point.RESERVE, self._folder)
        self._journal.reserve(request)
        reach(Point.RESERVED, self._folder)

    def commit(self, run: RunId, message: bytes) -> None:
        reach(Point.COMMIT, self._folder)
        self._journal.commit(run, message)
        reach(Point.COMMITTED, self._folder)

    def release(self, run: RunId) -> bool:
        return self._journal.release(run)

    def forfeit(self, run: RunId) -> bool:
        return self._journal.forfeit(run)

    def outbox(self, run: RunId) -> bytes | None:
        return self._journal.outbox(run)

    def state(self, run: RunId) -> ChargeState | None:
        return self._journal.state(run)

    def balance(self, domain: str) -> Balance:
        return self._journal.balance(domain)


class CrashingPorts:
    """Ports of one worker: its folder is known once it opens its ledger, before its Hello."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._system = SystemRandomness()

    def journal(self, order: WorkerOrder) -> Journal:
        self._folder = Path(order.ledger).parents[1]
        return CrashingJournal(open_journal(order), self._folder)

    def random_bytes(self, count: int) -> bytes:
        if self._folder is not None:
            reach(Point.HELLO, self._folder)
        return self._system.random_bytes(count)


def crashing_work(pipe: Pipe) -> None:
    ports = CrashingPorts()
    work(pipe, replace(system_ports(), randomness=ports, journal=ports.journal))


if __name__ == "__main__":
    serve(int(sys.argv[1]), crashing_work)
