"""The kernel against stock CrypTen: the same work, three parties each, in one run, turn by turn.

    python -m tests.bench.kernel [--works compare_1e5 ...] [--turns 5] [--lane grpc] [--json]

Ours: three parties and a dealer, a process each, over mutual TLS; the dealing counts, it begins
with the clock. Stock: three parties and its third party, a process each, over plain gloo, where
anybody on the wire reads the seeds, and where one party knows 32 bits of them. Each turn runs one
and then the other; the ratio is the median over turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lane_federation import LANES, Federation

from parties.node.workers import WORKER_ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
PARTIES = 3
WORKS = ("compare_1e5", "compare_1e6", "mul_1e6", "matmul_512", "matmul_4096x64x64", "max_1000",
         "argmax_100x10", "median_1e4", "sort_1e5", "group_1e5x100", "sigmoid_1e5",
         "open_1e6")  # fmt: skip


class Processes:
    """Participants that take a work each and say how long it took them."""

    def __init__(self, module: str, environments: Sequence[dict[str, str]]) -> None:
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        common = {**os.environ, **WORKER_ENVIRONMENT, "PYTHONPATH": path}
        self._running = [
            subprocess.Popen(
                [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, cwd=ROOT, env={**common, **own},
            )
            for own in environments
        ]  # fmt: skip

    def __len__(self) -> int:
        return len(self._running)

    def tell(self, at: int, message: object) -> None:
        pipe = self._running[at].stdin
        assert pipe is not None
        pipe.write(json.dumps(message) + "\n")
        pipe.flush()

    def heard(self, at: int) -> dict[str, Any]:
        pipe = self._running[at].stdout
        assert pipe is not None
        heard: dict[str, Any] = json.loads(pipe.readline())
        return heard

    def measured(self, work: str, who: int) -> dict[str, Any]:
        """``work`` done by the first ``who``; wall of the slowest, processor time of all."""
        for at in range(who):
            self.tell(at, {"work": work})
        said = [self.heard(at) for at in range(who)]
        return {
            **said[0],
            "wall_s": max(each["wall_s"] for each in said[:PARTIES]),
            "cpu_s": sum(each["cpu_s"] for each in said),
            "peak_mb": max(each["peak_mb"] for each in said),
        }

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


def ours(lane: str) -> Processes:
    """Three parties and a dealer, connected by ``lane``."""
    federation = Federation(PARTIES + 1, lane=lane)
    processes = Processes("tests.bench.kernel_party", [{}] * (PARTIES + 1))
    for at, party in enumerate(federation.parties):
        processes.tell(at, {
            "own": party.member.id, "key": party.tls_key_pem.decode(),
            "roster": federation.roster.to_plain(), "tag": federation.session_tag.hex(),
            "lane": lane,
        })  # fmt: skip
    addresses = {
        party.member.id: processes.heard(at)["address"]
        for at, party in enumerate(federation.parties)
    }
    for at in range(len(processes)):
        processes.tell(at, addresses)
    for at in range(len(processes)):
        processes.heard(at)
    return processes


def stock(folder: str) -> Processes:
    """Three parties and CrypTen's third party."""
    common = {"WORLD_SIZE": str(PARTIES), "RENDEZVOUS": f"file://{folder}/meet",
              "DISTRIBUTED_BACKEND": "gloo"}  # fmt: skip
    processes = Processes(
        "tests.bench.kernel_stock",
        [{**common, "RANK": str(rank)} for rank in range(PARTIES + 1)],
    )
    for at in range(PARTIES):
        processes.heard(at)
    return processes


STOCK_HAS = frozenset(WORKS) - {"median_1e4", "sort_1e5", "group_1e5x100"}


def compared(work: str, turns: int, one: Processes, other: Processes) -> dict[str, Any]:
    """One work, turn by turn, after a turn that does not count."""
    mine, theirs = [], []
    for turn in range(turns + 1):
        first = one.measured(work, PARTIES + 1)
        second = other.measured(work, PARTIES) if work in STOCK_HAS else None
        if turn:
            mine.append(first)
            theirs.append(second)
    result: dict[str, Any] = {
        "work": work,
        "ours_s": statistics.median(each["wall_s"] for each in mine),
        "ours_cpu_s": statistics.median(each["cpu_s"] for each in mine),
        "rounds": mine[0]["rounds"],
        "bytes": mine[0]["bytes"],
        "dealt_bytes": mine[0]["dealt_bytes"],
        "peak_mb": mine[-1]["peak_mb"],
        "peer_s": None,
        "ratio": None,
    }
    if theirs[0] is not None:
        known = [each for each in theirs if each is not None]
        result["peer_s"] = statistics.median(each["wall_s"] for each in known)
        result["peer_rounds"] = known[0]["rounds"]
        result["peer_bytes"] = known[0]["bytes"]
        result["ratio"] = statistics.median(
            other["wall_s"] / own["wall_s"] for own, other in zip(mine, known, strict=True)
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", nargs="+", default=WORKS, choices=WORKS)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--lane", default="direct", choices=LANES)
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one, other = ours(options.lane), stock(folder)
        try:
            for work in options.works:
                result = compared(work, options.turns, one, other)
                print(json.dumps(result) if options.json else _line(result), flush=True)
        finally:
            one.close()
            other.close()


def _line(result: dict[str, Any]) -> str:
    peer = "" if result["peer_s"] is None else (
        f"  stock {result['peer_s']:7.3f} s, {result['peer_rounds']:>4} rounds, "
        f"{result['peer_bytes'] / 1e6:8.2f} MB  ratio {result['ratio']:5.1f}"
    )  # fmt: skip
    return (
        f"{result['work']:<18} {result['ours_s']:7.3f} s, {result['rounds']:>4} rounds, "
        f"{result['bytes'] / 1e6:7.2f} MB, dealt {result['dealt_bytes'] / 1e6:7.2f} MB, "
        f"peak {result['peak_mb']:5.0f} MB{peer}"
    )


if __name__ == "__main__":
    main()
