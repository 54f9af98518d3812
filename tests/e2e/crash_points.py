"""Where a party or dealer can be made to crash, and how: told by a file in its folder.

The file is taken away when its point is reached, so that it serves once; another one then says
when. No part of the product knows of it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

ORDERED = "crash.json"
HAPPENED = "crashed.json"
RELEASED = "go-on"
NODE_ID = "node.pid"
DEALER_FOLDER = "PARLEY_TEST_DEALER_FOLDER"
HOLD_S = 60.0
ROWS_WORDS = "could not convert '4242 a row' to a number"


class Point(StrEnum):
    """A moment in a worker's study."""

    HELLO = "hello"  # approved and started, nothing said to anybody
    RESERVE = "reserve"  # met its peers and computed; about to reserve
    RESERVED = "reserved"  # the reservation is on disk, noise not drawn yet
    SHARE = "share"  # all parties came to the computation; about to note that shares leave
    SHARED = "shared"  # that is on disk, and nothing left yet
    COMMIT = "commit"  # all parties are READY; about to commit
    COMMITTED = "committed"  # the commit is on disk; nobody was told
    DEAL = "deal"  # a dealer met everyone; nothing is dealt
    CORRECT = "correct"  # a dealer's first correction is due; parties may have reserved
    DEALT = "dealt"  # a dealer dealt everything; nobody was told


class Fate(StrEnum):
    """What happens there, and to which processes."""

    WORKER_KILLED = "worker killed"
    PARTY_KILLED = "node and worker killed"
    WORKER_FROZEN = "worker frozen"
    NODE_FROZEN = "node frozen"
    PARTY_FROZEN = "node and worker frozen"
    HELD = "held until released"
    WORKER_RAISES = "worker meets an error that nobody expected"


@dataclass(frozen=True)
class Crash:
    point: Point
    fate: Fate

    def order(self, folder: Path) -> None:
        """From now on, the next worker of the node in ``folder`` that gets there meets its fate."""
        for name in (HAPPENED, RELEASED):
            (folder / name).unlink(missing_ok=True)
        partial = folder / f"{ORDERED}.partial"
        partial.write_text(json.dumps(asdict(self)))
        partial.rename(folder / ORDERED)


def reach(point: Point, folder: Path) -> None:
    """A worker of the node in ``folder`` is at ``point``."""
    try:
        ordered = json.loads((folder / ORDERED).read_text())
    except FileNotFoundError:
        return
    if ordered["point"] != point:
        return
    (folder / ORDERED).unlink()
    partial = folder / f"{HAPPENED}.partial"
    partial.write_text(json.dumps({**ordered, "worker": os.getpid()}))
    partial.rename(folder / HAPPENED)
    _meet(Fate(ordered["fate"]), folder)


def _meet(fate: Fate, folder: Path) -> None:
    node = int((folder / NODE_ID).read_text())
    if fate is Fate.HELD:
        end = time.monotonic() + HOLD_S
        while not (folder / RELEASED).exists() and time.monotonic() < end:
            time.sleep(0.01)
        return
    if fate is Fate.WORKER_RAISES:
        raise ValueError(ROWS_WORDS)
    if fate in (Fate.NODE_FROZEN, Fate.PARTY_FROZEN):
        os.kill(node, signal.SIGSTOP)
    if fate is Fate.PARTY_KILLED:
        os.kill(node, signal.SIGKILL)
    if fate in (Fate.WORKER_FROZEN, Fate.PARTY_FROZEN):
        os.kill(os.getpid(), signal.SIGSTOP)
    if fate in (Fate.WORKER_KILLED, Fate.PARTY_KILLED):
        os.kill(os.getpid(), signal.SIGKILL)
