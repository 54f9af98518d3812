"""The real clock and the operating system's randomness, behind the engine's ports."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from mpc.errors import StorageError

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


_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What names the machine's time since it was started: another one after every start.

    Raises StorageError if the kernel does not say.
    """
    try:
        said = _BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        said = ""
    if not said:
        raise StorageError(f"{_BOOT} does not say which boot of the machine this is")
    return said


def keep_no_core() -> None:
    """Let no crash of this process or its children write keys and rows to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
