"""The works of the kernel's bench: programs on our shares, and the same on stock CrypTen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.protocols.choose import largest
from mpc.protocols.compare import less
from mpc.protocols.functions.sigmoid import sigmoid
from mpc.protocols.group import group_counts
from mpc.protocols.multiply import matmul, multiply
from mpc.protocols.order import ranked, sort, top
from mpc.protocols.truncate import truncate
from mpc.ring.planes import Ring
from mpc.ring.products import Products

FRACTION_BITS = 16
KEYS = 100
OPEN = "open_1e6"


@dataclass(frozen=True)
class Work:
    """One row of the table. ``inputs`` makes the secrets, ``ours`` computes on shares of them."""

    name: str
    inputs: Callable[[], list[Ring]]
    ours: Callable[..., Any]
    bar: str


def _numbers(*shape: int, bits: int = 20, seed: int = 1) -> Ring:
    """Fixed-point numbers of ``bits`` bits, 16 of them behind the point."""
    source = np.random.default_rng(seed)
    return source.integers(-(1 << bits), 1 << bits, shape).view(np.uint64)


def _nothing(_computation: Any, _numbers: Any) -> None:
    """Sharing and opening asks the dealer for nothing; see :meth:`Participant.share_and_open`."""


def works(products: Products) -> dict[str, Work]:
    """All of them, in the sequence of the table."""

    def fixed(kind: Callable[..., Any]) -> Callable[..., Any]:
        return lambda c, x, y: truncate(c, kind(c, x, y), FRACTION_BITS)

    def times(c: Any, x: Any, y: Any) -> Any:
        return matmul(c, x, y, products)

    def highest(c: Any, x: Any) -> Any:
        return top(c, x, x.reshape(-1, 1), 1)

    def median(c: Any, x: Any) -> Any:
        return ranked(c, x, x.reshape(-1, 1), [x.size // 2])

    def ordered(c: Any, x: Any) -> Any:
        return sort(c, x, x.reshape(-1, 1))

    def grouped(c: Any, x: Any) -> Any:
        return group_counts(c, x, 7)

    def keys() -> Ring:
        return np.random.default_rng(3).integers(0, KEYS, 10**5).view(np.uint64)

    listed = [
        Work("compare_1e5", lambda: [_numbers(10**5), _numbers(10**5, seed=2)], less, "8x"),
        Work("compare_1e6", lambda: [_numbers(10**6), _numbers(10**6, seed=2)], less, "8x"),
        Work("mul_1e6", lambda: [_numbers(10**6), _numbers(10**6, seed=2)], fixed(multiply), "2x"),
        Work("matmul_512", lambda: [_numbers(512, 512), _numbers(512, 512, seed=2)],
             fixed(times), "1.5x"),
        Work("matmul_4096x64x64", lambda: [_numbers(4096, 64), _numbers(64, 64, seed=2)],
             fixed(times), "1.5x"),
        Work("max_1000", lambda: [_numbers(1000)], highest, "10x fewer rounds"),
        Work("argmax_100x10", lambda: [_numbers(100, 10)], largest, "10x fewer rounds"),
        Work("median_1e4", lambda: [_numbers(10**4)], median, "< 0.4 s"),
        Work("sort_1e5", lambda: [_numbers(10**5)], ordered, "< 8 s"),
        Work("group_1e5x100", lambda: [keys()], grouped, "< 1 s"),
        Work("sigmoid_1e5", lambda: [_numbers(10**5)], sigmoid, "3x"),
        Work(OPEN, lambda: [_numbers(10**6)], _nothing, "1.5 times moving the bytes"),
    ]  # fmt: skip
    return {work.name: work for work in listed}
