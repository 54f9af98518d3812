"""Sealed values refuse to be made, read, compared, copied or written down."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from joint_release import SilentSource, funded_ledger, terms, zero_masks
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.errors import SecretMisuseError
from mpc.privacy.budget import Budget
from mpc.privacy.charge import BudgetCharge
from mpc.privacy.noise import add_noise
from mpc.secret.reference import ReferenceEngine
from mpc.secret.seal import Sealed
from mpc.secret.sealed import BoundedStatistic, NoisedStatistic, PaidNoise, SecretStatistic

EVENT = NoiseEvent((NoiseBlock(3, 1, Fraction(20)),), 2, 1)
CANARY = 7_161_514_321

ALL_TYPES = (BoundedStatistic, SecretStatistic, PaidNoise, NoisedStatistic, BudgetCharge)


def made() -> dict[type, Any]:
    """One real value of each sealed type."""
    engine = ReferenceEngine(zero_masks(2, SeededRandomness(1))[0])
    bounded = BoundedStatistic.of([CANARY] * 3, EVENT)
    secret = engine.share_sum(bounded)
    charge = Budget(funded_ledger()).charge(secret, terms())
    noise = PaidNoise._create(secret, np.full(3, CANARY), charge.run)
    noised = add_noise(secret, charge, SilentSource(), engine)
    return {type(value): value for value in (bounded, secret, noise, noised, charge)}


VALUES = made()

READINGS: dict[str, Callable[[Any], object]] = {
    "bool": bool,
    "not": lambda value: not value,
    "int": int,
    "float": float,
    "complex": complex,
    "index": lambda value: [1, 2, 3][value],
    "round": round,
    "bytes": bytes,
    "memoryview": memoryview,
    "len": len,
    "iter": iter,
    "list": list,
    "sum": sum,
    "max": max,
    "item": lambda value: value[0],
    "slice": lambda value: value[:],
    "unpack": lambda value: [*value],
    "in": lambda value: 3 in value,
    "equal": lambda value: value == 3,
    "unequal": lambda value: value != 3,
    "less": lambda value: value < 3,
    "hash": hash,
    "key": lambda value: {value: 1},
    "add": lambda value: value + 1,
    "subtract": lambda value: 1 - value,
    "asarray": np.asarray,
    "array": np.array,
    "ufunc": lambda value: np.add(value, 1),
    "array plus": lambda value: np.zeros(3) + value,
    "numpy function": np.sum,
    "numpy scalar": np.int64,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "old pickle": lambda value: pickle.dumps(value, protocol=0),
    "json": json.dumps,
    "vars": vars,
    "set": lambda value: setattr(value, "_share", 1),
    "set new": lambda value: setattr(value, "note", 1),
    "delete": lambda value: delattr(value, "_event"),
    "public share": lambda value: value.share,
    "call": lambda value: value(),
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("sealed", ALL_TYPES, ids=lambda sealed: sealed.__name__)
def test_reading_a_sealed_value_is_refused(sealed: type, reading: str) -> None:
    with pytest.raises((SecretMisuseError, TypeError, AttributeError)) as caught:
        READINGS[reading](VALUES[sealed])
    assert str(CANARY) not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("sealed", ALL_TYPES, ids=lambda sealed: sealed.__name__)
def test_text_of_a_sealed_value_is_its_size(sealed: type) -> None:
    value = VALUES[sealed]
    expected = f"<{sealed.__name__} of 3>"
    assert {repr(value), str(value), f"{value}", f"{value!r:>5}", "%s" % value} == {expected}  # noqa: UP031


@pytest.mark.parametrize("sealed", ALL_TYPES, ids=lambda sealed: sealed.__name__)
def test_there_is_no_public_constructor(sealed: Any) -> None:
    for arguments in ((), ([1, 2, 3],), ([1, 2, 3], EVENT)):
        with pytest.raises(SecretMisuseError):
            sealed(*arguments)


@pytest.mark.parametrize("sealed", [*ALL_TYPES, Sealed], ids=lambda sealed: sealed.__name__)
def test_sealed_types_are_not_extended(sealed: type) -> None:
    with pytest.raises(SecretMisuseError):
        type("Opened", (sealed,), {"__slots__": ()})


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [1, 2, 3, 4],
        [1, 2, 2**62],
        [1, 2, -(2**62)],
        [1, 2, 3.0],
        [1, 2, True],
        [1, 2, np.int64(3)],
        [1, 2, None],
        [1, 2, "3"],
    ],
)
def test_sums_that_are_not_exact_integers_in_range_are_refused(values: list[Any]) -> None:
    with pytest.raises(SecretMisuseError) as caught:
        BoundedStatistic.of(values, EVENT)
    assert "4611686018427387904" not in str(caught.value)


def test_the_largest_sums_are_taken() -> None:
    assert BoundedStatistic.of([2**62 - 1, 1 - 2**62, 0], EVENT).size == 3


def test_the_event_is_the_one_given_from_bounded_to_noised() -> None:
    for sealed in ALL_TYPES:
        assert VALUES[sealed].event is EVENT


def test_noise_is_used_once_and_for_its_own_statistic() -> None:
    engine = ReferenceEngine(zero_masks(2, SeededRandomness(2))[0])
    local = BoundedStatistic.of([1, 2, 3], EVENT)
    first, second = engine.share_sum(local), engine.share_sum(local)
    noise = PaidNoise._create(first, np.zeros(3, dtype=np.int64), terms().run)
    with pytest.raises(SecretMisuseError, match="another statistic"):
        engine.add_to_own_share(second, noise)
    engine.add_to_own_share(first, noise)
    with pytest.raises(SecretMisuseError, match="once"):
        engine.add_to_own_share(first, noise)


@pytest.mark.parametrize(
    "words", [np.zeros(2, np.int64), np.zeros(3), np.zeros((1, 3), np.int64)], ids=repr
)
def test_noise_of_another_shape_or_type_is_refused(words: Any) -> None:
    with pytest.raises(SecretMisuseError):
        PaidNoise._create(VALUES[SecretStatistic], words, terms().run)
