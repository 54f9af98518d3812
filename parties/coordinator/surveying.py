"""What one party's node says of itself: whether it takes studies, and what it announces."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.canonical import Plain, from_canonical
from mpc.errors import ParleyError, PeerError
from mpc.units import PartyId
from parties.coordinator.office import Office


@dataclass(frozen=True)
class Answer:
    """A node that answered: its organization, software, and announced versions by table."""

    organization: str
    software: str
    tables: dict[str, int | None]

    @property
    def text(self) -> str:
        """``Hospital A, software 0.1.0; visits version 2``."""
        announced = ", ".join(
            f"{table} version {version}" if version else f"{table}: none registered"
            for table, version in self.tables.items()
        )
        return f"{self.organization}, software {self.software}; {announced}"


def survey(office: Office, party: PartyId) -> Answer | ParleyError:
    """Ask one party, in two calls; the error instead if it cannot be reached or is not itself."""
    try:
        member = office.trust.member(party)
        with office.client(member) as client:
            report, described = client.health(), client.describe()
        if not report.ready:
            raise PeerError(party, "takes no studies now")
        return Answer(
            described.organization, described.software, _versions(from_canonical(described.tables))
        )
    except ParleyError as failure:
        return failure


def _versions(tables: Plain) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        version = table.get("version") if isinstance(table, dict) else None
        found[name] = version if isinstance(version, int) else None
    return found
