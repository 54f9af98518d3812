"""What signs for this participant. The key stays behind it."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Ed25519 in a context; :meth:`mpc.roster.Member.verify` checks what it makes.

    ``parties.identity.store.Identity.sign`` has this form.
    """

    def __call__(self, context: str, message: bytes) -> bytes: ...
