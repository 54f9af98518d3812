"""The real clock and the operating system's randomness, behind the engine's ports."""

from __future__ import annotations

import os
import resource
import time

SOFTWARE_VERSION = "parley/0.1.0"
"""Said in every Hello, share and receipt."""


class SystemClock:
    """:class:`mpc.ports.Clock` by the operating system."""

    def unix_s(self) -> int:
        return int(time.time())

    def monotonic_s(self) -> float:
        return time.monotonic()


class SystemRandomness:
    """:class:`mpc.ports.Randomness` by the operating system (getrandom). Safe after a fork."""

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)


def keep_no_core() -> None:
    """Let no crash of this process or its children write keys and rows to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
