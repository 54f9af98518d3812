"""Functions of CrypTen's tape whose forward or backward is another one here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpc.backend.comparing import relu_and_mask
from mpc.backend.functions import centred_on_mean
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError

_DROPPING = ("dropout", "_feature_dropout")


def replace_gradients() -> None:
    """Put these into CrypTen's table of functions with gradients, for the rest of this process."""
    registry = import_crypten().gradients.FUNCTION_REGISTRY
    registry["relu"].forward = staticmethod(_relu)
    registry["pow"].forward = staticmethod(_power)
    registry["var"].forward = staticmethod(_variance)
    registry["var"].backward = staticmethod(_variance_backward)
    registry["batchnorm"].forward = staticmethod(_batch_norm)
    for name in _DROPPING:
        registry[name].forward = staticmethod(_without_dropping(name))


def _relu(ctx: Any, tensor: Any) -> Any:
    """Result and mask of one comparison, in 4 rounds."""
    result, mask = relu_and_mask(tensor)
    ctx.save_for_backward(mask)
    return result


def _power(ctx: Any, tensor: Any, power: Any) -> Any:
    if power == 0:  # as shipped: x / x
        ones = tensor.pow(0)
        ctx.save_multiple_for_backward([tensor, ones - ones])
        return ones
    lower = tensor.pow(power - 1)
    ctx.save_multiple_for_backward([tensor, lower.mul(power)])
    return lower.mul(tensor)


def _variance(
    ctx: Any, tensor: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False
) -> Any:
    centred, count = centred_on_mean(tensor, dim)
    ctx.save_multiple_for_backward((centred, count - 1 if unbiased else count, dim, keepdim))
    return tensor.var(dim, unbiased=unbiased, keepdim=keepdim)


def _variance_backward(ctx: Any, grad_output: Any) -> Any:
    centred, divisor, dim, keepdim = ctx.saved_tensors
    if not keepdim and dim is not None:
        for axis in [dim] if isinstance(dim, int) else sorted(dim):
            grad_output = grad_output.unsqueeze(axis)
    return centred.mul(2).mul(grad_output).div(divisor)


def _batch_norm(
    ctx: Any, x: Any, weight: Any, bias: Any, *, running_mean: Any = None, running_var: Any = None,
    training: bool = False, eps: float = 1e-5, momentum: float = 0.1, inv_var: Any = None,
) -> Any:  # fmt: skip
    """As torch: a batch is normalised by its biased variance, the running one takes the other."""
    others = [axis for axis in range(x.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
    if training:
        mean = x.mean(others)
        centred = x - mean.reshape(shape)
        count = x.nelement() // mean.nelement()
        spread = centred.square().mean(others)
        if running_mean is not None and running_var is not None:
            unbiased = spread.mul(momentum * count / max(1, count - 1))
            running_var.set(running_var * (1.0 - momentum) + unbiased)
            running_mean.set(running_mean * (1.0 - momentum) + mean * momentum)
    else:
        if running_mean is None or running_var is None:
            raise SecretMisuseError("without training, batchnorm takes the running mean and var")
        spread, centred = running_var, x - running_mean.reshape(shape)
    if training or inv_var is None:
        public = torch.is_tensor(spread)
        inv_var = torch.rsqrt(spread + eps) if public else (spread + eps).inv_sqrt()
    inverse, scale = inv_var.reshape(shape), weight.reshape(shape)
    normal = centred * inverse
    ctx.save_multiple_for_backward((normal, scale, inverse, training))
    return normal * scale + bias.reshape(shape)


def _without_dropping(name: str) -> Callable[..., Any]:
    def drop(
        ctx: Any, tensor: Any, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Any:
        if training and p:
            raise SecretMisuseError(f"{name} in training is out of use: CrypTen draws nothing here")
        return tensor if inplace else tensor.clone()

    return drop
