"""From signed X25519 keys to one key a purpose, direction and operation. Nothing here is stored.

Every key is HKDF-SHA256(X25519 secret, salt = T, info = purpose, from, to, shard, operation), each
part of info behind its length (RFC 7748, RFC 5869). T is the hash of all signed Hellos, so a key
depends on everything that was agreed, and two sessions share none.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from mpc.errors import IntegrityError, SecretMisuseError
from mpc.guarded import Guarded
from mpc.naming import joined
from mpc.ports import Randomness
from mpc.session.streams import KEY_SIZE, Stream
from mpc.units import PartyId, SessionId

PUBLIC_SIZE = 32
_CONFIRM = b"parley/confirm/v1"


class EphemeralKey(Guarded):
    """An X25519 key for one handshake; spent by it, whatever comes of it."""

    __slots__ = ("_private", "public")

    def __init__(self, randomness: Randomness) -> None:
        self._private: X25519PrivateKey | None = X25519PrivateKey.from_private_bytes(
            randomness.random_bytes(PUBLIC_SIZE)
        )
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def spend(self, session: SessionId, publics: Mapping[PartyId, bytes]) -> dict[PartyId, bytes]:
        """HKDF-Extract(salt = ``session``, X25519 secret) for each of ``publics``. Once.

        Raises IntegrityError naming whose key gives the all-zero secret (a point of low order).
        """
        private, self._private = self._private, None
        if private is None:
            raise SecretMisuseError("an ephemeral key serves one handshake")
        return {
            peer: hmac.digest(session, _exchange(private, peer, public), hashlib.sha256)
            for peer, public in publics.items()
        }


def _exchange(private: X25519PrivateKey, peer: PartyId, public: bytes) -> bytes:
    try:
        secret = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # OpenSSL refuses the all-zero secret as well
        secret = bytes(PUBLIC_SIZE)
    if hmac.compare_digest(secret, bytes(PUBLIC_SIZE)):
        raise IntegrityError("its X25519 key gives an all-zero secret", party=peer)
    return secret


class KeySchedule(Guarded):
    """One participant's keys with each other one, in one session. Safe for several threads."""

    __slots__ = ("_given", "_lock", "_own", "_secrets", "_session")

    def __init__(
        self, own: PartyId, session: SessionId, ephemeral: EphemeralKey,
        publics: Mapping[PartyId, bytes],
    ) -> None:  # fmt: skip
        """``publics``: every other participant's X25519 key. Spends ``ephemeral``."""
        self._own = own
        self._session = session
        self._secrets = ephemeral.spend(session, publics)
        self._given: set[bytes] = set()
        self._lock = threading.Lock()

    def confirmation(self, to: PartyId) -> bytes:
        """What shows ``to`` that this participant has the same T and the secret of its own Hello.

        HMAC-SHA256 over T, from, to under a key of that direction. Opens: nothing.
        """
        return self._confirmation(self._own, to)

    def check_confirmation(self, sender: PartyId, confirmation: bytes) -> None:
        """Refuse what is not ``sender``'s confirmation for this participant. Constant time."""
        if not hmac.compare_digest(self._confirmation(sender, self._own), confirmation):
            raise IntegrityError(
                "its confirmation of the session does not hold",
                party=sender,
                hint="it saw other Hellos, or does not own the key of its Hello",
            )

    def stream(
        self, purpose: bytes, sender: PartyId, receiver: PartyId, operation: bytes, shard: int = 0
    ) -> Stream:
        """The stream of ``operation`` from ``sender`` to ``receiver``, one of which is this end.

        Both ends get the same one. Given once: asking again raises SecretMisuseError.
        """
        return Stream(self.key(purpose, sender, receiver, operation, shard))

    def key(
        self, purpose: bytes, sender: PartyId, receiver: PartyId, operation: bytes, shard: int = 0
    ) -> bytes:
        """The key of :meth:`stream`, instead of it: for what is dealt now and expanded later."""
        info = _info(purpose, sender, receiver, shard, operation)
        with self._lock:
            if info in self._given:
                raise SecretMisuseError("a stream is used for one operation and direction, once")
            self._given.add(info)
        return self._key(self._peer_of(sender, receiver), info)

    def close(self) -> None:
        """Forget the keys; every later use raises SecretMisuseError."""
        self._secrets = {}

    def _confirmation(self, sender: PartyId, receiver: PartyId) -> bytes:
        peer = self._peer_of(sender, receiver)
        key = self._key(peer, _info(_CONFIRM, sender, receiver, 0, b""))
        message = joined(self._session, sender.encode(), receiver.encode())
        return hmac.digest(key, message, hashlib.sha256)

    def _peer_of(self, sender: PartyId, receiver: PartyId) -> PartyId:
        if sender == receiver or self._own not in (sender, receiver):
            raise SecretMisuseError("a key belongs to this participant and another one")
        return receiver if sender == self._own else sender

    def _key(self, peer: PartyId, info: bytes) -> bytes:
        secret = self._secrets.get(peer)
        if secret is None:
            raise SecretMisuseError(f"there is no key with {peer}: no participant, or closed")
        return HKDFExpand(SHA256(), KEY_SIZE, info).derive(secret)


def _info(
    purpose: bytes, sender: PartyId, receiver: PartyId, shard: int, operation: bytes
) -> bytes:
    return joined(purpose, sender.encode(), receiver.encode(), shard.to_bytes(4, "big"), operation)
