"""Guesses at what the author meant, and names shown without flooding the terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN_MAX = 40

_ALSO_CALLED = {
    "median": "quantile", "percentile": "quantile", "quartile": "quantile", "average": "mean",
    "avg": "mean", "total": "sum", "frequency": "histogram", "stddev": "variance",
}  # fmt: skip


def nearest(text: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the known word that means it, or the closest, or nothing."""
    lowered = {word.lower(): word for word in known}
    also = _ALSO_CALLED.get(text.lower())
    if also in lowered:
        return f" (did you mean '{lowered[also]}'?)"
    found = difflib.get_close_matches(text[:200].lower(), list(lowered), n=1, cutoff=0.6)
    return f" (did you mean '{lowered[found[0]]}'?)" if found else ""


def shown(text: str) -> str:
    """``text`` in quotes, cut to a length fit for one line, nothing unprintable."""
    cut = text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"
    return repr(cut)


def listed(words: Iterable[str], limit: int = 20) -> str:
    """``a, b, c``, cut after ``limit`` words."""
    every = [safe(word) for word in words]
    return ", ".join(every[:limit]) + (", …" if len(every) > limit else "")


def safe(text: str) -> str:
    """``text`` with everything that a terminal could act on written as an escape."""
    return text if text.isprintable() else ascii(text)[1:-1]
