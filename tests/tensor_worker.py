"""Parties that compute on CrypTen's tensors, in processes of their own: run as a script by tests.

    python tensor_worker.py PROGRAM:PARTIES...

As :mod:`backend_worker`. Each program is rehearsed, dealt what the rehearsal lists, and run; its
parent adds up the shares of each result, which nothing in a party can. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import backend_worker
import numpy as np
import torch
from kernel_contract import on_words, programs
from kernel_parties import SCOPE, ring, shares_of, stream_of
from tensor_cases import ARITHMETIC, COMPARISONS, FUNCTIONS, GRADIENTS, INPUTS, WHOLE, Case
from tensor_training import FEATURES, TRAININGS, trained

from mpc.backend.crypten_engine import CryptenEngine
from mpc.backend.hardened import harden
from mpc.backend.kernel import Kernel, words_of, wrapped
from mpc.backend.kernel import arithmetic as shared
from mpc.backend.products import TorchProducts
from mpc.backend.rehearsal import rehearse_tensors
from mpc.dealing.dealer import Dealer
from mpc.dealing.supply import PlannedSupply
from mpc.ports import Channel
from mpc.protocols.opening import Cost
from mpc.protocols.shares import SharedWords
from mpc.session.session import Session

crypten = harden()
Results = Mapping[str, Any]
Program = Callable[[], Results]


def secret_inputs() -> SimpleNamespace:
    """Each input entered by another party; the others give zeros of its size."""
    parties, own = crypten.comm.get().get_world_size(), crypten.comm.get().get_rank()
    inputs = {}
    for at, (name, values) in enumerate(INPUTS.items()):
        src = at % parties
        given = torch.from_numpy(values if own == src else np.zeros_like(values))
        precision = 0 if name in WHOLE else None
        inputs[name] = crypten.cryptensor(given, src=src, precision=precision)
    return SimpleNamespace(**inputs, lib=crypten, public=public, torch=torch)


def plain_inputs() -> SimpleNamespace:
    inputs = {name: torch.from_numpy(values).double() for name, values in INPUTS.items()}
    return SimpleNamespace(**inputs, lib=torch, public=public, torch=torch)


def public(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def computed(cases: Mapping[str, Case]) -> Results:
    """What each case gives, and the rounds it took."""
    inputs, results = secret_inputs(), {}
    for name, case in cases.items():
        before = Kernel.computation().cost.rounds  # type: ignore[attr-defined]
        results[name] = case.compute(inputs)
        results[f"rounds of {name}"] = Kernel.computation().cost.rounds - before  # type: ignore[attr-defined]
    return results


def arithmetic() -> Results:
    return computed(ARITHMETIC)


def comparisons() -> Results:
    return computed(COMPARISONS)


def functions() -> Results:
    return computed(FUNCTIONS)


def gradients() -> Results:
    return slopes(secret_inputs)


def slopes(inputs: Callable[[], SimpleNamespace]) -> Results:
    results = {}
    for name, slope in GRADIENTS.items():
        given = inputs()
        for each in slope.wrt:
            getattr(given, each).requires_grad = True
        slope.loss(given).backward()
        results |= {f"{name} by {each}": getattr(given, each).grad for each in slope.wrt}
    return results


def training() -> Results:
    """Features of the first party, targets of the second."""
    own, results = crypten.comm.get().get_rank(), {}
    for name, each in TRAININGS.items():
        inputs = tuple(
            crypten.cryptensor(torch.from_numpy(values * (own == src)), src=src)
            for src, values in enumerate((FEATURES, each.targets))
        )
        before = Kernel.computation().cost.rounds  # type: ignore[attr-defined]
        losses, weights = trained(each, crypten, inputs, torch.from_numpy)
        results |= {f"{name}, loss {at}": loss for at, loss in enumerate(losses)}
        results |= {f"{name}, {which}": weight for which, weight in weights.items()}
        results[f"rounds of {name}"] = Kernel.computation().cost.rounds - before  # type: ignore[attr-defined]
    return results


def plain_training() -> Results:
    results: dict[str, Any] = {}
    for name, each in TRAININGS.items():
        inputs = torch.from_numpy(FEATURES), torch.from_numpy(np.asarray(each.targets))
        losses, weights = trained(
            each, torch, inputs, lambda values: torch.nn.Parameter(torch.from_numpy(values.copy()))
        )
        results |= {f"{name}, loss {at}": loss for at, loss in enumerate(losses)}
        results |= {f"{name}, {which}": weight for which, weight in weights.items()}
    return results


def refused() -> Results:
    """What is refused, by a party of a session with a dealer."""
    x, bits = crypten.cryptensor([1.5, -2.0]), crypten.cryptensor(torch.tensor([1]), precision=0)
    grown = crypten.cryptensor([1.5, -2.0], requires_grad=True)
    one = crypten.cryptensor([1.0])
    fine = crypten.cryptensor([1.5, -2.0], precision=32)
    tries: dict[str, Callable[[], object]] = {
        "truth value": lambda: bool(x > 0),
        "public zero": lambda: x / torch.tensor([1.0, 0.0]),
        "binary sharing": lambda: x.to(crypten.mpc.binary),
        "half a power": lambda: x.pow(0.5),
        "variance of one": one.var,
        "dropout": lambda: grown.dropout(0.5),
        "random choice": lambda: x.weighted_index(0),
        "convolution with a bias": lambda: x.view(1, 1, 2).conv1d(x.view(1, 1, 2), bias=one),
        "finer into coarser": lambda: bits.__setitem__(0, x[0]),
        "product at 32 bits": lambda: fine * fine,
        "square at 32 bits": fine.square,
        "third at 33 bits": lambda: crypten.cryptensor([1.0], precision=33) * 0.3,
        "product at 32 and 17 bits": lambda: fine * crypten.cryptensor([1.0], precision=17),
        "endless range": lambda: x.within(0, float("inf")),
        "NaN": lambda: x * float("nan"),
        "largest of none": x[:0].max,
        "opened": x.get_plain_text,
    }
    return {name: backend_worker.refusal(act) for name, act in tries.items()}


def contract() -> Results:
    """Every program of the kernel's contract on this session's computation, and what it cost."""
    kernel: Any = Kernel.computation()
    results: dict[str, Any] = {}
    for name, program in programs().items():
        own = [
            SharedWords(shares_of(ring(secret), kernel.parties, f"{name} {at}")[kernel.place])
            for at, secret in enumerate(program.case.secrets)
        ]
        before = kernel.cost
        if program.tensors is None:
            output = on_words(program)(kernel, *own)
        else:
            tensors = program.tensors(*(wrapped(shared(each, program.bits)) for each in own))
            several = isinstance(tensors, tuple)
            output = [words_of(each) for each in tensors] if several else words_of(tensors)
        results[f"cost of {name}"] = [
            getattr(kernel.cost, each.name) - getattr(before, each.name) for each in fields(Cost)
        ]
        parts = output if isinstance(output, list) else [output]
        results |= {f"{name}, {at}": wrapped(shared(part, 0)) for at, part in enumerate(parts)}
        results[f"parts of {name}"] = len(parts)
        results[f"is one of {name}"] = parts is not output
    return results


EVERY = (arithmetic, comparisons, functions, gradients, training, refused, contract)
RECORD = "record of openings"
PROGRAMS: dict[str, Program] = {each.__name__: each for each in EVERY}


def nothing(_session: Session) -> Results:
    return {}


def records(session: Session) -> Results:
    """What this party has a record of, and what a product that is not planned raises."""
    spare = wrapped(shared(SharedWords(np.zeros(3, np.uint64)), 0))
    return {
        "refused": backend_worker.refusal(lambda: spare * spare),
        RECORD: session.transcript.digest,
    }


def at_a_party(
    program: Program, afterwards: Callable[[Session], Results]
) -> Callable[[Session, Channel], object]:
    def act(session: Session, channel: Channel) -> object:
        parties = session.agreement.parties
        place, last = parties.index(session.own), len(parties) - 1
        rehearsed = rehearse_tensors(program, parties=len(parties))
        dealer = Dealer([stream_of(each) for each in range(len(parties))], TorchProducts())
        left = iter(rehearsed.recipes)
        supply = PlannedSupply(
            place, stream_of(place), rehearsed.recipes, SCOPE,
            (lambda _operation, _size: dealer.corrections(next(left))) if place == last else None,
        )  # fmt: skip
        CryptenEngine(session, channel, supply)
        results = program()
        kernel: Any = Kernel.computation()
        assert kernel.cost == rehearsed.cost or place > 0
        told = {name: _told(result) for name, result in results.items()}
        return {**told, **afterwards(session)}

    return act


def _told(result: Any) -> Any:
    if not hasattr(result, "share"):
        return result
    bits = result.encoder.scale.bit_length() - 1
    return {"share": result.share.flatten().tolist(), "shape": list(result.shape), "bits": bits}


def added_up(parties: list[dict[str, Any]]) -> dict[str, Any]:
    """Each result decoded from all shares; what is no tensor as the first party told it."""
    results = {}
    for name, first in parties[0].items():
        if not isinstance(first, dict):
            results[name] = first
            continue
        total = sum(np.array(party[name]["share"], np.int64).view(np.uint64) for party in parties)
        words = np.asarray(total, np.uint64).view(np.int64).reshape(first["shape"])
        exact = words / 2.0 ** first["bits"] if first["bits"] else words
        results[name] = {"value": exact.tolist(), "bits": first["bits"]}
    if RECORD in parties[0]:
        results[RECORD] = sorted({party[RECORD] for party in parties})
    return results


def expected(cases: Mapping[str, Case]) -> dict[str, Any]:
    inputs = plain_inputs()
    return {name: torch.as_tensor((case.reference or case.compute)(inputs)).double().tolist()
            for name, case in cases.items()}  # fmt: skip


if __name__ == "__main__":
    backend_worker.SCENARIOS = {
        name: at_a_party(each, records if each is contract else nothing)
        for name, each in PROGRAMS.items()
    }
    told = {}
    for asked in sys.argv[1:]:
        name, _, count = asked.partition(":")
        parties = list(backend_worker.run("direct", name, int(count)))
        failed = [party for party in parties if party is None or "failed" in party]
        told[asked] = {"failed": failed} if failed else added_up(parties)
    plain = {**slopes(plain_inputs), **plain_training()}
    told["expected"] = expected({**ARITHMETIC, **COMPARISONS, **FUNCTIONS})
    told["expected"] |= {name: value.tolist() for name, value in plain.items()}
    print(json.dumps(told))
