"""Pseudorandom words that two parties both make from one key: AES-256 in counter mode.

The input is a constant block of zeros and the output another buffer: to refill a buffer from itself
would yield the XOR of two key streams. NIST SP 800-38A, counter from 0 under a key used for nothing
else.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from mpc.errors import SecretMisuseError
from mpc.guarded import Guarded
from mpc.ring.words import WORD_BYTES

KEY_SIZE = 32
BLOCK_BYTES = 16
BLOCKS_MAX = 1 << 36
"""Of one stream: 1 TiB."""

_ZEROS: Final = bytes(1 << 20)
_SPARE = BLOCK_BYTES - 1  # update_into asks for room it does not write to


class Stream(Guarded):
    """The bytes of AES-256-CTR under ``key``, from the first block on, each given out once.

    Not for several threads at once.
    """

    __slots__ = ("_encryptor", "_left")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise SecretMisuseError(f"a stream's key has {KEY_SIZE} bytes")
        counter = modes.CTR(bytes(BLOCK_BYTES))
        self._encryptor = Cipher(algorithms.AES(key), counter).encryptor()
        self._left = BLOCKS_MAX * BLOCK_BYTES

    def words(self, count: int) -> NDArray[np.int64]:
        """The next ``count`` uniform elements of Z_2^64, one dimension. Opens: nothing."""
        size = count * WORD_BYTES
        return self._next(size)[:size].view("<i8").astype(np.int64, copy=False)

    def octets(self, count: int) -> bytes:
        """The next ``count`` uniform bytes."""
        return self._next(count)[:count].tobytes()

    def _next(self, size: int) -> NDArray[np.uint8]:
        if not 0 <= size <= self._left:
            raise SecretMisuseError(f"a stream gives at most 2^36 blocks, and never {size} bytes")
        self._left -= size
        output = np.empty(size + _SPARE, dtype=np.uint8)
        room = output.data
        for start in range(0, size, len(_ZEROS)):
            chunk = min(len(_ZEROS), size - start)
            zeros = _ZEROS if chunk == len(_ZEROS) else _ZEROS[:chunk]
            self._encryptor.update_into(zeros, room[start : start + chunk + _SPARE])
        return output
