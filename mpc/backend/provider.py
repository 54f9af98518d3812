"""CrypTen's own source of correlated randomness: none.

CrypTen's default lets party 0 make, and so know, every triple. Its tensors take theirs from a
dealer, through the kernel (:mod:`mpc.backend.kernel`); what still asks here is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from mpc.backend.refusal import refusing
from mpc.backend.settings import PROVIDER
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError

REQUESTS = ("generate_additive_triple", "square", "generate_binary_triple", "wrap_rng", "B2A_rng")


def _refused(request: str) -> Callable[..., NoReturn]:
    def refuse(*arguments: Any, **_named: Any) -> NoReturn:
        shapes = [tuple(each) for each in arguments if isinstance(each, tuple)]
        raise SecretMisuseError(
            f"{request} of {shapes}: a linear study has no correlated randomness",
            hint="products, comparisons and truncation of shares need a dealer",
        )

    return refuse


def replace_provider() -> None:
    """Take every provider of CrypTen out of use, and put one in that refuses each request."""
    crypten = import_crypten()
    providers = crypten.mpc.provider
    base: Any = providers.provider.TupleProvider

    class RefusingProvider(base):
        """Raises SecretMisuseError naming the request and its shapes."""

    for request in REQUESTS:
        setattr(RefusingProvider, request, _refused(request))
        for shipped in (
            providers.TrustedFirstParty,
            providers.TrustedThirdParty,
            providers.HomomorphicProvider,
        ):
            setattr(shipped, request, _refused(request))
    providers.ttp_provider.TTPServer.__init__ = refusing("TTP server")
    providers.ttp_provider.TTPClient._init = refusing("TTP client")
    only = RefusingProvider()
    crypten.mpc.__dict__["__SUPPORTED_PROVIDERS"].clear()
    crypten.mpc.__dict__["__SUPPORTED_PROVIDERS"][PROVIDER] = only
    crypten.mpc.get_default_provider = lambda: only
