"""The process a node forks its workers from.

Importing torch, CrypTen and DuckDB takes seconds, a study less than one. The zygote imports
them once, holds no key and no data, makes no thread and no gRPC object, and forks a worker for
each study. It ends when its node does.

    python -m parties.worker.zygote DESCRIPTOR
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable

from parties.worker.pipe import Pipe

READY = b"r"
FORK = b"f"

Work = Callable[[Pipe], None]


def serve(descriptor: int, work: Work) -> None:
    """Fork a worker that runs ``work`` on each descriptor the node sends; return at the node's end.

    ``descriptor`` is this end of a Unix socket pair. Each request is one byte and one descriptor;
    the answer is the worker's process id in decimal and a newline.
    """
    node = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the node's to answer
    try:
        node.sendall(READY)
    except OSError:
        return  # the node has ended meanwhile
    while True:
        request, descriptors, _flags, _address = socket.recv_fds(node, 1, 1)
        if request != FORK or len(descriptors) != 1:
            return
        process = os.fork()
        if process == 0:
            node.close()
            _run_and_leave(descriptors[0], work)
        os.close(descriptors[0])
        node.sendall(f"{process}\n".encode())


def _run_and_leave(descriptor: int, work: Work) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work(Pipe.of_descriptor(descriptor))
        status = 0
    finally:
        os._exit(status)  # the zygote's stack is not ours to unwind


def main() -> None:
    """Preload what a worker needs, then serve."""
    import duckdb  # noqa: F401 - imported only when a table is opened, and slow

    from parties.worker.study import work

    serve(int(sys.argv[1]), work)


if __name__ == "__main__":
    main()
