"""CrypTen's random words from AES-CTR streams, and its zero-sharings over all pairs (H2, H3, H4).

As shipped they come from mt19937, of which 32 bits of a seed count, and seeds travel to the two
ring neighbours in clear. Here: own words from a stream keyed by the operating system, masks from
the session's key schedule, and no message at all.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mpc.backend.refusal import refusing
from mpc.backend.shim import import_crypten
from mpc.errors import SecretMisuseError
from mpc.session.streams import KEY_SIZE, Stream
from mpc.steps import Steps
from mpc.units import PartyId

_RING_SIZE = 1 << 64
_WORD_BITS = 64
_XOR_PURPOSE = b"parley/xor-zero/v1"
_NO_SESSION = "masking without a session"


class MaskSource(Protocol):
    """Shares of zero: :class:`mpc.session.zero_sharing.ZeroSharing`."""

    def fresh(self, operation: bytes, count: int) -> NDArray[np.int64]: ...


class StreamSource(Protocol):
    """Streams of pairs: :class:`mpc.session.keys.KeySchedule`."""

    def stream(
        self, purpose: bytes, sender: PartyId, receiver: PartyId, operation: bytes
    ) -> Stream: ...


class _OwnWords:
    """This process's own random words; one stream, safe for threads, another after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = -1
        self._stream: Stream | None = None

    def words(self, count: int) -> NDArray[np.int64]:
        with self._lock:
            if self._stream is None or self._process != os.getpid():
                self._stream, self._process = Stream(os.urandom(KEY_SIZE)), os.getpid()
            return self._stream.words(count)

    def __repr__(self) -> str:
        return "<OwnWords>"


_OWN = _OwnWords()


def ring_words(
    size: Sequence[int], ring_size: int = _RING_SIZE, generator: object = None, device: Any = None
) -> torch.Tensor:
    """Uniform elements of Z_2^64 that nobody else knows. Stands for CrypTen's function."""
    return bit_words(size, _WORD_BITS if ring_size == _RING_SIZE else None, generator, device)


def bit_words(
    size: Sequence[int],
    bitlength: int | None = _WORD_BITS,
    generator: object = None,
    device: Any = None,
) -> torch.Tensor:
    """Uniform words of ``bitlength`` bits that nobody else knows. Stands for CrypTen's function."""
    if generator is not None:
        raise SecretMisuseError("random words come from this party's own stream alone")
    if device is not None and torch.device(device).type != "cpu":
        raise SecretMisuseError("shares live in main memory alone")
    bits = _WORD_BITS if bitlength is None else bitlength
    if not 1 <= bits <= _WORD_BITS:
        raise SecretMisuseError("a random word has 1 to 64 bits")
    shape = tuple(int(each) for each in size)
    words = _OWN.words(prod(shape))
    if bits < _WORD_BITS:
        words = (words.view(np.uint64) >> np.uint64(_WORD_BITS - bits)).view(np.int64)
    return torch.from_numpy(words).reshape(shape)


class Masks:
    """Zero-sharings of one session for CrypTen's own constructors."""

    def __init__(
        self, own: PartyId, parties: tuple[PartyId, ...], sums: MaskSource, keys: StreamSource,
        steps: Steps,
    ) -> None:  # fmt: skip
        self._own = own
        self._parties = parties
        self._sums = sums
        self._keys = keys
        self._steps = steps

    def arithmetic(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Words that sum to zero over all parties. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        operation = self._steps.next("zero-sum", shape)
        count = prod(shape)
        words = self._sums.fresh(operation, count) if count else np.empty(0, np.int64)
        return torch.from_numpy(words).reshape(shape)

    def binary(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Words whose XOR over all parties is zero. Opens: nothing. Cost: 0 rounds, 0 bytes."""
        operation = self._steps.next("zero-xor", shape)
        words = np.zeros(prod(shape), np.int64)
        place = self._parties.index(self._own)
        for other, party in enumerate(self._parties):
            if other != place:
                ends = (party, self._own) if other < place else (self._own, party)
                words ^= self._keys.stream(_XOR_PURPOSE, *ends, operation).words(words.size)
        return torch.from_numpy(words).reshape(shape)


def replace_randomness() -> None:
    """Take CrypTen's generators out of use everywhere; masks need :func:`use_masks` first."""
    crypten = import_crypten()
    rng = crypten.common.rng
    replacements = {
        rng.generate_random_ring_element: ring_words,
        rng.generate_kbit_random_tensor: bit_words,
    }
    for name, module in list(sys.modules.items()):
        if name == "crypten" or name.startswith("crypten."):
            for attribute, value in list(vars(module).items()):
                if callable(value) and _hashable(value) and value in replacements:
                    setattr(module, attribute, replacements[value])
    crypten._setup_prng = lambda: None  # nothing to seed, nothing to send
    for name in ("manual_seed", "_sync_seeds"):
        setattr(crypten, name, refusing("seeding"))
    crypten.generators.clear()
    primitives = crypten.mpc.primitives
    for shared in (primitives.ArithmeticSharedTensor, primitives.BinarySharedTensor):
        shared.PRZS = staticmethod(refusing(_NO_SESSION))


def use_masks(masks: Masks) -> None:
    """Let CrypTen's constructors share values under ``masks``."""
    primitives = import_crypten().mpc.primitives
    for shared, make in (
        (primitives.ArithmeticSharedTensor, masks.arithmetic),
        (primitives.BinarySharedTensor, masks.binary),
    ):
        shared.PRZS = staticmethod(_zero_sharing(shared, make))


def _zero_sharing(shared: Any, make: Any) -> Any:
    def share_zero(*size: Any, device: Any = None) -> Any:
        if device is not None and torch.device(device).type != "cpu":
            raise SecretMisuseError("shares live in main memory alone")
        shape = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
        return shared.from_shares(make(tuple(int(each) for each in shape)), precision=0)

    return share_zero


def _hashable(value: object) -> bool:
    return type(value).__hash__ is not None
