"""CrypTen's functions of shared numbers: which run as shipped, which are mended, which refused.

The kernel's own take the place of exp, log, reciprocal, sqrt, inv_sqrt, sin, cos, sigmoid, tanh,
erf, softmax and log_softmax: what each is good for, and what it costs, stands there
(:mod:`mpc.protocols.functions`).

:data:`FUNCTIONS` names what stands in for a function of CrypTen's. To put one of the kernel's in,
name it there: it takes the tensor and CrypTen's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpc.backend.arithmetic import at_bits
from mpc.backend.kernel import Kernel, arithmetic, bits_of, words_of, wrapped
from mpc.backend.refusal import refusing
from mpc.backend.settings import PRECISION_BITS
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError
from mpc.protocols.choose import masked_by
from mpc.protocols.compare import negative
from mpc.protocols.functions.circular import cos, sin
from mpc.protocols.functions.division import reciprocal
from mpc.protocols.functions.exponential import exp
from mpc.protocols.functions.fixed import FRACTION_MAX, FRACTION_MIN
from mpc.protocols.functions.logarithm import log
from mpc.protocols.functions.roots import inverse_sqrt, sqrt
from mpc.protocols.functions.sigmoid import erf, sigmoid, tanh
from mpc.protocols.functions.softmax import log_softmax, softmax
from mpc.protocols.shares import SharedWords


def replace_functions() -> None:
    """Put :data:`FUNCTIONS` into CrypTen's MPCTensor, for the rest of this process."""
    tensor = import_crypten().mpc.MPCTensor
    for name, function in FUNCTIONS.items():
        setattr(tensor, name, function)


def power(self: Any, p: Any, **_named: Any) -> Any:
    """``self`` to a whole power, by squares and products. Negative ones as reciprocal().

    As shipped, 2^5 is 64. Opens and costs: as :func:`mpc.backend.arithmetic.squared` for each bit
    of the power, and a product for each that is set.
    """
    if isinstance(p, float) and p == int(p):
        p = int(p)
    if not isinstance(p, int):
        raise SecretMisuseError("a secret is raised to whole powers; pos_pow() takes others")
    if p < 0:
        return power(self.reciprocal(), -p)
    if p == 0:
        return self.new(torch.ones(tuple(self.size())))
    result, base = None, self
    while True:
        if p & 1:
            result = base.clone() if result is None else result.mul(base)
        p >>= 1
        if p == 0:
            return result
        base = base.square()


def variance(self: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> Any:
    """The variance, as torch: ``unbiased`` divides by one less. As shipped it is the other way.

    Opens and costs: as a square and two quotients.
    """
    centred, count = centred_on_mean(self, dim)
    if unbiased and count < 2:
        raise SecretMisuseError("the variance of one number has no unbiased estimate")
    squares = centred.square()
    total = squares.sum() if dim is None else squares.sum(dim, keepdim=keepdim)
    return total.div(count - 1 if unbiased else count)


def centred_on_mean(tensor: Any, dim: Any) -> tuple[Any, int]:
    """The tensor without its mean along ``dim``, and of how many numbers that is."""
    mean = tensor.mean() if dim is None else tensor.mean(dim, keepdim=True)
    return tensor - mean, tensor.nelement() // max(1, mean.nelement())


def signed_reciprocal(self: Any, input_in_01: bool = False, **_named: Any) -> Any:
    """1 / x for numbers of either sign, of a magnitude in the kernel's domain; of 0 some number.

    Opens: masked values alone, to all parties. Cost: the kernel's reciprocal; for numbers that may
    be negative, 5 rounds and 29 bytes an element more.
    """
    secret, bits = _fixed(self)
    computation = Kernel.computation()
    if input_in_01:
        return wrapped(arithmetic(reciprocal(computation, secret, bits), bits))
    below = negative(computation, secret)

    def turned(words: SharedWords) -> SharedWords:
        """The other sign where the secret is negative."""
        (part,) = masked_by(computation, below, [words.reshape(-1)])
        return words - part.reshape(*words.shape).times(2)

    return wrapped(arithmetic(turned(reciprocal(computation, turned(secret), bits)), bits))


def _fixed(tensor: Any) -> tuple[SharedWords, int]:
    """A tensor's share at a scale that functions take, and how many bits stand after its point."""
    bits = bits_of(tensor)
    if not FRACTION_MIN <= bits <= FRACTION_MAX:
        bits = PRECISION_BITS
    return words_of(at_bits(tensor._tensor, bits)), bits


def _elementwise(function: Callable[..., SharedWords]) -> Callable[..., Any]:
    """A function of the kernel for CrypTen's tensors. Choices among CrypTen's own mean nothing."""

    def apply(self: Any, *_settings: Any, **_named: Any) -> Any:
        secret, bits = _fixed(self)
        return wrapped(arithmetic(function(Kernel.computation(), secret, bits), bits))

    apply.__doc__ = function.__doc__
    return apply


def _by_rows(function: Callable[..., SharedWords]) -> Callable[..., Any]:
    """A function of the kernel on (rows, entries) for one axis of CrypTen's tensors."""

    def apply(self: Any, dim: int, **_named: Any) -> Any:
        if self.dim() == 0 or self.size(dim) == 1:
            return self - self + (1 if function is softmax else 0)
        moved = self.transpose(dim, -1)
        secret, bits = _fixed(moved)
        rows = function(Kernel.computation(), secret.reshape(-1, self.size(dim)), bits)
        return wrapped(arithmetic(rows.reshape(*moved.size()), bits)).transpose(dim, -1)

    apply.__doc__ = function.__doc__
    return apply


def cosine_and_sine(self: Any) -> tuple[Any, Any]:
    """Both of :mod:`mpc.protocols.functions.circular`, one after the other. Cost: 4 rounds."""
    return self.cos(), self.sin()


def _random(what: str) -> Callable[..., Any]:
    return refusing(what, "CrypTen draws nothing here; exact samplers are in mpc.privacy")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pow": power,
    "var": variance,
    "exp": _elementwise(exp),
    "log": _elementwise(log),
    "sqrt": _elementwise(sqrt),
    "inv_sqrt": _elementwise(inverse_sqrt),
    "sin": _elementwise(sin),
    "cos": _elementwise(cos),
    "cossin": cosine_and_sine,
    "sigmoid": _elementwise(sigmoid),
    "tanh": _elementwise(tanh),
    "erf": _elementwise(erf),
    "reciprocal": signed_reciprocal,
    "softmax": _by_rows(softmax),
    "log_softmax": _by_rows(log_softmax),
    "weighted_index": _random("weighted_index"),
    "weighted_sample": _random("weighted_sample"),
}
"""Name of a function of CrypTen's tensors, and what stands in for it."""
