"""Files of an identity: private ones are made once for their owner alone, public ones replaced."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mpc.errors import IdentityError, UsageError
from parties.file_reading import read_bounded
from parties.identity.certificates import FILE_SIZE_MAX

_OTHERS = 0o077  # permission bits of everyone but the owner


def make_directory(directory: Path) -> None:
    """``directory`` for its owner alone. Raises UsageError naming one that others may enter."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.stat().st_mode & _OTHERS:
        raise UsageError(
            f"{directory} can be entered by others: no key is put there",
            hint=f"name a new folder, or chmod 700 {directory}",
        )


def write_private(path: Path, data: bytes) -> None:
    """A new file of mode 0600, on disk when this returns. Never overwrites."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists already") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_public(path: Path, data: bytes) -> None:
    """``path`` with ``data``: the whole old file or the whole new one, whatever happens."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read(path: Path) -> bytes:
    """A small file. Raises UsageError naming it if it is missing or too large."""
    return read_bounded(path, FILE_SIZE_MAX)


def read_private(path: Path) -> bytes:
    """A file of the owner alone. Raises IdentityError if others may read it."""
    data = read(path)
    if path.stat().st_mode & _OTHERS:
        raise IdentityError(f"{path} can be read by others", hint=f"chmod 600 {path}")
    return data


def key_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def tls_key_of(data: bytes, source: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key from PEM. Raises IdentityError, which never quotes the file."""
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityError(f"{source} holds no P-256 key")
    return key


def signing_key_of(data: bytes, source: str) -> ed25519.Ed25519PrivateKey:
    """An Ed25519 key from PEM. Raises IdentityError, which never quotes the file."""
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise IdentityError(f"{source} holds no Ed25519 key")
    return key
