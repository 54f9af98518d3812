"""A file of encrypted parts, written and read one part at a time.

Each part is its size (4 bytes, big-endian) and AES-256-GCM of it, under a key that is used for one
file. The nonce is the part's number and whether it is the end, which is an empty part of its own:
so parts that were changed, swapped, repeated or left out are refused, and so is a file that was cut
(STREAM of Hoang, Reyhanitabar, Rogaway and Vizar, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance", 2015). Memory at both ends: one part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.dealing.delivery import PART_BYTES
from mpc.errors import ContractError, IntegrityError

KEY_BYTES = 32
TAG_BYTES = 16
_SIZE_BYTES = 4
_NUMBER_BYTES = 11  # and one for the end: the 12 of GCM's nonce


def write_parts(file: BinaryIO, key: bytes, parts: Iterable[bytes]) -> None:
    """All of ``parts``, then the end. ``key`` is never used for another file."""
    cipher, number = AESGCM(key), 0
    for part in parts:
        if not 0 < len(part) <= PART_BYTES:
            raise ContractError(f"a part has 1 to {PART_BYTES} bytes")
        _write(file, cipher.encrypt(_nonce(number, is_end=False), part, None))
        number += 1
    _write(file, cipher.encrypt(_nonce(number, is_end=True), b"", None))


def read_parts(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The parts as they were written. Raises IntegrityError at the first that is not, or not there.

    What was given out before is authentic, and in sequence from the first.
    """
    cipher, number = AESGCM(key), 0
    while True:
        sealed = _read(file)
        is_end = len(sealed) == TAG_BYTES
        try:
            part = cipher.decrypt(_nonce(number, is_end=is_end), sealed, None)
        except InvalidTag:
            raise file_changed() from None
        if is_end:
            break
        yield part
        number += 1
    if file.read(1):
        raise file_changed()


def _write(file: BinaryIO, sealed: bytes) -> None:
    file.write(len(sealed).to_bytes(_SIZE_BYTES, "big"))
    file.write(sealed)


def _read(file: BinaryIO) -> bytes:
    size = int.from_bytes(file.read(_SIZE_BYTES), "big")
    if not TAG_BYTES <= size <= PART_BYTES + TAG_BYTES:
        raise file_changed()
    sealed = file.read(size)
    if len(sealed) != size:
        raise file_changed()
    return sealed


def _nonce(number: int, *, is_end: bool) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big") + bytes([is_end])


def file_changed() -> IntegrityError:
    """What is said of a file that does not hold what was written."""
    return IntegrityError("the prepared material's file was changed, cut, or is another's")
