"""Uniform bytes that a seed repeats: AES-CTR, for tests alone. Nothing in the product is seeded."""

from __future__ import annotations

import hashlib
import threading

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class SeededRandomness:
    """:class:`mpc.ports.Randomness`, the same bytes for the same ``seed``. Safe for threads."""

    def __init__(self, seed: int | str) -> None:
        key = hashlib.sha256(f"parley/test-randomness/{seed}".encode()).digest()
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        self._lock = threading.Lock()

    def random_bytes(self, count: int) -> bytes:
        with self._lock:
            return self._encryptor.update(bytes(count))
