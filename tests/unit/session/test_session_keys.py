"""Keys: HKDF of RFC 5869 over X25519, one for each purpose, direction and operation, used once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from seeded_randomness import SeededRandomness

from mpc.errors import IntegrityError, SecretMisuseError
from mpc.naming import joined, operation_id
from mpc.session.keys import EphemeralKey, KeySchedule
from mpc.session.streams import Stream
from mpc.units import PartyId, SessionId

A, B, C = PartyId("a"), PartyId("b"), PartyId("c")
SESSION = SessionId(bytes(range(32)))
LOW_ORDER = (
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
)
"""Points of low order: each gives the all-zero secret (Langley, Hamburg and Turner, RFC 7748 §6.1;
list of Bernstein, Curve25519)."""


def schedules(seed: int = 0, session: SessionId = SESSION) -> tuple[KeySchedule, KeySchedule]:
    """Both ends of a and b."""
    randomness = SeededRandomness(seed)
    first, second = EphemeralKey(randomness), EphemeralKey(randomness)
    publics = {A: first.public, B: second.public}
    return (
        KeySchedule(A, session, first, {B: publics[B]}),
        KeySchedule(B, session, second, {A: publics[A]}),
    )


def test_stream_key_is_hkdf_of_the_x25519_secret_salted_with_the_session() -> None:
    randomness = SeededRandomness(1)
    privates = [X25519PrivateKey.from_private_bytes(randomness.random_bytes(32)) for _ in range(2)]
    public = privates[1].public_key().public_bytes_raw()
    secret = privates[0].exchange(X25519PublicKey.from_public_bytes(public))
    info = joined(b"purpose", b"a", b"b", bytes([0, 0, 0, 7]), b"operation")
    key = HKDF(SHA256(), 32, salt=SESSION, info=info).derive(secret)

    end = KeySchedule(A, SESSION, EphemeralKey(SeededRandomness(1)), {B: public})

    assert end.stream(b"purpose", A, B, b"operation", 7).octets(64) == Stream(key).octets(64)


def test_both_ends_draw_the_same_stream() -> None:
    first, second = schedules()
    assert first.stream(b"p", A, B, b"op").octets(100) == second.stream(b"p", A, B, b"op").octets(
        100
    )


def test_every_part_of_the_name_gives_another_stream() -> None:
    first, _ = schedules()
    drawn = [
        first.stream(b"p", A, B, b"op").octets(32),
        first.stream(b"p", B, A, b"op").octets(32),
        first.stream(b"q", A, B, b"op").octets(32),
        first.stream(b"p", A, B, b"oq").octets(32),
        first.stream(b"p", A, B, b"op", 1).octets(32),
        first.stream(b"", A, B, b"pop").octets(32),
        schedules(0, SessionId(bytes(32)))[0].stream(b"p", A, B, b"op").octets(32),
        schedules(1)[0].stream(b"p", A, B, b"op").octets(32),
    ]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("parts", [((b"ab", b"c"), (b"a", b"bc")), ((b"a",), (b"a", b""))])
def test_parts_are_joined_without_ambiguity(parts: tuple[tuple[bytes, ...], ...]) -> None:
    assert joined(*parts[0]) != joined(*parts[1])
    assert operation_id(SESSION, *parts[0]) != operation_id(SESSION, *parts[1])


def test_stream_is_given_once_for_each_operation_and_direction() -> None:
    first, second = schedules()
    first.stream(b"p", A, B, b"op")
    first.stream(b"p", B, A, b"op")
    for sender, receiver in ((A, B), (B, A)):
        with pytest.raises(SecretMisuseError, match="once"):
            first.stream(b"p", sender, receiver, b"op")
    second.stream(b"p", A, B, b"op")  # the other end's own count


@pytest.mark.parametrize(("sender", "receiver"), [(A, A), (B, B), (B, C), (C, B)])
def test_stream_between_others_is_refused(sender: PartyId, receiver: PartyId) -> None:
    with pytest.raises(SecretMisuseError, match="this participant and another one"):
        schedules()[0].stream(b"p", sender, receiver, b"op")


def test_stream_with_a_stranger_is_refused() -> None:
    with pytest.raises(SecretMisuseError, match="no key with c"):
        schedules()[0].stream(b"p", A, C, b"op")


def test_closed_schedule_gives_nothing() -> None:
    first, _ = schedules()
    first.close()
    for use in (lambda: first.stream(b"p", A, B, b"op"), lambda: first.confirmation(B)):
        with pytest.raises(SecretMisuseError, match="closed"):
            use()


def test_confirmations_hold_in_their_own_direction_only() -> None:
    first, second = schedules()
    second.check_confirmation(A, first.confirmation(B))
    first.check_confirmation(B, second.confirmation(A))
    assert first.confirmation(B) != second.confirmation(A)
    with pytest.raises(IntegrityError, match="b: its confirmation of the session does not hold"):
        first.check_confirmation(B, first.confirmation(B))  # mirrored


def test_confirmation_is_the_mac_of_session_and_both_names_under_its_own_key() -> None:
    first, _ = schedules()
    randomness = SeededRandomness(0)
    private = X25519PrivateKey.from_private_bytes(randomness.random_bytes(32))
    peer = X25519PrivateKey.from_private_bytes(randomness.random_bytes(32)).public_key()
    info = joined(b"parley/confirm/v1", b"a", b"b", bytes(4), b"")
    mac_key = HKDF(SHA256(), 32, salt=SESSION, info=info).derive(private.exchange(peer))
    expected = hmac.digest(mac_key, joined(SESSION, b"a", b"b"), hashlib.sha256)
    assert first.confirmation(B) == expected


@pytest.mark.parametrize("change", [lambda m: b"", lambda m: m[:31], lambda m: m + b"\0",
                                    lambda m: bytes([m[0] ^ 1]) + m[1:]])  # fmt: skip
def test_changed_confirmation_is_refused_naming_the_sender(
    change: Callable[[bytes], bytes],
) -> None:
    first, second = schedules()
    with pytest.raises(IntegrityError, match="b: its confirmation"):
        first.check_confirmation(B, change(second.confirmation(A)))


def test_confirmation_of_another_session_is_refused() -> None:
    first, _ = schedules()
    _, other = schedules(0, SessionId(bytes(32)))
    with pytest.raises(IntegrityError):
        first.check_confirmation(B, other.confirmation(A))


@pytest.mark.parametrize("public", LOW_ORDER, ids=lambda public: public.hex()[:8])
def test_key_of_low_order_is_refused_naming_its_owner(public: bytes) -> None:
    ephemeral = EphemeralKey(SeededRandomness(0))
    with pytest.raises(IntegrityError, match="b: its X25519 key gives an all-zero secret"):
        KeySchedule(A, SESSION, ephemeral, {B: public})
    with pytest.raises(SecretMisuseError, match="one handshake"):
        KeySchedule(A, SESSION, ephemeral, {})


def test_ephemeral_key_serves_once() -> None:
    ephemeral = EphemeralKey(SeededRandomness(0))
    other = EphemeralKey(SeededRandomness(1))
    KeySchedule(A, SESSION, ephemeral, {B: other.public})
    with pytest.raises(SecretMisuseError, match="one handshake"):
        KeySchedule(A, SessionId(bytes(32)), ephemeral, {B: other.public})
