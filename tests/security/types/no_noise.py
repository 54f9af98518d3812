"""Releasing without noise, or without paying. Every marked line must fail the type checker."""

from __future__ import annotations

import numpy as np

from mpc.ports import ChargeTerms, Ledger
from mpc.privacy.budget import Budget
from mpc.privacy.charge import BudgetCharge
from mpc.privacy.noise import add_noise
from mpc.privacy.sampler import NoiseSource
from mpc.release import open_noised
from mpc.secret.engine import Engine
from mpc.secret.sealed import BoundedStatistic, NoisedStatistic, PaidNoise, SecretStatistic


def skip_the_noise(
    local: BoundedStatistic, secret: SecretStatistic, engine: Engine, ledger: Ledger
) -> None:
    open_noised(local, engine, ledger, b"", bytes)  # refused: arg-type
    open_noised(secret, engine, ledger, b"", bytes)  # refused: arg-type
    engine.masked_share(local, b"")  # refused: arg-type
    engine.masked_share(secret, b"")  # refused: arg-type
    engine.reveal(secret)  # refused: attr-defined
    engine.get_plain_text(secret)  # refused: attr-defined
    engine.open(secret)  # refused: attr-defined


def bring_zeros_as_noise(secret: SecretStatistic, engine: Engine) -> None:
    engine.add_to_own_share(secret, np.zeros(3, dtype=np.int64))  # refused: arg-type
    engine.add_to_own_share(secret, None)  # refused: arg-type
    PaidNoise(np.zeros(3))  # refused: arg-type


def skip_the_charge(secret: SecretStatistic, source: NoiseSource, engine: Engine) -> None:
    add_noise(secret, None, source, engine)  # refused: arg-type
    add_noise(secret, BudgetCharge(), source, engine)  # refused: call-arg
    add_noise(secret, source, engine)  # refused: arg-type, call-arg


def noise_what_is_not_secret(
    local: BoundedStatistic, noised: NoisedStatistic, charge: BudgetCharge, source: NoiseSource,
    engine: Engine,
) -> None:  # fmt: skip
    add_noise(local, charge, source, engine)  # refused: arg-type
    add_noise(noised, charge, source, engine)  # refused: arg-type
    engine.share_sum([1, 2, 3])  # refused: arg-type
    engine.share_sum(noised)  # refused: arg-type


def claim_a_price(budget: Budget, secret: SecretStatistic, terms: ChargeTerms) -> None:
    budget.charge(secret, terms, rho=0)  # refused: call-arg
    budget.charge(terms, secret)  # refused: arg-type
    budget.refund(secret)  # refused: attr-defined


def open_twice(released: bytes, engine: Engine, ledger: Ledger) -> None:
    open_noised(released, engine, ledger, b"", bytes)  # refused: arg-type
