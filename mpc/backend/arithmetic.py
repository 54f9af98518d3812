"""CrypTen's arithmetic on the kernel: products, quotients and scales (SECURITY.md, H8 and H16).

A shared number is a word at scale 2^bits; CrypTen's default is 2^16. A product of two has the sum
of the bits and is truncated back, in one round, to the larger of the two; whole numbers (scale 1)
and whole public factors are multiplied exactly and never truncated. Domain: |xy| < 2^30 and
|x| < 2^46 at 16 bits; results are then within one unit in the last place. Beyond it a product is
some number, and nothing tells: what a program cannot prove of its factors it checks by
:mod:`mpc.backend.ranging`. Scales that leave a product no room are refused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from mpc.backend.encoding import as_tensor, encode_at, whole_numbers
from mpc.backend.kernel import PRODUCTS, Kernel, arithmetic, bits_of, words_of, words_to_tensor
from mpc.backend.ranging import check_scales
from mpc.backend.settings import PRECISION_BITS
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError
from mpc.protocols.multiply import multiply_each, square
from mpc.protocols.shares import SharedWords
from mpc.protocols.truncate import divide_each, truncate
from mpc.ring.convolution import Convolution
from mpc.ring.products import Bilinear, ProductKind

_PLAIN = {"mul": Bilinear.ELEMENTWISE, "matmul": Bilinear.MATMUL}
_CONVOLUTIONS = {
    f"conv{kind}{count}d": (kind == "_transpose", count)
    for kind in ("", "_transpose")
    for count in (1, 2)
}
_DIVISORS_MAX = 64
"""Different whole divisors of one tensor that are divided by exactly."""


def replace_arithmetic() -> None:
    """Put the kernel's products, quotients and scales into CrypTen's arithmetic tensors."""
    shared = import_crypten().mpc.primitives.ArithmeticSharedTensor
    shared._arithmetic_function = compute
    shared.mul = shared.__mul__ = shared.__rmul__ = multiplied
    shared.mul_ = shared.__imul__ = multiplied_in_place
    shared.div = shared.__div__ = shared.__truediv__ = divided
    shared.div_ = shared.__itruediv__ = divided_in_place
    shared.square, shared.square_ = squared, squared_in_place
    shared.encode_, shared.copy_ = encoded_in_place, copied_in_place


def compute(self: Any, y: Any, op: str, inplace: bool = False, **named: Any) -> Any:
    """``op`` of two tensors, the second one shared or public, as CrypTen names it.

    Opens: of a product of shares, both under fresh masks, to all parties; else nothing. Cost: 1
    round a product of shares, 8 bytes an element of each factor to each peer, and as
    :func:`truncated`; nothing for sums and whole public factors.
    """
    if op in ("add", "sub"):
        result = _sum(self, y, op)
    elif isinstance(y, type(self)):
        result = _product_of_shares(self, y, _kind(op, named))
    else:
        result = _product_with_public(self, as_tensor(y), _kind(op, named))
    return copied_in_place(self, result) if inplace else result


def multiplied(self: Any, y: Any) -> Any:
    """``self`` times ``y`` by element. Opens and costs: as :func:`compute`."""
    return compute(self, y, "mul")


def multiplied_in_place(self: Any, y: Any) -> Any:
    return compute(self, y, "mul", inplace=True)


def squared(self: Any) -> Any:
    """Opens: the tensor under a fresh mask. Cost: 1 round, 8 bytes an element, then truncation."""
    bits = bits_of(self)
    check_scales(bits, bits)
    result = square(Kernel.computation(), words_of(self))
    return arithmetic(truncated(result, bits), bits)


def squared_in_place(self: Any) -> Any:
    return copied_in_place(self, squared(self))


def divided(self: Any, y: Any) -> Any:
    """``self`` by a public ``y``, within one unit in the last place for whole ``y``.

    Up to 64 different whole divisors share a round; what is not whole, or more of them, is
    multiplied by the reciprocal, whose largest element is right to 2^-17 of itself. Raises
    SecretMisuseError on zero. Opens: the tensor under a fresh mask, to all parties; nothing if the
    reciprocal is whole. Cost: 1 round, 8 bytes an element to each peer.
    """
    if isinstance(y, type(self)) or hasattr(y, "_tensor"):
        raise SecretMisuseError("shares are divided by shares through reciprocal()")
    divisor = as_tensor(y)
    if bool((divisor == 0).any()):
        raise SecretMisuseError("a division by a public zero")
    whole = whole_numbers(divisor)
    if whole is None or bool((whole.abs() == 1).all()):
        return multiplied(self, divisor.double().reciprocal())
    values = whole.unique()
    if values.numel() > _DIVISORS_MAX or bool((values.abs() > 1 << 61).any()):
        return multiplied(self, divisor.double().reciprocal())
    return _quotient(self, whole, [int(each) for each in values])


def divided_in_place(self: Any, y: Any) -> Any:
    return copied_in_place(self, divided(self, y))


def encoded_in_place(self: Any, new_encoder: Any) -> Any:
    """Another scale: upwards exactly and locally, downwards by truncation."""
    self.share = at_bits(self, new_encoder.scale.bit_length() - 1).share
    self.encoder = new_encoder
    return self


def copied_in_place(self: Any, other: Any) -> Any:
    """Take over words and scale; other tensors on the same memory follow at one scale alone."""
    if self.encoder.scale == other.encoder.scale:
        self.share.copy_(other.share)
    else:
        self.share = other.share.expand_as(self.share).clone()
    self.encoder = other.encoder
    return self


def at_bits(shared: Any, bits: int) -> Any:
    """``shared`` at scale 2^``bits``; itself, if that is its scale."""
    own = bits_of(shared)
    if bits < own:
        return arithmetic(truncated(words_of(shared), own - bits), bits)
    return shared if bits == own else arithmetic(shared.share * (1 << (bits - own)), bits)


def truncated(words: SharedWords, bits: int) -> SharedWords:
    """``words`` / 2^``bits`` within one unit; as they are for no bits.

    Opens: them under a fresh mask, to all parties. Cost: 1 round, 8 bytes an element.
    """
    return truncate(Kernel.computation(), words, bits) if bits > 0 else words


def public_share(words: torch.Tensor) -> torch.Tensor:
    """This party's share of public words: the first party holds them."""
    return words if Kernel.computation().place == 0 else torch.zeros_like(words)


def _sum(self: Any, y: Any, op: str) -> Any:
    if isinstance(y, type(self)):
        bits = max(bits_of(self), bits_of(y))
        return arithmetic(getattr(at_bits(self, bits).share, op)(at_bits(y, bits).share), bits)
    values = as_tensor(y)
    bits = bits_of(self)
    if bits == 0 and whole_numbers(values) is None:
        bits = PRECISION_BITS
    share = public_share(encode_at(values, bits))
    return arithmetic(getattr(at_bits(self, bits).share, op)(share), bits)


def _product_of_shares(self: Any, y: Any, kind: ProductKind) -> Any:
    own, others = bits_of(self), bits_of(y)
    check_scales(own, others)
    left, right = words_of(self), words_of(y)
    computation = Kernel.computation()
    (product,) = multiply_each(computation, [(left, right)], kind, PRODUCTS)
    return arithmetic(truncated(product, min(own, others)), max(own, others))


@np.errstate(over="ignore")  # numpy warns of scalars alone
def _product_with_public(self: Any, values: torch.Tensor, kind: ProductKind) -> Any:
    """What is not whole gets more bits the smaller it is, so that 1/1000 is not 66/65536."""
    whole = whole_numbers(values)
    bits, cut = bits_of(self), 0
    if whole is None:
        check_scales(bits, PRECISION_BITS)
        largest = float(values.double().abs().max())
        more = max(0, -math.floor(math.log2(largest))) if 0 < largest < math.inf else 0
        fraction = PRECISION_BITS + min(more, 40)
        whole = encode_at(values, fraction)
        bits, cut = (bits, fraction) if bits else (PRECISION_BITS, fraction - PRECISION_BITS)
    factor = SharedWords(whole.contiguous().numpy().view("u8"))._words
    product = PRODUCTS.apply(kind, words_of(self)._words, factor)
    return arithmetic(truncated(SharedWords(np.asarray(product)), cut), bits)


def _quotient(self: Any, divisors: torch.Tensor, values: list[int]) -> Any:
    fixed = at_bits(self, bits_of(self) or PRECISION_BITS)
    share = fixed.share
    if len(values) > 1:
        share, divisors = torch.broadcast_tensors(share, divisors)
    elif divisors.dim() > share.dim() or divisors.numel() > 1:
        share = torch.broadcast_tensors(share, divisors)[0]
    places = [divisors == each if len(values) > 1 else ... for each in values]
    signed = [share[place] if each > 0 else -share[place] for place, each in
              zip(places, values, strict=True)]  # fmt: skip
    result = torch.empty_like(share, memory_format=torch.contiguous_format)
    divisions = [
        (words_of(arithmetic(part, 0)), abs(each))
        for part, each in zip(signed, values, strict=True)
        if abs(each) > 1
    ]
    quotients = iter(divide_each(Kernel.computation(), divisions))
    for place, part, each in zip(places, signed, values, strict=True):
        result[place] = part if abs(each) == 1 else words_to_tensor(next(quotients))
    return arithmetic(result, bits_of(fixed))


def _kind(op: str, named: dict[str, Any]) -> ProductKind:
    if op in _PLAIN and not named:
        return _PLAIN[op]
    if op not in _CONVOLUTIONS or named.pop("bias", None) is not None:
        raise SecretMisuseError(f"{op} with {sorted(named)} is no product of shares")
    transposed, directions = _CONVOLUTIONS[op]

    def each(name: str, default: int) -> tuple[int, ...]:
        value = named.pop(name, default)
        several = (value,) * directions if isinstance(value, int) else tuple(value)
        return several * directions if len(several) < directions else several

    added = each("output_padding", 0)
    kind = Convolution(
        each("stride", 1), each("padding", 0), each("dilation", 1), named.pop("groups", 1),
        transposed, added if transposed and any(added) else (),
    )  # fmt: skip
    if named:
        raise SecretMisuseError(f"{op} takes no {sorted(named)}")
    return kind
