"""What every engine under kernel programs must do: plain integers' results, at the rehearsed cost.

An engine runs :data:`PROGRAMS` on shares: every operation of :mod:`kernel_cases` on its own
computation, and every expression as its users write it, in kernel calls or in CrypTen's tensors.
Imports neither torch nor CrypTen by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from kernel_cases import OPERATIONS, Case, drawn, plain, rounded, same, wrapped
from plain_convolution import convolved

from mpc.protocols.choose import relu
from mpc.protocols.compare import equal, less, to_words
from mpc.protocols.extremes import largest_entry
from mpc.protocols.functions.circular import sin
from mpc.protocols.functions.exponential import exp
from mpc.protocols.functions.sigmoid import sigmoid
from mpc.protocols.multiply import matmul, multiply, multiply_each, square
from mpc.protocols.opening import Cost
from mpc.protocols.rehearsal import rehearse
from mpc.protocols.shares import SharedBits
from mpc.protocols.truncate import divide, truncate
from mpc.ring.convolution import Convolution

RNG = np.random.default_rng(20261203)
ROWS = 40
CONVOLUTION = Convolution((2,), (1,), (1,))
ULP = 2.0**-16


@dataclass(frozen=True)
class Program:
    """A case, and if CrypTen's users write it otherwise, how: on tensors with ``bits`` bits after
    the point."""

    case: Case
    tensors: Callable[..., Any] | None = None
    bits: int = 0


@dataclass(frozen=True)
class Outcome:
    """Of one program on one engine: its output, the first party's cost, and how many different
    records of openings the parties have."""

    output: Any
    cost: Cost
    records: int


@cache
def programs() -> Mapping[str, Program]:
    """Operations by name, and expressions after the words "expression of"."""
    operations = {
        name: Program(make(np.random.default_rng([7, *name.encode()]), ROWS))
        for name, make in OPERATIONS.items()
    }
    return operations | {f"expression of {name}": each for name, each in _expressions().items()}


def _near(exact: Any, error: float) -> Callable[[Any], Any]:
    return lambda outputs: np.abs(outputs * ULP - exact) <= error


def _expressions() -> dict[str, Program]:
    x, y = drawn(RNG, (8, 5)), drawn(RNG, (5,))
    other = drawn(RNG, (5, 3))
    near = RNG.integers(-9, 9, (8, 5))
    left = drawn(RNG, (2, 3, 9))
    kernel = drawn(RNG, (4, 3, 3))
    a, b = RNG.integers(-(2**30), 2**30, (8, 5)), RNG.integers(-(2**30), 2**30, (8, 5))
    reals = RNG.integers(-(2**20), 2**20, 40)
    tops = np.zeros_like(near)
    tops[np.arange(8), near.argmax(1)] = 1
    top = Case(
        largest_entry, (near,),
        lambda out: np.append(same(tops)(out[0]), same(near.max(1))(out[1])),
    )  # fmt: skip
    windows = Case(
        lambda c, x, y: multiply_each(c, [(x, y)], CONVOLUTION)[0], (left, kernel),
        same(wrapped(convolved(CONVOLUTION, plain(left), plain(kernel)))),
    )  # fmt: skip
    fixed = Case(lambda c, x, y: truncate(c, multiply(c, x, y), 16), (a, b), rounded((a * b) >> 16))
    third = Case(lambda c, x: divide(c, x, 3), (a,), rounded(a // 3))
    angles = reals * ULP
    return {
        "product": Program(Case(multiply, (x, y), same(wrapped(plain(x) * plain(y)))),
                           lambda x, y: x * y),
        "matrix product": Program(Case(matmul, (x, other), same(wrapped(plain(x) @ plain(other)))),
                                  lambda x, y: x.matmul(y)),
        "square": Program(Case(square, (x,), same(wrapped(plain(x) ** 2))), lambda x: x.square()),
        "convolution": Program(windows, lambda x, y: x.conv1d(y, stride=2, padding=1)),
        "comparison": Program(Case(less, (a, b), same((a < b).astype(int))), lambda x, y: x < y),
        "equality": Program(Case(equal, (near, tops), same((near == tops).astype(int))),
                            lambda x, y: x == y),
        "relu": Program(Case(relu, (x,), same(np.maximum(x, 0))), lambda x: x.relu(), 16),
        "largest": Program(top, lambda x: x.max(1)[::-1]),
        "fixed-point product": Program(fixed, lambda x, y: x * y, 16),
        "quotient": Program(third, lambda x: x / 3, 16),
        "sigmoid": Program(Case(sigmoid, (reals,), _near(1 / (1 + np.exp(-angles)), 5 * ULP)),
                           lambda x: x.sigmoid(), 16),
        "exponential": Program(
            Case(exp, (reals,), _near(np.exp(np.minimum(angles, 16)), 10)), lambda x: x.exp(), 16),
        "sine": Program(Case(sin, (reals,), _near(np.sin(angles), 2 * ULP)), lambda x: x.sin(), 16),
    }  # fmt: skip


def in_words(computation: Any, output: Any) -> Any:
    """Secret bits of an output as words, so that shares of every part add up."""
    if isinstance(output, list | tuple):
        return [in_words(computation, each) for each in output]
    return to_words(computation, output) if isinstance(output, SharedBits) else output


def on_words(program: Program) -> Callable[..., Any]:
    """The program in kernel calls, its output in words."""
    return lambda c, *secrets: in_words(c, program.case.program(c, *secrets))


class KernelContract:
    """Subclass it, and run a program of :func:`programs` by its name."""

    def outcome(self, name: str, parties: int) -> Outcome:
        raise NotImplementedError

    def refusal_of_what_is_not_planned(self) -> str:
        """What a program raises that draws what its plan does not name."""
        raise NotImplementedError

    @pytest.mark.parametrize("parties", [2, 3, 5])
    @pytest.mark.parametrize("name", programs())
    def test_program_gives_plain_integers_results_at_the_rehearsed_cost(
        self, name: str, parties: int
    ) -> None:
        program = programs()[name]
        outcome = self.outcome(name, parties)
        assert program.case.right(outcome.output).all()
        shapes = [secret.shape for secret in program.case.secrets]
        assert outcome.cost == rehearse(on_words(program), *shapes, parties=parties).cost
        assert outcome.records == 1

    def test_what_the_plan_does_not_name_is_refused_before_a_word_of_it_is_drawn(self) -> None:
        assert "the plan deals no Product" in self.refusal_of_what_is_not_planned()
