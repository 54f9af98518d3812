"""What holds keys shows none, and is neither copied nor serialised."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex

from mpc.errors import SecretMisuseError


class Guarded:
    """Base of every object with key material: its text is its class name, its copy is refused."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise SecretMisuseError(f"{type(self).__name__} holds keys: it is not copied or serialised")

    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        self.__reduce__()

    def __getstate__(self) -> NoReturn:
        self.__reduce__()

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, _memo: object) -> NoReturn:
        self.__reduce__()
