"""What a program on CrypTen's tensors will deal, how many rounds it takes and how many bytes.

As :mod:`mpc.protocols.rehearsal`, for programs that take no computation but CrypTen's tensors: they
run once, in this process, before it has a session, on the computation of a party alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mpc.backend.communicator import SessionCommunicator
from mpc.backend.hardened import harden
from mpc.backend.kernel import Kernel, arithmetic, wrapped
from mpc.backend.settings import PRECISION_BITS
from mpc.errors import SecretMisuseError
from mpc.protocols.rehearsal import Rehearsal, Rehearsed

TensorProgram = Callable[..., object]
"""Takes CrypTen's tensors, and makes others of its own."""


class _Alone:
    """A communicator with nobody at the other end: it has a rank and a size."""

    def __init__(self, parties: int) -> None:
        self._parties = parties

    def get_rank(self) -> int:
        return 0

    def get_world_size(self) -> int:
        return self._parties


def rehearse_tensors(
    program: TensorProgram, *shapes: tuple[int, ...], parties: int = 3
) -> Rehearsed:
    """Run ``program`` on shared zeros of ``shapes`` at CrypTen's own scale.

    Raises SecretMisuseError in a process that has a session. Opens: nothing. Sends: nothing.
    """
    harden()
    if SessionCommunicator.instance is not None:
        raise SecretMisuseError("a program is rehearsed before the session starts")
    alone = Rehearsal(parties)
    with Kernel.during(alone), _without_peers(parties):
        program(*(wrapped(arithmetic(_zeros(shape), PRECISION_BITS)) for shape in shapes))
    return alone.rehearsed()


@contextmanager
def _without_peers(parties: int) -> Iterator[None]:
    shared = harden().mpc.primitives.ArithmeticSharedTensor
    former = shared.__dict__["PRZS"]
    stand_in: Any = _Alone(parties)
    SessionCommunicator.instance = stand_in
    shared.PRZS = staticmethod(_share_zero)
    try:
        yield
    finally:
        SessionCommunicator.instance = None
        shared.PRZS = former


def _share_zero(*size: Any, device: Any = None) -> Any:
    shape = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    return arithmetic(_zeros(shape), 0)


def _zeros(shape: Any) -> torch.Tensor:
    return torch.zeros(tuple(shape), dtype=torch.int64)
