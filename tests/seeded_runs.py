"""Kernel programs with a dealer on a faulty network, by seed: what happened, and what may not.

A scenario is run once without faults. Whatever befalls its messages afterwards, nobody sends or
opens what was not sent or opened then, and whoever has a result has the one of then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from dealt_federation import Dealing, run_dealt
from kernel_cases import OPERATIONS, Case

from mpc.errors import ParleyError
from mpc.protocols.shares import SharedBits, SharedWords
from mpc.testing.network import Fault, FaultKind, Message
from mpc.testing.simulated import SimulatedTime

WAIT_S = 60.0
KINDS = (FaultKind.DELAY, FaultKind.SWAP, FaultKind.REPEAT, FaultKind.DROP, FaultKind.CUT,
         FaultKind.KILL)  # fmt: skip
"""A lane is authenticated, so nothing is turned on the way."""
DELAYS_S = (0.001, 1.0, WAIT_S - 1, WAIT_S + 1, 10 * WAIT_S)
LARGE = 1 << 40
"""Words from here on would not be met by chance: below 2^-20 in a million runs."""


@dataclass(frozen=True)
class Scenario:
    """One case of ``operation`` among ``parties``, and its run without faults."""

    operation: str
    parties: int
    case: Case
    clean: Dealing
    sent: frozenset[tuple[str, str, int, bytes, bytes]]
    shares: dict[str, bytes]


@dataclass(frozen=True)
class Seeded:
    """What became of one seed."""

    scenario: Scenario
    faults: tuple[Fault, ...]
    dealing: Dealing

    @property
    def is_clean(self) -> bool:
        """All ended well, the dealer too."""
        return not self.dealing.ends.errors


@cache
def scenario(operation: str, parties: int, draw: int) -> Scenario:
    """Its run without faults, which gives what plain integers give and sends no large secret."""
    rng = np.random.default_rng([draw, parties, *operation.encode()])
    case = OPERATIONS[operation](rng, int(rng.integers(1, 24)))
    clean = run_dealt(case.program, *case.secrets, parties=parties, time=SimulatedTime)
    outputs = clean.output()
    assert case.right(outputs).all(), operation
    secrets = {
        int(word).to_bytes(8, "little", signed=True)
        for words in case.secrets
        for word in words.ravel()
        if abs(int(word)) >= LARGE
    }
    for message in clean.network.seen:
        assert not any(secret in message.payload for secret in secrets), operation
    shares = {party: written(value) for party, value in clean.ends.values.items()}
    return Scenario(operation, parties, case, clean, frozenset(map(told, clean.network.seen)),
                    shares)  # fmt: skip


def faults_of(rng: np.random.Generator, seen: Sequence[Message]) -> tuple[Fault, ...]:
    """One fault, or two or three, each of a message that was sent without them."""
    faults = []
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        message = seen[int(rng.integers(len(seen)))]
        kind = KINDS[int(rng.integers(len(KINDS)))]
        delay_s = DELAYS_S[int(rng.integers(len(DELAYS_S)))]
        faults.append(Fault(kind, message.sender, message.receiver, message.number, delay_s))
    return tuple(faults)


def run_seed(seed: int, draws: int) -> Seeded:
    """A scenario and its faults, the same for the same seed; ``draws`` of each operation."""
    rng = np.random.default_rng([20261128, seed])
    names = list(OPERATIONS)
    chosen = scenario(
        names[int(rng.integers(len(names)))], int(rng.integers(2, 6)), int(rng.integers(draws))
    )
    seen = sorted(chosen.clean.network.seen, key=lambda each: (each.sender, each.receiver,
                                                               each.number))  # fmt: skip
    return run_faults(chosen, faults_of(rng, seen))


def run_faults(chosen: Scenario, faults: Sequence[Fault]) -> Seeded:
    """The scenario again, with these faults."""
    case = chosen.case
    dealing = run_dealt(
        case.program, *case.secrets, parties=chosen.parties, faults=faults, wait_s=WAIT_S,
        time=SimulatedTime,
    )  # fmt: skip
    return Seeded(chosen, tuple(faults), dealing)


def check(seeded: Seeded) -> None:
    """Assert that nothing came of it but right results and errors that name a participant."""
    chosen, ends = seeded.scenario, seeded.dealing.ends
    clean = chosen.clean
    participants = {*clean.ends.values}
    assert {*ends.values} | {*ends.errors} == participants, "not everybody ended"
    for party, value in ends.values.items():
        assert written(value) == chosen.shares[party], f"{party} has another result"
    for party, error in ends.errors.items():
        assert isinstance(error, ParleyError), f"{party}: {error!r}"
        assert error.party in participants, f"{party} was told nobody: {error}"
    for party, opened in seeded.dealing.opened.items():
        values = opened.values
        assert values == clean.opened[party].values[: len(values)], f"{party} opened another value"
    for message in seeded.dealing.network.seen:
        assert told(message) in chosen.sent, f"{message.sender} sent another message"
    if seeded.is_clean:
        assert chosen.case.right(seeded.dealing.output()).all()


def must_succeed(faults: Sequence[Fault]) -> bool:
    """Whether all of them are delays that no deadline is shorter than, together."""
    late = sum(fault.delay_s for fault in faults if fault.kind is FaultKind.DELAY)
    return all(fault.kind is FaultKind.DELAY for fault in faults) and late < WAIT_S


def told(message: Message) -> tuple[str, str, int, bytes, bytes]:
    return (
        message.sender, message.receiver, message.number, message.operation, message.payload
    )  # fmt: skip


def written(value: Any) -> bytes:
    """A party's end result as bytes, its shares in full."""
    if isinstance(value, SharedWords):
        return repr(value.shape).encode() + value._words.tobytes()
    if isinstance(value, SharedBits):
        return repr(value.count).encode() + value._plane.tobytes()
    if isinstance(value, list | tuple):
        return b"".join(map(written, value))
    assert value is None
    return b""
