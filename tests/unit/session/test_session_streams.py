"""AES-CTR streams: the standard's bytes, each once, never more than allowed."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc.errors import SecretMisuseError
from mpc.session.streams import BLOCK_BYTES, BLOCKS_MAX, Stream

KEY = bytes(range(32))


def blocks(key: bytes, count: int) -> bytes:
    """The key stream by definition: each counter encrypted by itself."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(b"".join(i.to_bytes(16, "big") for i in range(count)))


def test_stream_is_the_cipher_of_counters_from_zero() -> None:
    assert Stream(KEY).octets(64 * 16) == blocks(KEY, 64)


def test_known_answer_of_the_zero_key() -> None:
    """AES-256 of the zero block under the zero key (NIST CAVP, ECBKeySbox)."""
    assert Stream(bytes(32)).octets(16).hex() == "dc95c078a2408989ad48a21492842087"


@pytest.mark.parametrize("count", [0, 1, 2, 3, (1 << 17) - 1, 1 << 17, (1 << 17) + 3, 1 << 18])
def test_words_are_the_little_endian_bytes_of_the_stream(count: int) -> None:
    words = Stream(KEY).words(count)
    assert words.dtype == np.int64
    assert words.shape == (count,)
    assert words.astype("<i8").tobytes() == Stream(KEY).octets(8 * count)


def test_pieces_of_any_size_continue_one_stream() -> None:
    stream = Stream(KEY)
    sizes = [1, 15, 16, 17, 0, 1 << 20, (1 << 20) + 5, 31]
    parts = [stream.octets(size) for size in sizes]
    assert b"".join(parts) == Stream(KEY).octets(sum(sizes))


def test_no_block_comes_twice() -> None:
    """A buffer refilled from itself would repeat; 2^17 blocks of 128 bits collide by chance with
    probability 2^-95."""
    data = np.frombuffer(Stream(KEY).octets(16 << 17), dtype="V16")
    assert len(np.unique(data)) == 1 << 17


def test_results_of_two_calls_do_not_share_memory() -> None:
    stream = Stream(KEY)
    first = stream.words(100)
    kept = first.copy()
    stream.words(100)
    assert np.array_equal(first, kept)


def test_more_than_the_allowed_blocks_are_refused_and_nothing_is_given_out() -> None:
    stream = Stream(KEY)
    with pytest.raises(SecretMisuseError, match="at most 2"):
        stream.octets(BLOCKS_MAX * BLOCK_BYTES + 1)
    assert stream.octets(16) == Stream(KEY).octets(16)


def test_stream_ends_at_its_last_block() -> None:
    stream = Stream(KEY)
    stream._left = 24  # what 2^36 blocks leave, without drawing a tebibyte
    stream.words(2)
    with pytest.raises(SecretMisuseError):
        stream.words(2)
    stream.words(1)
    with pytest.raises(SecretMisuseError):
        stream.octets(1)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(SecretMisuseError, match="32 bytes"):
        Stream(bytes(size))


def test_negative_count_is_refused() -> None:
    with pytest.raises(SecretMisuseError):
        Stream(KEY).octets(-1)
