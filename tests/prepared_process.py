"""A process of one party that stores or takes material, and dies where a test says.

Not a test: started as ``python prepared_process.py <keep or take> <state> <point>``. What it read
before it died goes to stdout.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ledger_process import CrashingDatabase, die
from stored_material import (
    ASKER,
    BOOT,
    EXPIRES,
    IDENTITY_KEY,
    PARTS,
    RUN,
    SetClock,
    prepared_of,
)

from mpc.errors import ParleyError
from parties.prepared.store import DATABASE, PreparedStore
from parties.prepared.tables import TABLES
from parties.system import SystemRandomness


class CrashingStore(PreparedStore):
    """A store whose process dies before or after its file is opened."""

    def __init__(self, state: Path, point: str) -> None:
        super().__init__(state, IDENTITY_KEY, lambda: BOOT, SetClock(), SystemRandomness())
        self._point = point
        if point.startswith("within: "):
            statement = point.removeprefix("within: ")
            self._database = CrashingDatabase(state / DATABASE, statement, TABLES)

    def _opened(self, path: Path, size: int) -> BinaryIO:
        if self._point == "marked":
            die()
        file = super()._opened(path, size)
        if self._point == "opened":
            die()
        return file


def dealt(point: str) -> Iterator[bytes]:
    for number, part in enumerate(PARTS):
        if point == f"part {number}":
            die()
        yield part


def main() -> None:
    what, state, point = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    store = CrashingStore(state, point)
    if what == "keep":
        store.keep(prepared_of(parts=dealt(point)), EXPIRES, ASKER)
    elif what == "race":
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            store.take(RUN)
        except ParleyError as error:
            print(error.what, flush=True)
        else:
            print("taken", flush=True)
        return
    else:
        prepared = store.take(RUN)
        print(prepared.material.stream().octets(16).hex(), flush=True)
        for number, _ in enumerate(prepared.corrections):
            if point == f"part {number}":
                die()
    if point == "done":
        die()


if __name__ == "__main__":
    main()
