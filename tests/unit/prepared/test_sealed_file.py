"""Files of encrypted parts: what was changed anywhere is refused at the part where it was."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from mpc.dealing.delivery import PART_BYTES
from mpc.errors import ContractError, IntegrityError
from parties.prepared.sealed_file import read_parts, write_parts

KEY = bytes(range(32))
PARTS = [b"first", b"second" * 100, b"third!", b"x"]


def sealed(parts: list[bytes] = PARTS, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    write_parts(file, key, parts)
    return file.getvalue()


def records(data: bytes) -> list[bytes]:
    found, start = [], 0
    while start < len(data):
        end = start + 4 + int.from_bytes(data[start : start + 4], "big")
        found.append(data[start:end])
        start = end
    return found


def taken(data: bytes, key: bytes = KEY) -> tuple[list[bytes], str]:
    """The parts that were given out, and the error if it ended with one."""
    parts: list[bytes] = []
    try:
        for part in read_parts(io.BytesIO(data), key):
            parts.append(part)
    except IntegrityError as error:
        return parts, error.what
    return parts, ""


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8))
def test_parts_are_read_as_they_were_written(parts: list[bytes]) -> None:
    assert taken(sealed(parts)) == (parts, "")


def test_the_form_is_that_of_the_standard_alone() -> None:
    first, *_, end = records(sealed())
    cipher = AESGCM(KEY)
    assert cipher.decrypt(bytes(12), first[4:], None) == b"first"
    assert cipher.decrypt((4).to_bytes(11, "big") + b"\1", end[4:], None) == b""


def test_a_bit_turned_anywhere_is_refused_and_only_what_lies_before_was_read() -> None:
    data = sealed()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        parts, error = taken(bytes(changed))
        assert "was changed, cut, or is another's" in error
        assert parts == PARTS[: len(parts)]


def test_a_file_cut_at_any_byte_is_refused() -> None:
    data = sealed()
    for size in range(len(data)):
        parts, error = taken(data[:size])
        assert "was changed, cut" in error
        assert parts == PARTS[: len(parts)]


@pytest.mark.parametrize(
    ("order", "read"),
    [
        ((1, 0, 2, 3, 4), 0), ((0, 2, 1, 3, 4), 1), ((0, 0, 1, 2, 3, 4), 1), ((0, 2, 3, 4), 1),
        ((0, 1, 4), 2), ((4,), 0), ((0, 1, 2, 3), 4), ((0, 1, 2, 3, 4, 4), 4),
    ],
)  # fmt: skip
def test_parts_swapped_repeated_or_left_out_are_refused(order: tuple[int, ...], read: int) -> None:
    whole = records(sealed())
    parts, error = taken(b"".join(whole[number] for number in order))
    assert "was changed, cut" in error
    assert parts == PARTS[:read]


def test_parts_of_another_file_are_refused() -> None:
    own, other = records(sealed()), records(sealed(key=b"k" * 32))
    assert taken(b"".join(other))[0] == []
    assert taken(b"".join([own[0], other[1], *own[2:]])) == (
        PARTS[:1],
        "the prepared material's file was changed, cut, or is another's",
    )


def test_a_size_of_four_gigabytes_allocates_nothing() -> None:
    data = b"\xff" * 4 + bytes(100)
    tracemalloc.start()
    try:
        assert taken(data)[0] == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", [b"", bytes(PART_BYTES + 1)], ids=["empty", "too large"])
def test_a_part_is_neither_empty_nor_larger_than_a_dealers(part: bytes) -> None:
    with pytest.raises(ContractError, match="a part has 1 to"):
        sealed([part])
