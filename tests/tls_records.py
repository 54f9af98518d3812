"""A TCP stream read as TLS 1.3 records (RFC 8446 §5.1): what an onlooker can tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2
TLS_1_3 = b"\x00\x2b\x00\x02\x03\x04"
RECORD_MAX = (1 << 14) + 256


@dataclass(frozen=True)
class Record:
    """One record. Its body is encrypted if it is application data."""

    kind: int
    body: bytes


def records(stream: bytes) -> Iterator[Record]:
    """Every record of ``stream``. Raises AssertionError at the first byte that is none."""
    at = 0
    while at < len(stream):
        kind, major, minor = stream[at : at + 3]
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        assert major == 3, f"no TLS record at byte {at}"
        assert minor in (1, 3), f"no TLS record at byte {at}"
        assert 0 < length <= RECORD_MAX, f"no TLS record at byte {at}"
        body = stream[at + 5 : at + 5 + length]
        assert len(body) == length or at > 0, "the first record is cut off"
        yield Record(kind, body)
        at += 5 + length


def assert_only_tls_1_3(stream: bytes) -> None:
    """In clear there is one Hello (two after a retry) and nothing else."""
    hellos = 0
    for record in records(stream):
        assert record.kind in (CHANGE_CIPHER_SPEC, HANDSHAKE, APPLICATION_DATA)
        if record.kind == CHANGE_CIPHER_SPEC:
            assert record.body == b"\x01"  # for middle boxes; means nothing
        if record.kind == HANDSHAKE:
            hellos += 1
            assert record.body[0] in (CLIENT_HELLO, SERVER_HELLO)
            if record.body[0] == SERVER_HELLO:
                assert TLS_1_3 in record.body
    assert hellos in (1, 2)
