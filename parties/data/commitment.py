"""What a party commits to when it releases: its registered files, under a secret of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpc.errors import StudyAborted
from mpc.ports import Randomness

SECRET_SIZE = 32
CHUNK_SIZE = 4 << 20


@dataclass(frozen=True)
class Commitment:
    """SHA-256(secret ‖ files): public. The owner keeps ``secret`` to prove it later."""

    digest: bytes
    secret: bytes = field(repr=False)


def commit_to(
    files: Sequence[Path], randomness: Randomness, digests: Sequence[str] | None = None
) -> Commitment:
    """Commit to the bytes of ``files``, in order, each preceded by its length.

    The fresh secret hides the data: nobody can test a guess at the rows against the digest. Opens:
    nothing. Cost: one read of the files. Raises StudyAborted if one cannot be read, or if
    ``digests`` are given (hex SHA-256 of each file) and one is not that of its file.
    """
    secret = randomness.random_bytes(SECRET_SIZE)
    digest = hashlib.sha256(secret)
    found: list[str] = []
    try:
        for file in files:
            digest.update(file.stat().st_size.to_bytes(8, "big"))
            own = hashlib.sha256()
            with file.open("rb") as stream:
                while chunk := stream.read(CHUNK_SIZE):
                    digest.update(chunk)
                    own.update(chunk)
            found.append(own.hexdigest())
    except OSError:
        raise StudyAborted("the registered files cannot be read any more") from None
    if digests is not None and list(digests) != found:
        raise StudyAborted("the owner's table changed since its version was announced")
    return Commitment(digest.digest(), secret)
