"""What every sealed value refuses: construction, reading, comparing, copying, serialising.

A type checker refuses it, since none of these methods is declared; the running program too, since
each raises SecretMisuseError. What is left is the size, the event, and identity (``is``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never, Self

from mpc.accounting.event import NoiseEvent
from mpc.errors import SecretMisuseError

# Refused at run time; undeclared for the type checker, so that it refuses them too.
_REFUSED = (
    "__init__ __bool__ __int__ __float__ __complex__ __index__ __round__ __trunc__ __bytes__ "
    "__len__ __iter__ __next__ __reversed__ __contains__ __getitem__ __setitem__ __hash__ __eq__ "
    "__ne__ __lt__ __le__ __gt__ __ge__ __array__ __array_ufunc__ __array_function__ "
    "__array_interface__ __array_struct__ __buffer__ __copy__ __deepcopy__ __reduce__ "
    "__reduce_ex__ __getstate__ __setstate__ __setattr__ __delattr__"
)


class Sealed:  # noqa: PLW1641
    """No public constructor, no reading, comparing, copying or serialising; shows its size only."""

    __slots__ = ("_event",)
    _event: NoiseEvent

    def __init_subclass__(cls) -> None:
        if cls.__module__ not in ("mpc.secret.sealed", "mpc.privacy.charge"):
            raise SecretMisuseError("sealed types are not extended")

    @classmethod
    def _minted(cls, **fields: object) -> Self:
        made = object.__new__(cls)
        for name, value in fields.items():
            object.__setattr__(made, name, value)
        return made

    @property
    def size(self) -> int:
        """Integers held."""
        return self._event.size

    @property
    def event(self) -> NoiseEvent:
        """What its release adds and costs. Public: the plan has it."""
        return self._event

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.size}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    if TYPE_CHECKING:

        def __init__(self, never: Never) -> None: ...
        def __eq__(self, other: Never) -> Never: ...  # type: ignore[override]
        def __ne__(self, other: Never) -> Never: ...  # type: ignore[override]


def _refusal(name: str) -> Any:
    def refuse(self: Sealed, *_arguments: object, **_named: object) -> Never:
        raise SecretMisuseError(f"{type(self).__name__} refuses {name}")

    return property(refuse) if name.endswith(("_interface__", "_struct__")) else refuse


for _name in _REFUSED.split():
    setattr(Sealed, _name, _refusal(_name))
