"""CrypTen's functions of shared numbers: which run as shipped, which are mended, which refused.

As shipped, on the kernel's products: exp within [-500, 5], log within [0.01, 250], reciprocal
within [0.01, 10], sqrt and inv_sqrt within [0.1, 130], sigmoid, tanh, softmax and log_softmax on
arguments that differ by less than 500, sin and cos within [-pi, pi]; coarse, to about 1 percent,
and wrong outside without a word (SECURITY.md, H15).

:data:`FUNCTIONS` names what stands in for a function of CrypTen's. To put one of the kernel's in,
name it there: it takes the tensor and CrypTen's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpc.backend.refusal import refusing
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError


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


def _random(what: str) -> Callable[..., Any]:
    return refusing(what, "CrypTen draws nothing here; exact samplers are in mpc.privacy")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pow": power,
    "var": variance,
    "erf": refusing("erf, which is wrong beyond 1,"),
    "weighted_index": _random("weighted_index"),
    "weighted_sample": _random("weighted_sample"),
}
"""Name of a function of CrypTen's tensors, and what stands in for it."""
