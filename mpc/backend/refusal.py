"""How a part of CrypTen is put out of use: its name stays, calling it raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from mpc.errors import SecretMisuseError


def refusing(what: str, instead: str = "") -> Callable[..., NoReturn]:
    """A function that raises SecretMisuseError: ``what`` is not done here. Takes any arguments."""
    message = f"{what} is out of use in CrypTen"

    def refuse(*_arguments: Any, **_named: Any) -> NoReturn:
        raise SecretMisuseError(message, hint=instead)

    return refuse
