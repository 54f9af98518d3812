"""A node's workers: one process a study, forked from the zygote, killed with the study."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from mpc.errors import StudyAborted, TransportError
from parties.worker.forking import FORK, READY
from parties.worker.pipe import Pipe

ZYGOTE_MODULE = "parties.worker.zygote"
ZYGOTE_READY_S = 120.0  # importing torch on a loaded machine
FORK_REPLY_S = 10.0

WORKER_ENVIRONMENT = {
    # One thread for linear algebra: fork is only safe from a single-threaded zygote.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # glibc keeps the pages of large arrays: mapped anew for each they cost more than the sums.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


@dataclass
class Worker:
    """One forked worker: the pipe to it and a handle that cannot mean another process."""

    pipe: Pipe
    _process_handle: int
    _killed: threading.Lock = field(default_factory=threading.Lock)

    def kill(self) -> None:
        """End the process now, frozen or not. Idempotent."""
        if not self._killed.acquire(blocking=False):
            return
        try:
            signal.pidfd_send_signal(self._process_handle, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(self._process_handle)
            self.pipe.close()


class Zygote:
    """The node's end of the zygote. Start it before the node makes any gRPC object."""

    def __init__(self, module: str = ZYGOTE_MODULE) -> None:
        own, theirs = socket.socketpair()
        environment = {**os.environ, **WORKER_ENVIRONMENT}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = own
        self._lock = threading.Lock()
        self._ready = False
        self._owed = 0  # answers of the zygote to requests so far

    def wait_ready(self, deadline_s: float = ZYGOTE_READY_S) -> None:
        """Return once the imports are done. Raises StudyAborted if the zygote ended or is late."""
        with self._lock:
            if self._ready:
                return
            self._socket.settimeout(deadline_s)
            try:
                self._ready = self._socket.recv(1) == READY
            except OSError:
                self._ready = False
            if not self._ready:
                raise StudyAborted("this node cannot start workers: its zygote did not come up")

    def fork(self) -> Worker:
        """A fresh worker, waiting for its order on the pipe."""
        self.wait_ready()
        own, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                self._socket.settimeout(FORK_REPLY_S)
                socket.send_fds(self._socket, [FORK], [theirs.fileno()])
                self._owed += 1
                process = self._last_owed()
                handle = os.pidfd_open(process)
            except (OSError, ValueError):
                own.close()
                raise TransportError("this node's zygote did not fork a worker") from None
        return Worker(Pipe(own), handle)

    def _last_owed(self) -> int:
        """The process of the latest request. Those that were given up have ended by their pipes."""
        process = 0
        while self._owed:
            process = int(self._line())
            self._owed -= 1
        return process

    def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = self._socket.recv(1)
            if not byte or len(line) > 20:
                raise ValueError("zygote gave no process id")
            line += byte
        return bytes(line)

    def close(self) -> None:
        """End the zygote. Workers end by their own pipes."""
        self._socket.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=5)
