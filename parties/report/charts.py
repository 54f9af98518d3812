"""Charts as inline SVG: bars from zero or points, each with its 95 % interval.

Horizontal positions are percentages and vertical ones pixels, so a chart fits any width without
scaling its text. Colours come from the page's style sheet by class; there is no script. Every
label is escaped by markupsafe. A chart repeats numbers that stand in the table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup

MARKS_MAX = 60  # of one chart; the table beside it always has all
LABEL_LENGTH_MAX = 44  # characters; the whole label is in the tooltip and the table
TICKS_ABOUT = 4

_LEFT, _RIGHT = 1.0, 98.0  # percent of the width between which values lie
_ROW, _BAR = 38, 14  # pixels
_HEADING, _AXIS = 28, 42


class Shape(StrEnum):
    """Bars start at zero, for what is counted; points do not, for averages and spreads."""

    BARS = "bars"
    POINTS = "points"


@dataclass(frozen=True)
class Mark:
    """One estimate. ``note`` is its value and interval in words; ``truth`` only in simulation."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    note: str
    truth: float | None = None


@dataclass(frozen=True)
class Panel:
    """Marks under one heading ('' for none)."""

    heading: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """What is drawn: ``key`` makes element ids, ``axis`` names the quantity and its unit."""

    key: str
    title: str
    description: str
    axis: str
    shape: Shape
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def percent(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_LEFT + min(1.0, max(0.0, share)) * (_RIGHT - _LEFT), 3)


def draw(chart: Chart) -> Markup:
    """The ``<svg>`` element, at most ``MARKS_MAX`` marks; '' if nothing has a value."""
    panels = _first(chart.panels, MARKS_MAX)
    marks = [mark for panel in panels for mark in panel.marks]
    if not any(mark.value is not None for mark in marks):
        return Markup("")
    scale = _scale(marks, chart.shape)
    ticks = _ticks(scale)
    body: list[Markup] = []
    y = 0
    for panel in panels:
        if panel.heading:
            body.append(_text("group", f"{_LEFT}%", y + 18, panel.heading))
            y += _HEADING
        for mark in panel.marks:
            body.append(_mark(mark, y, scale, chart.shape))
            y += _ROW
    grid = [_line("grid", f"{x}%", 0, f"{x}%", y) for x in map(scale.percent, ticks)]
    axis = _axis(ticks, scale, y, chart.axis)
    return Markup(
        '<svg class="chart" role="img" width="100%" height="{height}"'
        ' aria-labelledby="{key}-title {key}-desc" xmlns="http://www.w3.org/2000/svg">'
        '<title id="{key}-title">{title}</title><desc id="{key}-desc">{description}</desc>'
        "{content}</svg>"
    ).format(
        height=y + _AXIS,
        key=chart.key,
        title=chart.title,
        description=chart.description,
        content=Markup("").join([*grid, *body, *axis]),
    )


def shown(chart: Chart) -> int:
    """Marks that :func:`draw` draws."""
    return sum(len(panel.marks) for panel in _first(chart.panels, MARKS_MAX))


def _first(panels: Iterable[Panel], limit: int) -> list[Panel]:
    kept: list[Panel] = []
    for panel in panels:
        if limit <= 0:
            break
        kept.append(Panel(panel.heading, panel.marks[:limit]))
        limit -= len(panel.marks)
    return kept


def _scale(marks: Iterable[Mark], shape: Shape) -> _Scale:
    values = [
        value
        for mark in marks
        for value in (mark.value, mark.low, mark.high, mark.truth)
        if value is not None and math.isfinite(value)
    ]
    low, high = min(values), max(values)
    if shape is Shape.BARS:
        low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            high = low + 1.0
        return _Scale(low, high)
    room = (high - low) * 0.06 or max(abs(high), 1.0) * 0.06
    return _Scale(low - room, high + room)


def _ticks(scale: _Scale) -> list[float]:
    """Round numbers 1, 2 or 5 times a power of ten apart, within the scale."""
    rough = (scale.high - scale.low) / TICKS_ABOUT
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 5) if m * power >= rough), 10 * power)
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _tick_text(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if abs(value) >= 1e6 and decimals == 0:
        for size, unit in ((1e12, "T"), (1e9, "bn"), (1e6, "m")):
            if abs(value) >= size:
                return f"{value / size:g} {unit}".replace("-", "−")
    return f"{value:,.{min(decimals, 9)}f}".replace("-", "−")


def _axis(ticks: list[float], scale: _Scale, y: int, caption: str) -> list[Markup]:
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) if ticks and ticks[0] else 1.0
    parts = [_line("axis", f"{_LEFT}%", y, f"{_RIGHT}%", y)]
    for tick in ticks:
        x = scale.percent(tick)
        anchor = "start" if x < 5 else "end" if x > 95 else "middle"
        parts.append(_text("tick", f"{x}%", y + 16, _tick_text(tick, step), anchor))
    parts.append(_text("tick caption", f"{_RIGHT}%", y + 34, caption, "end"))
    return parts


def _mark(mark: Mark, y: int, scale: _Scale, shape: Shape) -> Markup:
    middle = y + 17 + _BAR // 2
    parts = [
        Markup("<title>{}: {}</title>").format(mark.label, mark.note),
        _text("label", f"{_LEFT}%", y + 13, _shortened(mark.label)),
    ]
    if mark.value is None:
        parts.append(_text("label absent", f"{_LEFT}%", middle + 4, mark.note))
        return Markup("<g>{}</g>").format(Markup("").join(parts))
    x = scale.percent(mark.value)
    if shape is Shape.BARS:
        zero = scale.percent(0.0)
        parts.append(
            Markup('<rect class="bar" x="{}%" y="{}" width="{}%" height="{}"/>').format(
                round(min(x, zero), 3), y + 17, round(abs(x - zero), 3), _BAR
            )
        )
    if mark.low is not None and mark.high is not None:
        low, high = scale.percent(mark.low), scale.percent(mark.high)
        parts.append(_line("whisker", f"{low}%", middle, f"{high}%", middle))
        parts.extend(
            _line("whisker", f"{end}%", middle - 4, f"{end}%", middle + 4) for end in (low, high)
        )
    if shape is Shape.POINTS:
        parts.append(Markup('<circle class="point" cx="{}%" cy="{}" r="4"/>').format(x, middle))
    if mark.truth is not None:
        at = scale.percent(mark.truth)
        parts.append(_line("truth", f"{at}%", y + 15, f"{at}%", y + 19 + _BAR))
    return Markup("<g>{}</g>").format(Markup("").join(parts))


def _shortened(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH_MAX else label[: LABEL_LENGTH_MAX - 1] + "…"


def _line(kind: str, x1: str, y1: int, x2: str, y2: int) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, x1, y1, x2, y2)


def _text(kind: str, x: str, y: int, text: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )
