"""Values that must not be seen anywhere, and the ways in which they could be written."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

TEXT = "Kanarienvogel-4b1d9e7c55"
NUMBER = "8765432191.0625"
"""Outside every bound of the visits study."""

Needles = Mapping[str, bytes]


def canaries() -> dict[str, bytes]:
    """:data:`TEXT` and :data:`NUMBER` as text, in binary, in steps, and encoded again."""
    whole, tenths = int(float(NUMBER)), round(float(NUMBER) * 10)
    plain = {
        "text": TEXT.encode(),
        "number": NUMBER.encode(),
        "whole number": str(whole).encode(),
        "number in steps": str(tenths).encode(),
    }
    binary = {
        "number as a word": struct.pack("<q", whole),
        "steps as a word": struct.pack("<q", tenths),
        "number as a float": struct.pack("<d", float(NUMBER)),
    }
    wide = {
        f"{name} in UTF-16": value.decode().encode("utf-16-le") for name, value in plain.items()
    }
    return dict(encoded({**plain, **binary})) | wide


def private_keys(folder: Path) -> dict[str, bytes]:
    """Every private key below ``folder``: its secret number and its DER, and encoded again."""
    secrets: dict[str, bytes] = {}
    for path in key_files(folder):
        key = load_pem_private_key(path.read_bytes(), None)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        name = path.relative_to(folder).as_posix()
        secrets[f"DER of {name}"] = der
        if isinstance(key, EllipticCurvePrivateKey):
            number = key.private_numbers().private_value
            secrets[f"number of {name}"] = number.to_bytes(32, "big")
            secrets[f"number of {name}, turned round"] = number.to_bytes(32, "little")
        if isinstance(key, Ed25519PrivateKey):
            secrets[f"seed of {name}"] = key.private_bytes_raw()
    return dict(encoded(secrets))


def key_files(folder: Path) -> list[Path]:
    """The files that are meant to hold a private key."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and b"PRIVATE KEY-----" in path.read_bytes()
    )


def encoded(secrets: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Each secret as it is, in hex, and in base64 wherever its bytes begin."""
    for name, secret in secrets.items():
        yield name, secret
        yield f"{name} in hex", secret.hex().encode()
        for shift in range(3):
            text = base64.b64encode(bytes(shift) + secret)
            yield f"{name} in base64, {shift} on", text[4 if shift else 0 : -4]


def found(needles: Needles, haystacks: Iterable[tuple[str, bytes]]) -> list[str]:
    """Which needle is where. Empty if nothing was seen."""
    return [
        f"{name} in {where}"
        for where, hay in haystacks
        for name, needle in needles.items()
        if needle in hay
    ]
