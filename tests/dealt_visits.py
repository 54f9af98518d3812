"""The visits study as one that needs a dealer: its histogram does here, which it does not else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from visits_study import visits

from mpc.questions.histogram.declare import Histogram
from mpc.study.model import Study


@contextmanager
def histograms_need_a_dealer() -> Iterator[None]:
    """A whole process, or a test, in which histograms need a dealer."""
    needed = Histogram.needs_dealer
    Histogram.needs_dealer = True
    try:
        yield
    finally:
        Histogram.needs_dealer = needed


def dealt_visits(dealer: str) -> Study:
    return visits().model_copy(update={"dealer": dealer})


def linear_visits() -> Study:
    """The same study without what needs a dealer."""
    study = visits()
    asked = {name: q for name, q in study.questions.items() if q.kind != "histogram"}
    return study.model_copy(update={"questions": asked})
