"""Kernel programs run by every party in this process: real streams, real corrections, a memory net.

The dealer's words come from the same AES streams as in a session, its corrections are worked out
as the last party asks for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.dealing.dealer import Dealer
from mpc.dealing.recipe import Recipe, Sampler
from mpc.dealing.supply import PlannedSupply
from mpc.naming import operation_id
from mpc.protocols.opening import Cost
from mpc.protocols.party import PartyComputation
from mpc.protocols.rehearsal import rehearse
from mpc.protocols.shares import SharedBits, SharedWords
from mpc.ring.planes import Ring, from_plane
from mpc.ring.products import Products
from mpc.session.streams import Stream
from mpc.steps import Steps
from mpc.testing.network import Ends, Fault, Network, together
from mpc.units import PartyId

NAMES = [PartyId(name) for name in ("alpha", "bravo", "charlie", "delta", "echo")]
SCOPE = b"\7" * 32


class Scope:
    """Names operations, as a session does."""

    def operation(self, *parts: bytes) -> bytes:
        return operation_id(SCOPE, *parts)


@dataclass
class Opened:
    """What one party recorded as opened."""

    values: list[bytes] = field(default_factory=list)

    def record(self, _operation: bytes, opened: bytes) -> None:
        self.values.append(opened)


@dataclass(frozen=True)
class Ran:
    """What a program gave: each output put together, each party's cost, what was opened."""

    outputs: Any
    costs: Mapping[PartyId, Cost]
    opened: Mapping[PartyId, Opened]
    recipes: tuple[Recipe, ...]
    network: Network


def stream_of(party: int, seed: str = "") -> Stream:
    return Stream(hashlib.sha256(f"dealt to {party} {seed}".encode()).digest())


def shares_of(secret: Ring, parties: int, seed: str = "inputs") -> list[Ring]:
    """Additive shares, all but the last uniform."""
    parts = [
        stream_of(party, seed).words(secret.size).view(np.uint64).reshape(secret.shape)
        for party in range(parties - 1)
    ]
    last = secret.copy()
    for part in parts:
        last -= part
    return [*parts, last]


def ring(values: Any) -> Ring:
    """Integers as ring words."""
    return np.asarray(values, np.int64).view(np.uint64)


def joined(shares: Sequence[Any]) -> Any:
    """What shares of every party are shares of; tuples and lists part by part."""
    first = shares[0]
    if isinstance(first, SharedWords):
        total = np.zeros(first.shape, np.uint64)
        for share in shares:
            total = total + share._words
        return np.asarray(total).view(np.int64)
    if isinstance(first, SharedBits):
        plane = shares[0]._plane.copy()
        for share in shares[1:]:
            plane ^= share._plane
        return from_plane(plane, first.count).astype(bool)
    if isinstance(first, list | tuple):
        return [joined(parts) for parts in zip(*shares, strict=True)]
    return first


def run_ends(
    program: Callable[..., Any],
    *secrets: NDArray[Any],
    parties: int = 3,
    seed: str = "",
    faults: Sequence[Fault] = (),
    products: Products | None = None,
    planned: Callable[[int, tuple[Recipe, ...]], Sequence[Recipe]] | None = None,
    wait_s: float = 20.0,
    sampler: Sampler | None = None,
) -> tuple[Ends[Any], dict[PartyId, PartyComputation], dict[PartyId, Opened], Any, Network]:
    """As :func:`run`, with each party's own end."""
    words = [ring(secret) for secret in secrets]
    rehearsed = rehearse(program, *(each.shape for each in words), parties=parties)
    names = NAMES[:parties]
    streams = [stream_of(place, seed) for place in range(parties)]
    dealer = Dealer(streams, products, sampler=sampler)
    left = iter(rehearsed.recipes)
    network = Network(names, faults=faults, wait_s=wait_s)
    inputs = [shares_of(each, parties, f"input {at} {seed}") for at, each in enumerate(words)]
    computations, opened, tasks = {}, {}, {}
    for place, channel in enumerate(network.channels):
        name = names[place]
        last = place == parties - 1
        recipes = rehearsed.recipes if planned is None else planned(place, rehearsed.recipes)
        supply = PlannedSupply(
            place, stream_of(place, seed), recipes, SCOPE,
            (lambda _operation, _size: dealer.corrections(next(left))) if last else None,
        )  # fmt: skip
        opened[name] = Opened()
        computation = PartyComputation(
            tuple(names), channel, supply, Steps(Scope(), b"kernel"), opened[name]
        )
        computations[name] = computation
        own = [SharedWords(shares[place]) for shares in inputs]
        tasks[name] = lambda computation=computation, own=own: program(computation, *own)
    return together(tasks), computations, opened, rehearsed, network


def run(program: Callable[..., Any], *secrets: NDArray[Any], parties: int = 3, **how: Any) -> Ran:
    """Run ``program`` at every party on shares of ``secrets`` and put its outputs together."""
    ends, computations, opened, rehearsed, network = run_ends(
        program, *secrets, parties=parties, **how
    )
    values = ends.all()
    costs = {name: computation.cost for name, computation in computations.items()}
    assert costs[NAMES[0]] == rehearsed.cost
    outputs = joined([values[name] for name in NAMES[:parties]])
    return Ran(outputs, costs, opened, rehearsed.recipes, network)
