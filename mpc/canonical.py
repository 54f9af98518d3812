"""Canonical bytes of what is hashed or signed: JSON with one spelling for each object.

Keys sorted, no white space, ASCII escapes, integers only. Floats are refused, since two machines
may spell one differently; write decimals as text and bytes as hex.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from mpc.errors import IntegrityError

Plain: TypeAlias = (
    "None | bool | int | str | list[Plain] | tuple[Plain, ...] | dict[str, Plain]"
)

SIZE_MAX = 16 << 20  # bytes


def canonical_bytes(value: Plain) -> bytes:
    """The one encoding of ``value``. Raises TypeError on floats and foreign types."""
    _check(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def from_canonical(data: bytes) -> Plain:
    """The value whose canonical encoding is exactly ``data``; anything else is refused."""
    if len(data) > SIZE_MAX:
        raise IntegrityError(f"object of {len(data)} bytes; at most {SIZE_MAX} are read")
    try:
        value: Plain = json.loads(data, parse_float=_refuse_number, parse_constant=_refuse_number)
        if canonical_bytes(value) != data:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise IntegrityError("object is not in canonical form") from None
    return value


def _refuse_number(_text: str) -> Plain:
    raise ValueError("no floats")


def _check(value: object) -> None:
    if value is None or isinstance(value, (bool, int, str)):
        return
    if isinstance(value, (list, tuple)):
        for item in value:
            _check(item)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("canonical objects have text keys")
            _check(item)
        return
    raise TypeError(f"{type(value).__name__} has no canonical form")
