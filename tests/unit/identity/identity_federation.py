"""One real authority and three participants, made once: two parties and a coordinator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mpc.units import Role
from parties.identity.authority import approve, authority_init
from parties.identity.store import install, request

OFFICE = "study-office"
A, B = "insurer-a", "insurer-b"


@dataclass(frozen=True)
class At:
    """A clock that stands still."""

    now: int

    def unix_s(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return float(self.now)


@dataclass(frozen=True)
class Federation:
    folder: Path
    fingerprints: dict[str, str]

    @property
    def authority(self) -> Path:
        return self.folder / "ca"

    def of(self, name: str) -> Path:
        return self.folder / name

    def bundle(self, name: str) -> Path:
        return self.folder / f"{name}.pem"


def found(folder: Path) -> Federation:
    authority_init(folder / "ca", "Study Office")
    fingerprints = {}
    for name, role in ((A, Role.PARTY), (B, Role.PARTY), (OFFICE, Role.COORDINATOR)):
        asked = request(folder / name, name, role, f"{name} Ltd")
        fingerprints[name] = approve(folder / "ca", asked, folder / f"{name}.pem")
        install(folder / name, folder / f"{name}.pem", fingerprints[name])
    return Federation(folder, fingerprints)
