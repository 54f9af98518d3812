"""Live progress of a study: one line each for parties and dealer, its stage, on stderr."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.live import Live
from rich.table import Table
from rich.text import Text

from mpc.units import PartyId
from parties.commands.output import err

STAGES = ("started", "compute", "agree", "committed")
LAST = ("dealt", "prepared")  # a dealer's last stage, and a party's in a run that is prepared


class StudyProgress:
    """Shows stages as they come. On no terminal, or if quiet, prints nothing."""

    def __init__(self, members: tuple[PartyId, ...], *, quiet: bool) -> None:
        self._stages = dict.fromkeys(members, "waiting")
        self._note = ""
        self._lock = threading.Lock()
        self._live = Live(
            console=err, get_renderable=self._table, refresh_per_second=12, transient=True
        )
        self._shown = not quiet and err.is_terminal

    def __enter__(self) -> StudyProgress:
        if self._shown:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._shown:
            self._live.stop()

    def entered(self, member: PartyId, stage: str) -> None:
        """A party or the dealer entered a stage."""
        with self._lock:
            self._stages[member] = stage if stage in (*STAGES, *LAST) else "…"

    def waiting(self, parties: tuple[PartyId, ...]) -> None:
        """A person at each of ``parties`` has yet to decide."""
        with self._lock:
            self._note = f"waiting for a person at {', '.join(parties)}"

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for member, stage in self._stages.items():
                done = STAGES.index(stage) + 1 if stage in STAGES else 0
                done = len(STAGES) if stage in LAST else done
                bar = "█" * done + "░" * (len(STAGES) - done)
                table.add_row(Text(member), Text(bar, style="green"), Text(stage))
            if self._note:
                table.add_row(Text(self._note, style="yellow"))
        return table
