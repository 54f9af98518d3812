"""Making and reading sealed values. Every marked line must fail the type checker."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mpc.accounting.event import NoiseEvent
from mpc.privacy.charge import BudgetCharge
from mpc.secret.sealed import BoundedStatistic, NoisedStatistic, SecretStatistic


def make_one(event: NoiseEvent) -> None:
    BoundedStatistic()  # refused: call-arg
    SecretStatistic()  # refused: call-arg
    SecretStatistic(np.zeros(3))  # refused: arg-type
    NoisedStatistic([1, 2, 3])  # refused: arg-type
    BudgetCharge(event)  # refused: arg-type
    BoundedStatistic.of([0.5], event)  # refused: list-item
    BoundedStatistic.of([1], "event")  # refused: arg-type


def read_one(secret: SecretStatistic, noised: NoisedStatistic) -> None:
    if secret:  # refused: truthy-bool
        pass
    int(secret)  # refused: call-overload
    float(secret)  # refused: arg-type
    len(secret)  # refused: arg-type
    list(noised)  # refused: call-overload
    sum(noised)  # refused: call-overload
    bytes(noised)  # refused: call-overload
    secret[0]  # refused: index
    secret + 1  # refused: operator
    noised - noised  # refused: operator
    for _value in secret:  # refused: attr-defined
        pass
    3 in noised  # refused: operator  # noqa: B015
    secret == secret  # refused: operator  # noqa: B015, PLR0124
    secret != secret  # refused: operator  # noqa: B015, PLR0124
    secret < secret  # refused: operator  # noqa: B015, PLR0124
    secret.value  # refused: attr-defined  # noqa: B018
    secret.share  # refused: attr-defined  # noqa: B018


def change_one(secret: SecretStatistic, event: NoiseEvent, charge: BudgetCharge) -> None:
    secret.event = event  # refused: misc
    secret.size = 3  # refused: misc
    charge.run = "run"  # refused: misc, assignment
    event.coalition = 1  # refused: misc
    event.blocks[0].variance = Fraction(0)  # refused: misc


class Opened(SecretStatistic):  # refused: misc
    pass
