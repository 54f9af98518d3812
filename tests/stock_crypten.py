"""CrypTen as it is shipped, with nothing of it replaced: run as a script, prints facts as JSON.

Each fact is an attack or an error that :mod:`mpc.backend` answers; tests compare the two. Only the
import alias is ours.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from mpc.backend.shim import import_crypten

crypten: Any = import_crypten()
CPU = torch.device("cpu")
SHIPPED = crypten.communicator.DistributedCommunicator
SECRETS = [123.25, -7.5, 3.0]


class Wiretap(crypten.communicator.Communicator):
    """What a listener on the wire of party 0 of 2 sees; nobody answers."""

    BYTES_PER_ELEMENT = 8
    sent: list[torch.Tensor] = []  # noqa: RUF012
    instance: Any = None
    size = 2

    @classmethod
    def is_initialized(cls) -> bool:
        return cls.instance is not None

    @classmethod
    def initialize(cls, rank: int, world_size: int, init_ttp: bool = False) -> None:
        cls.instance = cls()

    @classmethod
    def get(cls) -> Any:
        return cls.instance

    def get_rank(self) -> int:
        return 0

    def get_world_size(self) -> int:
        return self.size

    def isend(self, tensor: torch.Tensor, dst: int) -> Any:
        self.sent.append(tensor.clone())
        return self

    def irecv(self, tensor: torch.Tensor, src: int) -> Any:
        return self

    def wait(self) -> None:
        return None

    def broadcast(self, tensor: torch.Tensor, src: int) -> torch.Tensor:
        self.sent.append(tensor.clone())
        return tensor


def seeds_in_clear() -> object:
    """H2, H3: what party 0 sends at the start is the seed of its masks."""
    crypten.communicator.DistributedCommunicator = Wiretap
    crypten.init()
    heard = torch.Generator().manual_seed(Wiretap.sent[0].item())
    guess = crypten.common.rng.generate_random_ring_element((4,), generator=heard)
    mask = crypten.common.rng.generate_random_ring_element(
        (4,), generator=crypten.generators["next"][CPU]
    )
    low, high = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5 + 2**32)
    return {
        "mask is known": guess.tolist() == mask.tolist(),
        "32 bits of a seed count": torch.randint(0, 2**62, (4,), generator=low).tolist()
        == torch.randint(0, 2**62, (4,), generator=high).tolist(),
    }


def ring_neighbours() -> object:
    """H4: of four parties, 1 and 3 take party 0's mask away. Needs the wiretap's session."""
    Wiretap.size = 4
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    seeds = [11, 22, 33, 44]  # seed i is shared by party i and party i + 1
    crypten.generators["prev"][CPU] = torch.Generator().manual_seed(seeds[3])
    crypten.generators["next"][CPU] = torch.Generator().manual_seed(seeds[0])
    share = shared(torch.tensor(SECRETS), src=0).share
    known = [
        crypten.common.rng.generate_random_ring_element((3,), generator=g)
        for g in (torch.Generator().manual_seed(seeds[place]) for place in (3, 0))
    ]
    Wiretap.size = 2
    return {"recovered": ((share - known[0] + known[1]).double() / 65536).tolist()}


def retries() -> object:
    """H17: a lost network looks like a lack of memory, and the step is taken again."""
    calls = []

    class Failing:
        def generate_binary_triple(self, *_sizes: object, **_named: object) -> object:
            calls.append(1)
            raise RuntimeError("connection closed by peer")

    converters = sys.modules["crypten.mpc.primitives.converters"]
    kept = crypten.mpc.get_default_provider
    crypten.mpc.get_default_provider = Failing
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    with contextlib.suppress(RuntimeError):
        converters._A2B(shared.from_shares(torch.arange(3)))
    crypten.mpc.get_default_provider = kept
    return {"taken": len(calls)}


def numbers() -> object:
    """H7: decoding and encoding; H16: mixed scales, and an operand that changes."""
    encoder = crypten.encoder.FixedPointEncoder()
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    words = shared.from_shares(torch.arange(3), precision=0)
    fixed = shared.from_shares(torch.arange(3) * 65536, precision=16)
    joined = shared.cat([fixed, words]).share.tolist()
    operand = words.clone()
    fixed.add(operand)
    return {
        "decoded": encoder.decode(torch.tensor([-655359, -6553600000])).tolist(),
        "decoded type": str(encoder.decode(torch.tensor([1])).dtype),
        "encoded": encoder.encode(torch.tensor([0.51 / 65536, -0.51 / 65536])).tolist(),
        "nan": encoder.encode(torch.tensor([float("nan")])).tolist(),
        "large integer": encoder.decode(encoder.encode(torch.tensor([123456789]).float())).tolist(),
        "joined": joined,
        "operand scale": operand.encoder.scale,
    }


class Bomb:
    """A pickle of some dozens of bytes that makes whoever reads it allocate 64 MB."""

    def __reduce__(self) -> Any:
        return torch.nn.Linear, (4000, 4000)


def objects() -> object:
    """H6: what a peer sends as an object is called, within an allow-list, before it is checked."""
    message = pickle.dumps(Bomb())
    built = crypten.common.serial.RestrictedUnpickler(io.BytesIO(message)).load()
    return {
        "message bytes": len(message),
        "allocated bytes": sum(each.numel() * 4 for each in built.parameters()),
    }


def noise() -> object:
    """H13: what it says of its own differential privacy."""
    path = Path(crypten.__file__).parent / "nn" / "privacy" / "dp_split.py"
    return {"admits": "TODO: Implement DP properly" in path.read_text()}


def peeks() -> object:
    """A share shows itself, and a switch makes it open itself."""
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    return {"shown": repr(shared.from_shares(torch.tensor([4242])))}


def two_parties() -> list[Any]:
    """H5, H11, H12, H16 with two processes over gloo."""
    crypten.communicator.DistributedCommunicator = SHIPPED
    with tempfile.TemporaryDirectory() as folder:
        reading = []
        for rank in range(2):
            here, there = os.pipe()
            if os.fork() == 0:
                os.close(here)
                os.environ.update(
                    RANK=str(rank), WORLD_SIZE="2", RENDEZVOUS=f"file://{folder}/rendezvous",
                    DISTRIBUTED_BACKEND="gloo",
                )  # fmt: skip
                with open(there, "w") as out:
                    json.dump(one_of_two(rank), out)
                os._exit(0)
            os.close(there)
            reading.append(here)
        return [json.load(open(each)) for each in reading]


def one_of_two(rank: int) -> object:
    with warnings.catch_warnings(record=True):
        crypten.init()
        first = crypten.comm.get()
        crypten.init()
    a = crypten.cryptensor([1.0, 2.0])
    b = crypten.cryptensor([1000.0, 2000.0])
    twisted = (crypten.cryptensor(torch.ones(1, 5)) + torch.arange(20.0).reshape(5, 4).t()).clone()
    return {
        "second session": crypten.comm.get() is first,
        "desynchronised": (a if rank == 0 else b).get_plain_text().tolist(),
        "layout": twisted.get_plain_text().tolist(),
    }


def plain_text_only() -> object:
    """H5: gloo's TLS is not in the wheel."""
    os.environ["GLOO_DEVICE_TRANSPORT"] = "TCP_TLS"
    with tempfile.TemporaryDirectory() as folder:
        try:
            torch.distributed.init_process_group(
                "gloo", init_method=f"file://{folder}/r", world_size=1, rank=0
            )
        except Exception as error:
            return {"error": str(error).splitlines()[0]}
    return {"error": ""}


def main() -> None:
    facts: dict[str, object] = {"two parties": two_parties()}
    with contextlib.redirect_stdout(io.StringIO()):
        crypten.communicator.DistributedCommunicator = Wiretap
        for fact in (
            numbers, objects, noise, peeks, seeds_in_clear, ring_neighbours, retries,
            plain_text_only,
        ):  # fmt: skip
            facts[fact.__name__] = fact()
    print(json.dumps(facts))


main()
