"""Material as a preparing session leaves it, and a party's store of it in a folder of a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mpc.dealing.delivery import PART_BYTES
from mpc.session.preparing import Material, MaterialTerms, Prepared
from mpc.units import PartyId, PlanDigest, RunId
from parties.prepared.store import PreparedStore
from parties.system import SystemRandomness

NOW = 1_800_000_000
EXPIRES = NOW + 600
RUN, OTHER_RUN = RunId("ab" * 32), RunId("cd" * 32)
ASKER, OTHER_ASKER = PartyId("office"), PartyId("institute")
KEY = bytes(range(32))
IDENTITY_KEY = b"i" * 32
BOOT = "this boot"
PARTS = (b"a" * PART_BYTES, b"b" * PART_BYTES, b"c" * 1000)


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


def terms_of(run: RunId = RUN, party: str = "alpha") -> MaterialTerms:
    return MaterialTerms(b"m" * 32, run, PlanDigest("e" * 64), PartyId(party), b"r" * 32)


def prepared_of(
    run: RunId = RUN, *, party: str = "alpha", key: bytes = KEY, parts: Iterable[bytes] = PARTS
) -> Prepared:
    return Prepared(Material(terms_of(run, party), key), iter(parts))


def store_of(
    state: Path, clock: SetClock | None = None, *,
    identity_key: bytes = IDENTITY_KEY, boot: str = BOOT,
) -> PreparedStore:  # fmt: skip
    return PreparedStore(state, identity_key, lambda: boot, clock or SetClock(), SystemRandomness())


def read(prepared: Prepared) -> tuple[bytes, tuple[bytes, ...]]:
    """What the material's stream begins with, and every part. Spends the material."""
    return prepared.material.stream().octets(64), tuple(prepared.corrections)
