"""CrypTen's collective operations over the session's Channel (SECURITY.md, H5, H6, H10, H11).

Ring words travel as raw little-endian bytes in C order, one message to a peer and round, under the
id of the step; nothing is pickled, and every size is known before a byte is received. Errors are
the channel's, none of them a RuntimeError, and name the party and the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from torch.distributed import ReduceOp

from mpc.backend.prg import Masks
from mpc.backend.shim import import_crypten
from mpc.backend.wire import (
    OBJECT_BYTES_MAX,
    WORD_BYTES,
    Words,
    check_device,
    check_words,
    from_bytes,
    object_from_bytes,
    object_to_bytes,
    shapes_of,
    split,
    to_bytes,
)
from mpc.errors import IntegrityError, PeerError, SecretMisuseError
from mpc.ports import Channel
from mpc.steps import Steps
from mpc.units import PartyId

_Communicator: Any = import_crypten().communicator.Communicator
_Result = TypeVar("_Result")


class Transcript(Protocol):
    """What keeps a hash of everything opened: :class:`mpc.session.ready.Transcript`."""

    def record(self, operation: bytes, opened: bytes) -> None: ...


class SessionCommunicator(_Communicator):
    """CrypTen's communicator for one bound session. Ranks are places in the roster.

    Takes int64 tensors only. Opens: what it is asked to reduce, gather or broadcast, to the ranks
    that get the result; what is reduced goes under a fresh share of zero first, so that only the
    result is learnt; what all ranks get goes into the session's transcript. Cost: one round a call;
    each party sends the tensor to each peer (all_reduce, all_gather), or to one.
    """

    BYTES_PER_ELEMENT = WORD_BYTES
    instance: ClassVar[SessionCommunicator | None] = None
    bound: ClassVar[SessionCommunicator | None] = None
    """What ``crypten.init`` takes up; there is one a process."""

    def __init__(
        self,
        channel: Channel,
        parties: tuple[PartyId, ...],
        steps: Steps,
        masks: Masks,
        transcript: Transcript,
    ) -> None:
        if set(parties) != {channel.own, *channel.peers} or len(parties) < 2:
            raise SecretMisuseError("the channel's ends are not the session's parties")
        self._channel = channel
        self._parties = parties
        self._rank = parties.index(channel.own)
        self._others = tuple(rank for rank in range(len(parties)) if rank != self._rank)
        self._steps = steps
        self._masks = masks
        self._transcript = transcript
        self._name = str(channel.own)
        self.reset_communication_stats()

    # --- life -----------------------------------------------------------------------------------

    @classmethod
    def is_initialized(cls) -> bool:
        return cls.instance is not None

    @classmethod
    def initialize(cls, rank: int, world_size: int, init_ttp: bool = False) -> None:
        """Take up the bound session; ``rank`` and ``world_size`` are CrypTen's dummies."""
        if init_ttp or cls.bound is None:
            raise SecretMisuseError("CrypTen starts on a bound session alone, and without a TTP")
        cls.instance = cls.bound

    @classmethod
    def get(cls) -> SessionCommunicator:
        if cls.instance is None:
            raise SecretMisuseError("CrypTen has no session in this process")
        return cls.instance

    @classmethod
    def shutdown(cls) -> None:
        """Nothing more is computed in this process; the channel is its owner's to close."""
        cls.instance = None

    def get_rank(self) -> int:
        return self._rank

    def get_world_size(self) -> int:
        return len(self._parties)

    def get_name(self) -> str:
        return self._name

    def set_name(self, name: str) -> None:
        if name != self._name:
            raise SecretMisuseError("a party's name is the one of its certificate")

    # --- all together ---------------------------------------------------------------------------

    def all_reduce(self, given: Any, op: Any = ReduceOp.SUM, batched: bool = False) -> Any:
        """The reduced tensor, or list of them in one round, at every rank; ``given`` is kept."""
        own = _batch(given, batched)
        payload = self._masked(own, op)
        operation = self._steps.next(f"all_reduce/{_op_name(op)}", *shapes_of(own))
        self._send(self._others, operation, payload)
        total = _reduced(payload, self._receive_all(operation, len(payload)), op)
        self._transcript.record(operation, total.tobytes())
        return _like(own, total, batched)

    def reduce(self, given: Any, dst: int, op: Any = ReduceOp.SUM, batched: bool = False) -> Any:
        """The reduced tensor at ``dst``, None elsewhere."""
        own = _batch(given, batched)
        self._check_rank(dst)
        payload = self._masked(own, op)
        operation = self._steps.next(f"reduce/{_op_name(op)}/{dst}", *shapes_of(own))
        if self._rank != dst:
            self._send((dst,), operation, payload)
            return None
        return _like(
            own, _reduced(payload, self._receive_all(operation, len(payload)), op), batched
        )

    def all_gather(self, tensor: Any) -> list[torch.Tensor]:
        """Every rank's tensor, by rank. All have one shape."""
        operation = self._steps.next("all_gather", *shapes_of([tensor]))
        payload = to_bytes([tensor])
        self._send(self._others, operation, payload)
        parts = self._receive_all(operation, len(payload))
        parts.insert(self._rank, payload)
        self._transcript.record(operation, b"".join(parts))
        return [from_bytes(part, tensor.shape) for part in parts]

    def gather(self, tensor: Any, dst: int) -> list[torch.Tensor] | list[None]:
        """Every rank's tensor, by rank, at ``dst``; ``[None]`` elsewhere."""
        self._check_rank(dst)
        operation = self._steps.next(f"gather/{dst}", *shapes_of([tensor]))
        payload = to_bytes([tensor])
        if self._rank != dst:
            self._send((dst,), operation, payload)
            return [None]
        parts = self._receive_all(operation, len(payload))
        parts.insert(self._rank, payload)
        return [from_bytes(part, tensor.shape) for part in parts]

    def scatter(
        self, scatter_list: Sequence[Any] | None, src: int, size: Any = None, device: Any = None
    ) -> torch.Tensor:
        """The element of ``src``'s list that has this rank. All elements have one shape."""
        self._check_rank(src)
        check_device(device)
        tensors = list(scatter_list or ())
        if size is None and len(tensors) != len(self._parties):
            raise SecretMisuseError("scatter needs a tensor a rank, or the size of one")
        shape = tuple(tensors[self._rank].shape if size is None else size)
        operation = self._steps.next(f"scatter/{src}", shape)
        if self._rank != src:
            return from_bytes(self._receive(src, operation, prod(shape) * WORD_BYTES), shape)
        if any(tuple(tensor.shape) != shape for tensor in tensors):
            raise SecretMisuseError("scatter takes tensors of one shape")
        for rank in self._others:
            self._send((rank,), operation, to_bytes([tensors[rank]]))
        return from_bytes(to_bytes([tensors[self._rank]]), shape)

    def broadcast(self, given: Any, src: int, group: Any = None, batched: bool = False) -> Any:
        """``src``'s tensor, or list of them, written into ``given`` at every rank."""
        self._check_rank(src)
        _check_group(group)
        tensors = _batch(given, batched)
        operation = self._steps.next(f"broadcast/{src}", *shapes_of(tensors))
        if self._rank == src:
            payload = to_bytes(tensors)
            self._send(self._others, operation, payload)
        else:
            size = sum(tensor.numel() for tensor in tensors) * WORD_BYTES
            payload = self._receive(src, operation, size)
            for tensor, words in zip(tensors, split(payload, tensors), strict=True):
                tensor.copy_(words)
        self._transcript.record(operation, payload)
        return given

    def barrier(self) -> None:
        """Return when every rank is here."""
        operation = self._steps.next("barrier")
        self._send(self._others, operation, b"")
        self._receive_all(operation, 0)

    # --- one to one -----------------------------------------------------------------------------

    def send(self, tensor: Any, dst: int) -> None:
        """Hand ``tensor`` to ``dst``; does not wait for it."""
        self._check_rank(dst)
        payload = to_bytes([tensor])
        step = self._between(self._rank, dst, "tensor", (len(payload) // WORD_BYTES,))
        self._send((dst,), step, payload)

    def recv(self, tensor: Any, src: int | None = None) -> torch.Tensor:
        """``src``'s tensor, in the shape of ``tensor``, which is kept."""
        if src is None:
            raise SecretMisuseError("a tensor is received from a named rank")
        self._check_rank(src)
        check_words(tensor)
        step = self._between(src, self._rank, "tensor", (tensor.numel(),))
        return from_bytes(self._receive(src, step, tensor.numel() * WORD_BYTES), tensor.shape)

    def isend(self, tensor: Any, dst: int) -> Later:
        """As :meth:`send`; ``wait`` returns at once."""
        self.send(tensor, dst)
        return Later(lambda: None)

    def irecv(self, tensor: Any, src: int | None = None) -> Later:
        """``wait`` writes ``src``'s tensor into ``tensor``."""
        return Later(lambda: tensor.copy_(self.recv(tensor, src)))

    # --- sizes ----------------------------------------------------------------------------------

    def send_obj(self, obj: Any, dst: int, group: Any = None) -> None:
        """Hand a size, an integer or None to ``dst``. Anything else is refused."""
        self._check_rank(dst)
        _check_group(group)
        payload = object_to_bytes(obj)
        self._send((dst,), self._between(self._rank, dst, "object"), payload)

    def recv_obj(self, src: int, group: Any = None) -> torch.Size | int | None:
        """What ``src`` gave to :meth:`send_obj`."""
        self._check_rank(src)
        _check_group(group)
        return self._receive_object(src, self._between(src, self._rank, "object"))

    def broadcast_obj(self, obj: Any, src: int, group: Any = None) -> Any:
        """``src``'s size, integer or None, at every rank."""
        self._check_rank(src)
        _check_group(group)
        operation = self._steps.next(f"broadcast_obj/{src}")
        if self._rank != src:
            return self._receive_object(src, operation)
        self._send(self._others, operation, object_to_bytes(obj))
        return obj

    # --- inside ---------------------------------------------------------------------------------

    def _between(self, sender: int, receiver: int, name: str, *shapes: tuple[int, ...]) -> bytes:
        return self._steps.between(self._parties[sender], self._parties[receiver], name, *shapes)

    def _check_rank(self, rank: int) -> None:
        if not 0 <= rank < len(self._parties):
            raise SecretMisuseError(f"there is no rank {rank} in this session")

    def _send(self, ranks: Sequence[int], operation: bytes, payload: bytes) -> None:
        self.comm_rounds += 1
        self.comm_bytes += len(ranks) * len(payload)
        for rank in ranks:
            send = partial(self._channel.send, self._parties[rank], operation, payload)
            self._named(send)

    def _masked(self, tensors: Sequence[torch.Tensor], op: Any) -> bytes:
        """The words of ``tensors`` under a fresh share of zero for ``op``."""
        _op_name(op)
        words = np.frombuffer(to_bytes(tensors), "<i8").astype(np.int64)
        if op == ReduceOp.SUM:
            words += self._masks.arithmetic((words.size,)).numpy()
        else:
            words ^= self._masks.binary((words.size,)).numpy()
        return words.astype("<i8", copy=False).tobytes()

    def _receive(self, rank: int, operation: bytes, size: int) -> bytes:
        return self._named(lambda: self._channel.receive(self._parties[rank], operation, size))

    def _receive_all(self, operation: bytes, size: int) -> list[bytes]:
        return [self._receive(rank, operation, size) for rank in self._others]

    def _receive_object(self, src: int, operation: bytes) -> torch.Size | int | None:
        party = self._parties[src]
        data = self._named(lambda: self._channel.receive_upto(party, operation, OBJECT_BYTES_MAX))
        try:
            return object_from_bytes(data)
        except IntegrityError as error:
            raise IntegrityError(error.what, party=party) from None

    def _named(self, exchange: Callable[[], _Result]) -> _Result:
        """Add to a peer's failure which step was due here."""
        try:
            return exchange()
        except PeerError as error:
            raise PeerError(error.party, f"{error.what}; here: {self._steps.last}") from None


class Later:
    """A send or receive in progress: ``wait`` ends it."""

    def __init__(self, finish: Callable[[], object]) -> None:
        self._finish = finish

    def wait(self) -> None:
        """Return when it is done. Raises what the channel raises."""
        finish, self._finish = self._finish, lambda: None
        finish()


def _batch(given: Any, batched: bool) -> list[torch.Tensor]:
    if batched != isinstance(given, list):
        raise SecretMisuseError("a batch is a list of tensors")
    return given if batched else [given]


def _check_group(group: Any) -> None:
    if group is not None:
        raise SecretMisuseError("a session has no groups")


def _op_name(op: Any) -> str:
    if op == ReduceOp.SUM:
        return "sum"
    if op == ReduceOp.BXOR:
        return "xor"
    raise SecretMisuseError("ring words are reduced by SUM or BXOR")


def _reduced(own: bytes, others: Sequence[bytes], op: Any) -> Words:
    total = np.frombuffer(own, "<u8").astype(np.uint64)
    for part in others:
        words = np.frombuffer(part, "<u8")
        if op == ReduceOp.SUM:
            total += words
        else:
            total ^= words
    return total.view(np.int64)


def _like(own: Sequence[torch.Tensor], words: Words, batched: bool) -> Any:
    results = split(words.astype("<i8", copy=False).tobytes(), own)
    return results if batched else results[0]
