"""How a zygote forks: a process with everything imported, that makes a worker when it is asked.

Importing takes seconds, a run less than one. A zygote imports once, holds no key and no data, makes
no thread and no gRPC object. It ends when the process that started it does.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from parties.worker.pipe import Pipe

READY = b"r"
FORK = b"f"

Work = Callable[[Pipe], None]


def serve(descriptor: int, work: Work) -> None:
    """Fork a worker that runs ``work`` on each descriptor that is sent; return at the sender's end.

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
