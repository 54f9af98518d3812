"""What ``ps`` would show of some processes and all their children, looked at again and again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
EVERY_S = 0.02
SHOWN = ("cmdline", "environ", "comm", "status")


@dataclass
class Watched:
    """Everything seen, by process; and each process's parent."""

    seen: dict[int, dict[str, bytes]] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)

    def haystacks(self) -> Iterator[tuple[str, bytes]]:
        for process, shown in self.seen.items():
            for name, content in shown.items():
                yield f"/proc/{process}/{name}", content

    def generations(self, roots: set[int]) -> set[int]:
        """Depths below ``roots`` at which processes were seen: 0 is a root itself."""
        return {self._depth(process, roots) for process in self.seen}

    def _depth(self, process: int, roots: set[int]) -> int:
        depth = 0
        while process not in roots:
            process = self.parents[process]
            depth += 1
        return depth

    def look(self, roots: set[int]) -> None:
        """Take down what every process below ``roots`` shows now."""
        parents = _parents()
        for process in _family(roots, parents):
            shown: dict[str, bytes] = {}
            with suppress(OSError):
                for name in SHOWN:
                    shown[name] = (PROC / str(process) / name).read_bytes()
                self.parents[process] = parents.get(process, 0)
                self.seen.setdefault(process, {}).update(shown)


@contextmanager
def watching(roots: list[int]) -> Iterator[Watched]:
    """Look at the processes of ``roots`` (more may be added) until the end."""
    watched, over = Watched(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_S):
            watched.look(set(roots))

    thread = threading.Thread(target=watch, name="process-watch")
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()


def _parents() -> dict[int, int]:
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    return parents


def _family(roots: set[int], parents: dict[int, int]) -> set[int]:
    family = {root for root in roots if root in parents}
    while True:
        more = {child for child, parent in parents.items() if parent in family} - family
        if not more:
            return family
        family |= more
