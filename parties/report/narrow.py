"""Results for narrow terminals: each question is a title, its groups are lines below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 2
INDENT = 2
WORDS_MIN = 8  # a column of words is folded, but not below this


@dataclass(frozen=True)
class Section:
    """A question: its title, its figure at the right of the title, and a row for each estimate."""

    title: Text
    figure: Text
    rows: tuple[tuple[Text, ...], ...]


class Sections:
    """Sections in one set of columns. The first two hold words and are folded; numbers are not."""

    def __init__(self, heads: Sequence[Text], sections: Sequence[Section]) -> None:
        self._heads = tuple(heads)
        self._sections = tuple(sections)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._widths(options.max_width - INDENT)
        whole = INDENT + sum(widths) + GAP * (len(widths) - 1)
        yield _lines(widths, (self._heads,), "bold dim")
        for section in self._sections:
            yield _title(section, whole)
            yield _lines(widths, section.rows)

    def _widths(self, room: int) -> list[int]:
        rows = [self._heads, *(row for section in self._sections for row in section.rows)]
        widths = [
            max(cell_len(line) for row in rows for line in row[column].plain.split("\n"))
            for column in range(len(self._heads))
        ]
        excess = sum(widths) + GAP * (len(widths) - 1) - room
        for column in (1, 0):  # estimates are words of ours: they fold better than labels
            taken = min(max(0, excess), max(0, widths[column] - WORDS_MIN))
            widths[column] -= taken
            excess -= taken
        return widths


def _title(section: Section, width: int) -> RenderableType:
    line = Table.grid(expand=False)
    figure = cell_len(section.figure.plain)
    line.add_column(width=max(WORDS_MIN, width - figure - GAP), overflow="fold")
    line.add_column(width=figure + GAP, justify="right", no_wrap=True)
    line.add_row(section.title, section.figure)
    return line


def _lines(
    widths: Sequence[int], rows: Sequence[tuple[Text, ...]], style: str = ""
) -> RenderableType:
    table = Table.grid(padding=(0, GAP, 0, 0))
    for column, width in enumerate(widths):
        words = column < 2
        table.add_column(
            width=width,
            overflow="fold",
            no_wrap=not words,
            justify="left" if words else "right",
            style=style,
        )
    for row in rows:
        table.add_row(*row)
    return Padding(Group(table, ""), (0, 0, 0, INDENT))


class Fitting:
    """``wide`` where it fits without folding anything, else ``narrow``."""

    def __init__(self, wide: RenderableType, narrow: RenderableType) -> None:
        self._wide = wide
        self._narrow = narrow

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.update(max_width=10_000)
        needed = Measurement.get(console, room, self._wide).maximum
        yield self._wide if needed <= options.max_width else self._narrow
