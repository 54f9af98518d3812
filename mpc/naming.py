"""Unambiguous bytes of several parts, and the 16-byte names of a session's steps."""

from __future__ import annotations

import hashlib

OPERATION_SIZE = 16
_OPERATION_CONTEXT = b"parley/operation/v1"


def joined(*parts: bytes) -> bytes:
    """Each part behind its length (4 bytes, big-endian): different parts, different bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def operation_id(scope: bytes, *parts: bytes) -> bytes:
    """The name of one step within ``scope``, a session id: SHA-256 over both, cut to 16 bytes.

    ``parts`` are what both ends must agree on: step, shapes, public operands.
    """
    return hashlib.sha256(joined(_OPERATION_CONTEXT, scope, *parts)).digest()[:OPERATION_SIZE]
