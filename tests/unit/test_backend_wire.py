"""What CrypTen may send as an object: sizes, integers and None, in one form each."""

from __future__ import annotations

import contextlib
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpc.backend.wire import ELEMENTS_MAX, object_from_bytes, object_to_bytes, to_bytes
from mpc.errors import IntegrityError, SecretMisuseError

WORDS = st.integers(-(2**63), 2**63 - 1)


@given(st.one_of(st.none(), WORDS, st.lists(st.integers(0, 4), max_size=8).map(torch.Size)))
def test_objects_come_back_as_they_were(given_object: object) -> None:
    assert object_from_bytes(object_to_bytes(given_object)) == given_object


@given(st.binary(max_size=600))
def test_other_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        assert object_to_bytes(object_from_bytes(data)) == data


@pytest.mark.parametrize(
    "size", [(-1,), (ELEMENTS_MAX + 1,), (2**20, 2**20), (2**62, 2**62), (1,) * 65]
)
def test_a_size_that_would_allocate_too_much_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(IntegrityError):
        object_from_bytes(b"S" + struct.pack(f"<{len(size)}q", *size))


@pytest.mark.parametrize("thing", [1.5, True, "terminate", b"x", [1], {"a": 1}, 2**63, object()])
def test_nothing_else_is_sent(thing: object) -> None:
    with pytest.raises(SecretMisuseError):
        object_to_bytes(thing)


def test_words_travel_in_c_order_whatever_the_strides() -> None:
    tensor = torch.arange(6).reshape(2, 3)
    assert to_bytes([tensor.t()]) == to_bytes([tensor.t().contiguous()])
    assert to_bytes([tensor[:, 1]]) == struct.pack("<2q", 1, 4)


@pytest.mark.parametrize("kind", [torch.float64, torch.int32, torch.bool, torch.uint8])
def test_words_are_int64_and_nothing_else(kind: torch.dtype) -> None:
    with pytest.raises(SecretMisuseError):
        to_bytes([torch.zeros(2, dtype=kind)])
