"""A process of one party that works on a real ledger and dies where a test says.

Not a test: started as ``python ledger_process.py <what> <ledger file> …``. It passes crashing ports
to the product's own functions; the product has no hooks.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger_contract import CAP, ROW, asking

from mpc.errors import BudgetRefusal
from mpc.ports import ChargeRequest, Witness
from mpc.units import DeltaAtto, RhoPico, RunId
from parties.database import Database
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.ledger.tables import TABLES
from parties.system import SystemClock, SystemRandomness

WIDE = PartnerLimits(reserved_max=1000, aborts_max=1000)
RELEASE_CAP = 10**12


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class CrashingConnection:
    """Dies right after the first statement that begins as said."""

    def __init__(self, connection: sqlite3.Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        cursor = self._connection.execute(statement, *values)
        if statement.startswith(self._statement):
            die()
        return cursor


class CrashingDatabase(Database):
    def __init__(self, path: Path, statement: str, tables: str = TABLES) -> None:
        super().__init__(path, tables)
        self._statement = statement

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with super().transaction() as connection:
            yield CrashingConnection(connection, self._statement)


class CrashingLedger(SqliteLedger):
    """A ledger whose process dies before or after a step."""

    def __init__(self, path: Path, point: str) -> None:
        super().__init__(path, SystemClock(), WIDE)
        self._point = point

    def reserve(self, request: ChargeRequest) -> None:
        self._die_at("before reserve")
        super().reserve(request)
        self._die_at("after reserve")

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        self._die_at("before commit")
        super().commit(run, message, shown)
        self._die_at("after commit")

    def _die_at(self, point: str) -> None:
        if self._point == point:
            die()


def release_one(path: Path, point: str) -> None:
    """One party's release from its own sums to the message on stdout; dies at ``point``."""
    from fractions import Fraction

    from joint_release import OPENING, terms, zero_masks

    from mpc.accounting.event import NoiseBlock, NoiseEvent
    from mpc.privacy.budget import Budget
    from mpc.privacy.noise import add_noise
    from mpc.privacy.sampler import DiscreteGaussian
    from mpc.release import open_noised
    from mpc.secret.reference import ReferenceEngine
    from mpc.secret.sealed import BoundedStatistic

    ledger = CrashingLedger(path, point)
    ledger.create_domain("members", ROW, RhoPico(RELEASE_CAP), DeltaAtto(0), "owner")
    if point.startswith("within: "):
        ledger._database = CrashingDatabase(path, point.removeprefix("within: "))
    engine = ReferenceEngine(zero_masks(2, SystemRandomness())[0])
    event = NoiseEvent((NoiseBlock(5, 1, Fraction(50)),), 2, 1)
    statistic = engine.share_sum(BoundedStatistic.of([1, 2, 3, 4, 5], event))
    charge = Budget(ledger).charge(statistic, terms(expires=SystemClock().unix_s() + 600))
    noised = add_noise(statistic, charge, DiscreteGaussian(SystemRandomness()), engine)
    message = open_noised(noised, engine, ledger, OPENING, bytes)
    sys.stdout.write(message.hex())
    sys.stdout.flush()
    if point == "after sending":
        die()


def reserve_many(path: Path, first: int, count: int, rho: int) -> None:
    """Open the file, wait for the start signal, reserve; the number taken goes to stdout."""
    ledger = SqliteLedger(path, SystemClock(), WIDE)
    ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(10), "owner")
    print("ready", flush=True)
    sys.stdin.readline()
    taken = 0
    for number in range(first, first + count):
        try:
            ledger.reserve(asking(number, rho, expires_unix_s=int(time.time()) + 600))
        except BudgetRefusal:
            continue
        taken += 1
    print(taken, flush=True)


def commit_or_release(path: Path, what: str, number: int) -> None:
    """Settle one run after the start signal; "won" if this process moved it."""
    from ledger_contract import run_id

    from mpc.errors import LedgerError

    ledger = SqliteLedger(path, SystemClock(), WIDE)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        if what == "release":
            won = ledger.release(run_id(number))
        else:
            ledger.commit(run_id(number), what.encode())
            won = True
    except LedgerError:
        won = False
    print("won" if won else "lost", flush=True)


def main() -> None:
    what, path = sys.argv[1], Path(sys.argv[2])
    if what == "release-one":
        release_one(path, sys.argv[3])
    elif what == "reserve-many":
        reserve_many(path, *(int(text) for text in sys.argv[3:6]))
    else:
        commit_or_release(path, sys.argv[3], int(sys.argv[4]))


if __name__ == "__main__":
    main()
