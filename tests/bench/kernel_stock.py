"""One process of stock CrypTen for the kernel's bench: plain gloo, its own third party for triples.

Nothing is replaced but the import alias. Reads a line a work, answers with one line.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from mpc.backend.shim import import_crypten

crypten: Any = import_crypten()


def _shared(*shape: int, scale: float = 16.0) -> Any:
    return crypten.cryptensor((torch.rand(*shape) - 0.5) * scale)


def _programs() -> dict[str, tuple[Callable[[], list[Any]], Callable[..., Any]]]:
    """Inputs, shared before the clock starts, and the work on them."""
    return {
        "compare_1e5": (lambda: [_shared(10**5), _shared(10**5)], lambda x, y: x < y),
        "compare_1e6": (lambda: [_shared(10**6), _shared(10**6)], lambda x, y: x < y),
        "mul_1e6": (lambda: [_shared(10**6), _shared(10**6)], lambda x, y: x * y),
        "matmul_512": (lambda: [_shared(512, 512), _shared(512, 512)], lambda x, y: x.matmul(y)),
        "matmul_4096x64x64": (
            lambda: [_shared(4096, 64), _shared(64, 64)], lambda x, y: x.matmul(y)
        ),
        "max_1000": (lambda: [_shared(1000)], lambda x: x.max()),
        "argmax_100x10": (lambda: [_shared(100, 10)], lambda x: x.argmax(dim=1)),
        "sigmoid_1e5": (lambda: [_shared(10**5)], lambda x: x.sigmoid()),
        "open_1e6": (
            lambda: [torch.rand(10**6)], lambda x: crypten.cryptensor(x, src=0).get_plain_text()
        ),
    }  # fmt: skip


def main() -> None:
    rank, parties = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    crypten.cfg.mpc.provider = "TTP"
    crypten.cfg.communicator.verbose = True
    if rank == parties:
        crypten.mpc.provider.TTPServer()
        return
    crypten.init()
    programs = _programs()
    print(json.dumps({"ready": sorted(programs)}), flush=True)
    for line in sys.stdin:
        name = json.loads(line)["work"]
        inputs = programs[name][0]()
        crypten.communicator.get().barrier()
        crypten.communicator.get().reset_communication_stats()
        begun_s, cpu_s = time.perf_counter(), time.process_time()
        programs[name][1](*inputs)
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
        stats = crypten.communicator.get().get_communication_stats()
        answer = {
            "wall_s": took_s,
            "cpu_s": cpu_s,
            "rounds": stats["rounds"],
            "bytes": stats["bytes"],
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(answer), flush=True)


main()
