"""A node's zygote whose workers add no noise: ``python -m silent_zygote DESCRIPTOR``.

A build of the mechanism for exactness tests. Its source says so, hence its Hellos are signed in
another context and no real participant takes them.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from joint_release import SilentSource

from parties.worker.forking import serve
from parties.worker.pipe import Pipe
from parties.worker.study import system_ports, work


def silent_work(pipe: Pipe) -> None:
    work(pipe, replace(system_ports(), source=SilentSource()))


if __name__ == "__main__":
    serve(int(sys.argv[1]), silent_work)
