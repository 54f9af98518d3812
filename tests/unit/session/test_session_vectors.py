"""The handshake's bytes are fixed: a change of any is a change of protocol, and needs its version.

After such a change: ``PYTHONPATH=.:tests python tests/vectors/make_session.py``.
"""

from __future__ import annotations

import hashlib
import hmac
import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from seeded_randomness import SeededRandomness
from vectors.make_session import PATH, text

from mpc.naming import joined

VECTOR = json.loads(PATH.read_text())


def test_regenerated_vectors_are_the_stored_ones() -> None:
    assert text() == PATH.read_text()


def ephemeral(party: int) -> X25519PrivateKey:
    """Where the seeded randomness of the vectors has the private key of ``party``'s Hello."""
    drawn = SeededRandomness("vectors/session")
    for _ in range(3 * 2 + 2):  # two keys of each participant, two approvals' nonces
        drawn.random_bytes(32)
    for _ in range(2 * party):  # key and nonce of each Hello before
        drawn.random_bytes(32)
    return X25519PrivateKey.from_private_bytes(drawn.random_bytes(32))


@pytest.mark.parametrize("party", [0, 1])
def test_stored_session_follows_from_its_seeds_by_the_standards_alone(party: int) -> None:
    """Recomputed with the library's SHA-256, X25519, HKDF, HMAC and AES, none of our own code but
    the joining of parts."""
    names = [b"party-1", b"party-2"]
    own = VECTOR["parties"][names[party].decode()]
    hellos = [hello.encode("ascii") for hello in VECTOR["hellos"]]
    session = hashlib.sha256(joined(b"parley/session/v1", *hellos)).digest()
    peer = bytes.fromhex(json.loads(hellos[1 - party])["key"])
    secret = ephemeral(party).exchange(X25519PublicKey.from_public_bytes(peer))

    def key(*info: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt=session, info=joined(*info)).derive(secret)

    def stream(size: int, *info: bytes) -> bytes:
        cipher = Cipher(algorithms.AES(key(*info)), modes.CTR(bytes(16)))
        return cipher.encryptor().update(bytes(size))

    opening = hashlib.sha256(
        joined(b"parley/operation/v1", session, b"parley/opening", b"release")
    ).digest()[:16]
    sender, receiver = names[party], names[1 - party]
    confirm_key = key(b"parley/confirm/v1", sender, receiver, bytes(4), b"")
    zero = stream(24, b"parley/zero/v1", *names, bytes(4), opening)
    mask = np.frombuffer(zero, "<i8") * (1 if party == 0 else -1)
    operation = bytes.fromhex(own["operation"])

    assert own["session"] == session.hex()
    assert own["opening"] == opening.hex()
    assert own["confirmation"] == (
        hmac.digest(confirm_key, joined(session, sender, receiver), hashlib.sha256).hex()
    )
    assert own["mask"] == mask.tobytes().hex()
    assert own["stream"] == stream(40, b"vector", *names, (3).to_bytes(4, "big"), operation).hex()
