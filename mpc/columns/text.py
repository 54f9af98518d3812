"""Text that people will see on terminals and in reports: printable, and of one spelling."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def printable(text: str, *, breaks: bool = False) -> str:
    """``text`` itself. Raises ValueError if it hides control or direction-turning characters.

    Line breaks and tabs pass only with ``breaks``.
    """
    for character in text:
        if breaks and character in "\n\t":
            continue
        if character in _BIDI or unicodedata.category(character) in _HIDDEN:
            rule = "line breaks and hidden characters" if not breaks else "hidden characters"
            raise ValueError(f"text must be printable, without {rule}")
    return text
