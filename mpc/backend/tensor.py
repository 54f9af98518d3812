"""CrypTen's tensor for autograd, made and copied without masks and without a look at settings."""

from __future__ import annotations

from typing import Any

import torch

from mpc.backend.kernel import wrapped
from mpc.backend.refusal import refusing
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError


def replace_tensor() -> None:
    """Put these into CrypTen's MPCTensor, for the rest of this process."""
    crypten = import_crypten()
    tensor = crypten.mpc.MPCTensor
    tensor.from_shares = staticmethod(_from_shares)
    tensor.clone, tensor.shallow_copy = _clone, _shallow_copy
    tensor._to_ptype = _arithmetic_alone
    tensor.div = _divided
    tensor.__rtruediv__ = _divided_by
    tensor.__pow__ = _power
    tensor.__getitem__ = _at
    checked = crypten.CrypTensor.__getattribute__
    crypten.CrypTensor.__getattribute__ = checked.__wrapped__  # without CrypTen's validation mode
    truth = refusing("the truth value of a secret", "choose with where()")
    primitives = crypten.mpc.primitives
    for kind in (tensor, crypten.CrypTensor, primitives.ArithmeticSharedTensor):
        kind.__bool__ = truth


def _from_shares(share: Any, precision: Any = None, ptype: Any = None) -> Any:
    """A tensor of which this is this party's share."""
    crypten = import_crypten()
    kind = crypten.mpc.arithmetic if ptype is None else ptype
    result = wrapped(kind.to_tensor().from_shares(share, precision=precision))
    result.ptype = kind
    return result


def _clone(self: Any) -> Any:
    result = wrapped(self._tensor.clone())
    result.ptype = self.ptype
    return result


def _shallow_copy(self: Any) -> Any:
    result = wrapped(self._tensor)
    result.ptype = self.ptype
    return result


def _arithmetic_alone(self: Any, ptype: Any, **_named: Any) -> Any:
    """A copy. Raises SecretMisuseError on another sharing: the kernel compares without one."""
    if ptype != self.ptype:
        raise SecretMisuseError("conversion to another sharing is out of use in CrypTen")
    return self.clone()


def _divided(self: Any, y: Any) -> Any:
    """By a public ``y`` as :func:`mpc.backend.arithmetic.divided`, by shares as reciprocal()."""
    if isinstance(y, import_crypten().CrypTensor):
        return self.mul(y.reciprocal())
    return wrapped(self._tensor.div(y))


def _divided_by(self: Any, other: Any) -> Any:
    """``other`` / ``self``, which CrypTen declares and Python never finds."""
    crypten = import_crypten()
    if not crypten.CrypTensor.AUTOGRAD_ENABLED:
        return self.reciprocal().mul(other)
    function = crypten.gradients.get_grad_fn("__rtruediv__")
    value = other if torch.is_tensor(other) else torch.tensor(other, dtype=torch.float64)
    return self._get_autograd_forward_function("__rtruediv__", function, False)(value)


def _power(self: Any, exponent: Any) -> Any:
    return self.pow(exponent)


def _at(self: Any, index: Any) -> Any:
    """Elements at public places. As shipped, Python's brackets leave the tape without a word."""
    crypten = import_crypten()
    if crypten.CrypTensor.AUTOGRAD_ENABLED and self.requires_grad:
        function = crypten.gradients.get_grad_fn("__getitem__")
        return self._get_autograd_forward_function("__getitem__", function, False)(index)
    return wrapped(self._tensor[index])
