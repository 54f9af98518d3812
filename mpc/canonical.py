"""Canonical bytes of what is hashed or signed: JSON with one spelling for each object.

Keys sorted, no white space, ASCII escapes, integers only. Floats are refused, since two machines
may spell one differently; write decimals as text and bytes as hex.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from mpc.errors import IntegrityError

Plain: TypeAlias = "bool | int | str | list[Plain] | tuple[Plain, ...] | dict[str, Plain] | None"

SIZE_MAX = 16 << 20  # bytes


def canonical_bytes(value: Plain) -> bytes:
    """The one encoding of ``value``. Raises TypeError on floats and foreign types."""
    _check(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def from_canonical(data: bytes, size_max: int = SIZE_MAX) -> Plain:
    """The value whose canonical encoding is exactly ``data``; anything else is refused."""
    if len(data) > size_max:
        raise IntegrityError(f"object of {len(data)} bytes; at most {size_max} are read")
    try:
        value: Plain = json.loads(data, parse_float=_refuse_number, parse_constant=_refuse_number)
        if canonical_bytes(value) != data:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise IntegrityError("object is not in canonical form") from None
    return value


def is_short_text(text: str, length_max: int) -> bool:
    """Whether ``text`` has 1 to ``length_max`` characters, all printable: what records take."""
    return 0 < len(text) <= length_max and text.isprintable()


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


class Record:
    """Strict reading of one canonical object from outside: exact keys, types and sizes.

    ``what`` names the object in errors, which are IntegrityError and echo nothing of it.
    """

    def __init__(self, value: Plain, what: str, fields: tuple[str, ...]) -> None:
        if not isinstance(value, dict) or set(value) != set(fields):
            raise IntegrityError(f"{what} does not have exactly the fields {', '.join(fields)}")
        self._value = value
        self._what = what

    def text(self, name: str, length_max: int) -> str:
        """Printable text of 1 to ``length_max`` characters."""
        found = self._value[name]
        if isinstance(found, str) and is_short_text(found, length_max):
            return found
        raise self._fault(name, f"text of 1 to {length_max} printable characters")

    def free_text(self, name: str, length_max: int) -> str:
        """Text of at most ``length_max`` characters, whichever."""
        found = self._value[name]
        if isinstance(found, str) and len(found) <= length_max:
            return found
        raise self._fault(name, f"text of at most {length_max} characters")

    def integer(self, name: str, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``."""
        found = self._value[name]
        if isinstance(found, int) and not isinstance(found, bool) and low <= found <= high:
            return found
        raise self._fault(name, f"an integer from {low} to {high}")

    def octets(self, name: str, size_min: int, size_max: int) -> bytes:
        """Bytes, written as lower-case hex."""
        return self._octets(name, self._value[name], size_min, size_max)

    def digest(self, name: str) -> str:
        """Lower-case hex of a SHA-256."""
        return self.octets(name, 32, 32).hex()

    def items(self, name: str, count_min: int, count_max: int) -> list[Plain]:
        """A list of ``count_min`` to ``count_max`` entries."""
        found = self._value[name]
        if isinstance(found, list) and count_min <= len(found) <= count_max:
            return found
        raise self._fault(name, f"a list of {count_min} to {count_max}")

    def octet_items(
        self, name: str, count_min: int, count_max: int, size_max: int
    ) -> tuple[bytes, ...]:
        """A list as :meth:`items`, each entry 1 to ``size_max`` bytes as :meth:`octets`."""
        found = self.items(name, count_min, count_max)
        return tuple(self._octets(f"an entry of {name}", item, 1, size_max) for item in found)

    def plain(self, name: str) -> Plain:
        """Anything: for what has a strict reader of its own."""
        return self._value[name]

    def _octets(self, name: str, found: Plain, size_min: int, size_max: int) -> bytes:
        if isinstance(found, str) and 2 * size_min <= len(found) <= 2 * size_max:
            try:
                data = bytes.fromhex(found)
            except ValueError:
                data = b""
            if data.hex() == found:
                return data
        sizes = str(size_min) if size_min == size_max else f"{size_min} to {size_max}"
        raise self._fault(name, f"{sizes} bytes in lower-case hex")

    def _fault(self, name: str, due: str) -> IntegrityError:
        return IntegrityError(f"{self._what}: {name} is not {due}")
