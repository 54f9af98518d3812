"""A node's zygote whose workers say their process id and wait: ``python -m pid_zygote N``."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

from mpc.canonical import Plain
from parties.worker.forking import serve
from parties.worker.pipe import Pipe

WAIT_S = 60.0


@dataclass(frozen=True)
class Own:
    """A worker's process id."""

    process: int

    def to_plain(self) -> dict[str, Plain]:
        return {"process": self.process}


def say_and_wait(pipe: Pipe) -> None:
    pipe.send(Own(os.getpid()))
    time.sleep(WAIT_S)


if __name__ == "__main__":
    serve(int(sys.argv[1]), say_and_wait)
