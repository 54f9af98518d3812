"""Parties whose CrypTen runs in processes of their own, over the lane: run as a script by tests.

    python backend_worker.py LANE SCENARIO:PARTIES...

Imports torch and CrypTen once, establishes a real session a scenario, and forks a process a party
as a node's zygote does. Prints one JSON object: for each scenario what each party returned.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from joint_release import OPENING, funded_ledger, terms
from lane_federation import Federation, Participant
from session_federation import SessionFederation
from torch.distributed import ReduceOp

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.backend.communicator import SessionCommunicator
from mpc.backend.crypten_engine import CryptenEngine
from mpc.backend.hardened import harden
from mpc.backend.settings import SETTINGS_DIGEST
from mpc.backend.shim import import_crypten
from mpc.errors import PeerError
from mpc.ports import Channel
from mpc.privacy.budget import Budget
from mpc.privacy.noise import add_noise
from mpc.release import open_noised
from mpc.ring.words import from_bytes
from mpc.secret.engine import Engine
from mpc.secret.reference import ReferenceEngine
from mpc.secret.sealed import BoundedStatistic
from mpc.session.session import Session
from mpc.steps import Steps

SHIPPED = import_crypten().communicator.distributed_communicator.DistributedCommunicator
crypten = harden()

SUMS = [
    [0, 1, -1, 123456789123, -(2**61), 2**61, 2**62 - 1],
    [5, -7, 0, 987654321987, -(2**60), 2**60, -(2**62) + 1],
    [-9, 2**40, 3, -5, 2**59, -(2**59), 11],
    [1, 2, 3, 4, 5, 6, 7],
    [7, 6, 5, 4, 3, 2, 1],
]


class Ramp:
    """Noise that is known beforehand."""

    build = "parley-test/ramp"

    def draw(self, count: int, variance: Fraction) -> list[int]:
        return [index * index - 10 for index in range(count)]


def masked_words(engine: Engine, rank: int, parties: int) -> list[int]:
    """What ``rank`` would send to the coordinator for its sums: the whole linear way."""
    event = NoiseEvent((NoiseBlock(7, 1, Fraction(4)),), parties, parties - 1)
    secret = engine.share_sum(BoundedStatistic.of(SUMS[rank], event))
    ledger = funded_ledger()
    charge = Budget(ledger).charge(secret, terms())
    noised = add_noise(secret, charge, Ramp(), engine)
    message = open_noised(noised, engine, ledger, OPENING, bytes)
    return [int(word) for word in from_bytes(message)]


def refusal(act: Callable[[], object]) -> str:
    """The class and text of what ``act`` raises; empty if it does not."""
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


# --- scenarios: each gets the session and the channel of its party -----------------------------


def linear(session: Session, channel: Channel) -> object:
    engine = CryptenEngine(session, channel)
    rank = session.agreement.parties.index(session.own)
    words = masked_words(engine, rank, len(session.agreement.parties))
    second = refusal(lambda: CryptenEngine(session, channel))
    sent = SessionCommunicator.get().get_communication_stats()["bytes"]
    return {"words": words, "second session": second, "sent": sent}


def collectives(session: Session, channel: Channel) -> object:
    CryptenEngine(session, channel)
    comm = crypten.comm.get()
    rank, size = comm.get_rank(), comm.get_world_size()
    own = torch.tensor([[rank + 1, -rank], [2**62, -(2**63)]])
    kept = own.clone()
    twisted = (
        torch.arange(6).reshape(2, 3).t()
        if rank
        else torch.arange(6).reshape(2, 3).t().clone(memory_format=torch.contiguous_format)
    )
    filled = torch.full((3,), rank)
    given = comm.broadcast(filled, 1)
    batch = [torch.full((2,), rank), torch.full((1, 1), 7 if rank == 0 else 0)]
    comm.broadcast(batch, 0, batched=True)
    inbox = torch.tensor([0])
    sending = comm.isend(torch.tensor(100 + rank), (rank + 1) % size)
    receiving = comm.irecv(inbox, src=(rank - 1) % size)
    sending.wait()
    receiving.wait()
    pair = None
    if rank == 0:
        comm.send(torch.arange(4).reshape(2, 2), 1)
        comm.send_obj(torch.Size([3, 4]), 1)
    elif rank == 1:
        like = torch.zeros(2, 2, dtype=torch.long)
        pair = [comm.recv(like, 0).tolist(), like.tolist(), list(comm.recv_obj(0))]
    reduced = comm.reduce(torch.tensor([rank]), 1)
    batched = comm.reduce([torch.tensor([rank]), torch.tensor(1)], 0, batched=True)
    gathered = comm.gather(torch.tensor([rank, -1]), 0)
    scattered = comm.scatter([torch.tensor([10 * r]) for r in range(size)], 0)
    by_size = comm.scatter(
        [torch.tensor([10 * r]) for r in range(size)] if rank == 0 else None, 0, size=(1,)
    )
    comm.barrier()
    return {
        "sum": comm.all_reduce(own).tolist(),
        "kept": bool((own == kept).all()),
        "xor": comm.all_reduce(torch.tensor([1 << rank]), op=ReduceOp.BXOR).tolist(),
        "batched": [each.tolist() for each in comm.all_reduce([own, own[0, 0]], batched=True)],
        "strides": comm.all_reduce(twisted).tolist(),
        "scalar": comm.all_reduce(torch.tensor(rank)).tolist(),
        "empty": list(comm.all_reduce(torch.empty(0, 3, dtype=torch.long)).shape),
        "broadcast": [given is filled, filled.tolist(), [each.tolist() for each in batch]],
        "ring": inbox.tolist(),
        "pair": pair,
        "reduce": None if reduced is None else reduced.tolist(),
        "reduce batched": None if batched is None else [each.tolist() for each in batched],
        "gather": [None if each is None else each.tolist() for each in gathered],
        "all_gather": [each.tolist() for each in comm.all_gather(torch.tensor([rank]))],
        "scatter": [scattered.tolist(), by_size.tolist()],
        "objects": [
            list(comm.broadcast_obj(torch.Size([2, 5]) if rank == 2 else None, 2)),
            comm.broadcast_obj(-5 if rank == 1 else None, 1),
            comm.broadcast_obj(None, 0),
        ],
        "name": comm.get_name(),
        "opened": session.transcript.digest,
    }


def misuse(session: Session, channel: Channel) -> object:
    CryptenEngine(session, channel)
    comm = crypten.comm.get()
    word = torch.tensor([1])
    tries: dict[str, Callable[[], object]] = {
        "float": lambda: comm.all_reduce(torch.tensor([1.0])),
        "bool": lambda: comm.all_reduce(torch.tensor([True])),
        "product": lambda: comm.all_reduce(word, op=ReduceOp.PRODUCT),
        "list unbatched": lambda: comm.all_reduce([word]),
        "batched tensor": lambda: comm.all_reduce(word, batched=True),
        "rank": lambda: comm.reduce(word, 3),
        "negative rank": lambda: comm.send(word, -1),
        "own rank": lambda: comm.send(word, comm.get_rank()),
        "any source": lambda: comm.recv(word),
        "object": lambda: comm.broadcast_obj({"a": 1}, comm.get_rank()),
        "string": lambda: comm.send_obj("terminate", (comm.get_rank() + 1) % 3),
        "group": lambda: comm.broadcast(word, 0, group="all"),
        "name": lambda: comm.set_name("another"),
        "reinitialised": lambda: crypten.comm._init(use_threads=True),
    }
    return {name: refusal(act) for name, act in tries.items()}


def desynchronised(session: Session, channel: Channel) -> object:
    """Party 0 takes another turn: the same shape, the same number of messages."""
    CryptenEngine(session, channel)
    comm = crypten.comm.get()
    rank = comm.get_rank()
    try:
        comm.all_reduce(torch.tensor([1, 2]))
        if rank == 0:
            comm.all_gather(torch.tensor([3, 4]))
        else:
            comm.all_reduce(torch.tensor([3, 4]))
    except PeerError as error:
        return {"error": str(error), "party": error.party}
    return {}


def inputs(session: Session, channel: Channel) -> object:
    """CrypTen's own sharing of inputs, and what one party sees of it."""
    CryptenEngine(session, channel)
    comm = crypten.comm.get()
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    binary = crypten.mpc.primitives.BinarySharedTensor
    values = torch.tensor([1.25, -3.5, -9.99998, 123456.0], dtype=torch.float64)
    x = shared(values if comm.get_rank() == 0 else torch.zeros(4, dtype=torch.float64), src=0)
    y = shared(torch.tensor([123456789, -1, 0, 16777217]), src=1)
    total = (x + y) - 0.25
    bits = binary(torch.tensor([6, 12, 0, -1]), src=comm.get_world_size() - 1) ^ 5
    twisted = shared(torch.ones(1, 5), precision=0) + torch.arange(20).reshape(5, 4).t()
    sized = shared(torch.arange(3) if comm.get_rank() == 1 else None, src=1, broadcast_size=True)
    return {
        "x": x.share.tolist(),
        "total": total.share.tolist(),
        "bits": bits.share.tolist(),
        "sized": sized.share.tolist(),
        "shown": [repr(x), f"{bits}", str(crypten.cryptensor([1.0], precision=16))],
        "layout opened": comm.all_reduce(twisted.share).tolist(),
        "product": refusal(lambda: x * y),
        "comparison": refusal(lambda: crypten.cryptensor([1.0]) > 0),
        "opened": refusal(lambda: crypten.cryptensor([1.0]).get_plain_text()),
    }


def lost(session: Session, channel: Channel) -> object:
    """Party 1 dies in the middle of a computation."""
    CryptenEngine(session, channel)
    comm = crypten.comm.get()
    try:
        comm.barrier()
        if comm.get_rank() == 1:
            time.sleep(0.3)  # the others have its last message
            os._exit(1)
        comm.all_reduce(torch.tensor([1]))
    except PeerError as error:
        return {
            "party": error.party,
            "error": str(error),
            "retried": isinstance(error, RuntimeError),
        }
    return {}


def masks(session: Session, channel: Channel) -> object:
    """CrypTen's own zero-sharings, over all pairs."""
    CryptenEngine(session, channel)
    primitives = crypten.mpc.primitives
    first, second = (primitives.ArithmeticSharedTensor.PRZS((4,)).share.tolist() for _ in range(2))
    return {
        "first": first,
        "second": second,
        "xor": primitives.BinarySharedTensor.PRZS((4,)).share.tolist(),
        "sent": SessionCommunicator.get().get_communication_stats()["bytes"],
    }


def shared_with_first(sessions: list[Session]) -> Iterator[list[int]]:
    """What every other party knows of the first one's first mask."""
    for session in sessions[1:]:
        operation = Steps(session, SETTINGS_DIGEST.encode()).next("zero-sum", (4,))
        stream = session.keys.stream(b"parley/zero/v1", sessions[0].own, session.own, operation)
        yield stream.words(4).tolist()


def switches(session: Session, channel: Channel) -> object:
    """Everything of CrypTen that is out of use, tried with a session in force."""
    CryptenEngine(session, channel)
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    words = shared.from_shares(torch.arange(3), precision=0)
    fixed = shared.from_shares(torch.arange(3), precision=16)
    tensor = crypten.mpc.MPCTensor.from_shares(torch.arange(3), precision=0)
    binary = crypten.mpc.primitives.BinarySharedTensor.from_shares(torch.arange(3))
    encoder = crypten.encoder.FixedPointEncoder()
    converters = importlib.import_module("crypten.mpc.primitives.converters")
    privacy = importlib.import_module("crypten.nn.privacy")
    ttp = importlib.import_module("crypten.mpc.provider.ttp_provider")
    tfp = importlib.import_module("crypten.mpc.provider.tfp_provider")
    nan, huge = float("nan"), 1e15
    added = words.clone()
    fixed.add(added)

    def debug() -> None:
        crypten.cfg.debug.debug_mode = True

    tries: dict[str, Callable[[], object]] = {
        "reveal": words.reveal,
        "get_plain_text": words.get_plain_text,
        "reveal to one": lambda: words.get_plain_text(dst=0),
        "reveal_batch": lambda: shared.reveal_batch([words]),
        "binary reveal": binary.reveal,
        "binary get_plain_text": binary.get_plain_text,
        "MPCTensor reveal": tensor.reveal,
        "MPCTensor get_plain_text": tensor.get_plain_text,
        "pickle": lambda: pickle.dumps(words),
        "copy": lambda: copy.copy(tensor),
        "deepcopy": lambda: copy.deepcopy(binary),
        "debug mode": debug,
        "debug by name": lambda: setattr(crypten.cfg, "debug.debug_mode", True),
        "validation": lambda: crypten.cfg.temp_override(
            {"debug.validation_mode": True}
        ).__enter__(),
        "configuration file": lambda: crypten.cfg.load_config(None),
        "configuration": lambda: crypten.cfg.set_config({}),
        "randn": lambda: crypten.randn(3),
        "rand": lambda: crypten.rand(3),
        "bernoulli": lambda: crypten.bernoulli(tensor),
        "DPSplit": lambda: privacy.DPSplitModel(None, None, None, None),
        "load": lambda: crypten.load("x"),
        "load_from_party": lambda: crypten.load_from_party("x"),
        "save": lambda: crypten.save(tensor, "x"),
        "second session": lambda: CryptenEngine(session, channel),
        "gloo": lambda: SHIPPED.initialize(0, 2),
        "thread mode": lambda: crypten.init_thread(0, 1),
        "thread mode, inside": lambda: crypten.comm._init(use_threads=True),
        "run_multiprocess": lambda: crypten.mpc.run_multiprocess(2),
        "manual_seed": lambda: crypten.manual_seed(1, 2, 3),
        "unpickling": lambda: crypten.common.serial.restricted_loads(b""),
        "TTP server": ttp.TTPServer,
        "TTP client": ttp.TTPClient._init,
        "TFP": lambda: tfp.TrustedFirstParty().square((2,)),
        "square": words.square,
        "A2B": lambda: converters._A2B(words),
        "truncation": lambda: fixed.div(3),
        "NaN": lambda: encoder.encode(torch.tensor([1.0, nan])),
        "NaN alone": lambda: encoder.encode(nan),
        "infinity": lambda: crypten.cryptensor([float("inf")]),
        "1e15": lambda: encoder.encode(torch.tensor([huge], dtype=torch.float64)),
        "2^47 as integer": lambda: encoder.encode(torch.tensor([1 << 47])),
        "2^63": lambda: encoder.encode(1 << 63),
        "truth value": lambda: encoder.encode(True),
        "text": lambda: encoder.encode("1"),
        "mixed setitem": lambda: words.__setitem__(0, fixed[0]),
        "mixed scatter": lambda: words.scatter_(0, torch.tensor([0]), fixed),
        "CUDA": lambda: shared.PRZS((2,), device="cuda"),
    }
    raw = torch.tensor([-655359, -65536, -6553600000, 65537])
    return {
        "refusals": {name: refusal(act) for name, act in tries.items()},
        "decoded": encoder.decode(raw).tolist(),
        "decoded type": str(encoder.decode(raw).dtype),
        "encoded": encoder.encode(
            torch.tensor([0.49 / 65536, 0.51 / 65536, -0.51 / 65536])
        ).tolist(),
        "numpy": encoder.encode(np.array([0.5, 1.75])).tolist(),
        "list": encoder.encode([0.5, 1.75]).tolist(),
        "operand scale kept": added.encoder.scale,
        "joined": shared.cat([words, words.encode(fixed.encoder)]).share.tolist(),
        "stacked": shared.stack([words, words.encode(fixed.encoder)]).share.tolist(),
        "shown": [repr(words), repr(tensor), repr(binary), f"{tensor}"],
        "init again": crypten.init(),
        "world": crypten.comm.get().get_world_size(),
        "provider": type(crypten.mpc.get_default_provider()).__name__,
        "left over": left_over(),
    }


def left_over() -> list[str]:
    """Modules of CrypTen that still hold one of its own generator functions."""
    return [
        f"{name}.{attribute}"
        for name, module in sys.modules.items()
        if name.startswith("crypten")
        for attribute, value in vars(module).items()
        if attribute.startswith("generate_") and not value.__module__.startswith("mpc.")
    ]


SCENARIOS = {
    each.__name__: each
    for each in (
        linear, collectives, misuse, desynchronised, inputs, lost, masks, switches,
    )
}  # fmt: skip


# --- processes ---------------------------------------------------------------------------------


def party_process(
    wire: socket.socket, federation: Federation, own: Participant, session: Session, scenario: str
) -> None:
    lines = wire.makefile("rw")
    listener = own.listener()
    print(listener.address, file=lines, flush=True)
    addresses = json.loads(lines.readline())
    try:
        channel = listener.connect(federation.roster, federation.session_tag, addresses, 10)
        outcome = SCENARIOS[scenario](session, channel)
    except Exception as error:
        outcome = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(outcome), file=lines, flush=True)
    listener.close()


def run(lane: str, scenario: str, parties: int) -> Iterator[Any]:
    sessions = SessionFederation(parties, seed=scenario).sessions()
    federation = Federation(parties, names=[session.own for session in sessions], lane=lane)
    wires = []
    for own, session in zip(federation.parties, sessions, strict=True):
        here, there = socket.socketpair()
        if os.fork() == 0:
            here.close()
            status = 1
            try:
                party_process(there, federation, own, session, scenario)
                status = 0
            finally:
                os._exit(status)
        there.close()
        wires.append(here.makefile("rw"))
    addresses = {
        own.member.id: wire.readline().strip()
        for own, wire in zip(federation.parties, wires, strict=True)
    }
    for wire in wires:
        print(json.dumps(addresses), file=wire, flush=True)
    for wire in wires:
        yield json.loads(wire.readline() or "null")
    if scenario == "linear":
        for rank, session in enumerate(sessions):
            yield masked_words(ReferenceEngine(session.zero_sharing), rank, parties)
    if scenario == "masks":
        yield from shared_with_first(sessions)


if __name__ == "__main__":
    lane, *asked = sys.argv[1:]
    split = [each.partition(":") for each in asked]
    outcomes = {f"{name}:{count}": list(run(lane, name, int(count))) for name, _, count in split}
    print(json.dumps(outcomes))
