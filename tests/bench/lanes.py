"""What a round costs on each lane, among three parties that are processes of one machine.

    python -m tests.bench.lanes [--rounds 4000] [--bytes 64] [--large 67108864] [--json]

A round is one message of ``--bytes`` to each peer and one from each: what an opening of the
protocol takes. The lanes take turns in blocks of rounds in the same processes, so other load meets
both. The bar: the direct lane's median is at most 0.35 ms. Then one exchange of ``--large`` bytes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from mpc.ports import Channel
from mpc.roster import Roster
from mpc.units import PartyId
from parties.listening import LaneSettings, Port
from tests.lane_federation import LANES, Federation

BAR_MS = 0.35
BLOCK = 250  # rounds of one lane before the other's turn
STEP = b"one round of two"
LARGE_TIMES = 3


@dataclass(frozen=True)
class Measured:
    """Of the party whose rounds took longest."""

    lane: str
    bytes: int
    rounds: int
    median_ms: float
    slowest_in_100_ms: float  # 99th percentile
    large_bytes: int
    large_ms: float  # best of three

    def line(self) -> str:
        """For people."""
        return (
            f"{self.lane:>6}: round of {self.bytes} B {self.median_ms:.3f} ms "
            f"(99 %: {self.slowest_in_100_ms:.3f}), {self.large_bytes >> 20} MB to and from each "
            f"peer {self.large_ms:.0f} ms"
        )


# --- one party -----------------------------------------------------------------------------------


def exchange(channel: Channel, payload: bytes) -> float:
    """Seconds of one message to each peer and one from each."""
    begun = time.perf_counter()
    for peer in channel.peers:
        channel.send(peer, STEP, payload)
    for peer in channel.peers:
        channel.receive(peer, STEP, len(payload))
    return time.perf_counter() - begun


def party() -> None:
    """Meet the peers on every lane, run the rounds, tell how long each took."""
    order = json.loads(sys.stdin.readline())
    roster = Roster.from_plain(order["roster"])
    listeners = {
        name: lane(
            roster.member(order["own"]),
            order["key"].encode(),
            Port("127.0.0.1", (0, 0)),
            LaneSettings(),
        )
        for name, lane in LANES.items()
    }
    print(json.dumps({name: each.address for name, each in listeners.items()}), flush=True)
    addresses = json.loads(sys.stdin.readline())
    took: dict[str, list[float]] = {name: [] for name in LANES}
    large: dict[str, list[float]] = {name: [] for name in LANES}
    with ExitStack() as stack:
        channels = {
            name: stack.enter_context(
                listener.connect(
                    roster,
                    bytes.fromhex(order["tag"]),
                    {PartyId(peer): address for peer, address in addresses[name].items()},
                    20.0,
                )
            )
            for name, listener in listeners.items()
        }
        payload = bytes(order["bytes"])
        for block in range(1 + order["rounds"] // BLOCK):
            for name, channel in channels.items():
                times = [exchange(channel, payload) for _ in range(BLOCK)]
                if block:  # the first one warms up
                    took[name] += times
        payload = bytes(order["large"])
        for _ in range(LARGE_TIMES):
            for name, channel in channels.items():
                large[name].append(exchange(channel, payload))
    print(json.dumps({"took": took, "large": large}), flush=True)


# --- all of them ---------------------------------------------------------------------------------


def measure(rounds: int, size: int, large: int) -> list[Measured]:
    """Both lanes among three fresh processes."""
    federation = Federation(3)
    names = [str(each.member.id) for each in federation.parties]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.lanes", "--party"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in names
    ]
    try:
        for process, each in zip(processes, federation.parties, strict=True):
            order = {
                "own": each.member.id,
                "key": each.tls_key_pem.decode(),
                "roster": federation.roster.to_plain(),
                "tag": federation.session_tag.hex(),
                "rounds": rounds,
                "bytes": size,
                "large": large,
            }
            _tell(process, order)
        heard = [_heard(process) for process in processes]
        addresses = {
            lane: {name: said[lane] for name, said in zip(names, heard, strict=True)}
            for lane in LANES
        }
        for process in processes:
            _tell(process, addresses)
        ends = [_heard(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [_slowest(lane, size, large, ends) for lane in LANES]


def _slowest(lane: str, size: int, large: int, ends: Sequence[Any]) -> Measured:
    took = max((end["took"][lane] for end in ends), key=statistics.median)
    return Measured(
        lane,
        size,
        len(took),
        median_ms=1e3 * statistics.median(took),
        slowest_in_100_ms=1e3 * statistics.quantiles(took, n=100)[-1],
        large_bytes=large,
        large_ms=1e3 * max(min(end["large"][lane]) for end in ends),
    )


def _tell(process: subprocess.Popen[str], message: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def _heard(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=4000)
    parser.add_argument("--bytes", type=int, default=64)
    parser.add_argument("--large", type=int, default=64 << 20)
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--party", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.party:
        party()
        return 0
    measured = {each.lane: each for each in measure(asked.rounds, asked.bytes, asked.large)}
    ratio = measured["grpc"].median_ms / measured["direct"].median_ms
    passes = measured["direct"].median_ms <= BAR_MS
    if asked.json:
        for each in measured.values():
            print(json.dumps(asdict(each)))
        print(json.dumps({"ratio": ratio, "bar_ms": BAR_MS, "passes": passes}))
    else:
        for each in measured.values():
            print(each.line())
        print(f"ratio {ratio:.1f}; the bar is {BAR_MS} ms: {'within' if passes else 'OVER'}")
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
