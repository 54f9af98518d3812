"""The visits study with a question more, which needs a dealer."""

from __future__ import annotations

from decimal import Decimal

from visits_study import visits

from mpc.questions.quantile.declare import Quantile
from mpc.study.model import Study

MEDIAN = Quantile(kind="quantile", column="mdvis", probability=Decimal("0.5"))


def dealt_visits(dealer: str) -> Study:
    study = visits()
    asked = {**study.questions, "visits_median": MEDIAN}
    return study.model_copy(update={"dealer": dealer, "questions": asked})
