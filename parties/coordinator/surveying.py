"""What nodes and dealers say of themselves: whether they take studies, and a node's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from mpc.canonical import Plain, from_canonical
from mpc.errors import ParleyError, PeerError
from mpc.roster import Member
from mpc.units import PartyId
from parties.coordinator.client import RunClient
from parties.coordinator.office import Office
from protos import control_pb2 as wire

ASKED_AT_ONCE = 16
Fields = Mapping[str, Plain]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Offer:
    """A table as its owner publishes it: announced version, capacity, columns by name."""

    version: int | None
    rows_max: int | None
    columns: Mapping[str, Fields]

    @property
    def text(self) -> str:
        """``version 2, at most 10,000 rows``."""
        version = "none registered" if self.version is None else f"version {self.version}"
        return version + ("" if self.rows_max is None else f", at most {self.rows_max:,} rows")

    def to_plain(self) -> dict[str, object]:
        """The same for ``--json``, columns as published."""
        columns = {name: dict(fields) for name, fields in self.columns.items()}
        return {"version": self.version, "rows_max": self.rows_max, "columns": columns}


@dataclass(frozen=True)
class Answer:
    """A node or dealer that answered: its organization and software."""

    organization: str
    software: str

    @property
    def text(self) -> str:
        """``Dealing House, software 0.1.0``."""
        return f"{self.organization}, software {self.software}"

    def to_plain(self) -> dict[str, object]:
        """The same for ``--json``."""
        return {"organization": self.organization, "software": self.software}


@dataclass(frozen=True)
class PartyAnswer(Answer):
    """A node that answered, and what it offers by table."""

    tables: Mapping[str, Offer]

    @property
    def text(self) -> str:
        """``Hospital A, software 0.1.0; visits version 2``."""
        announced = ", ".join(
            f"{table} version {offer.version}" if offer.version else f"{table}: none registered"
            for table, offer in self.tables.items()
        )
        return f"{super().text}; {announced}"

    def to_plain(self) -> dict[str, object]:
        """The same for ``--json``."""
        offers = {name: offer.to_plain() for name, offer in self.tables.items()}
        return {**super().to_plain(), "tables": offers}


def survey_parties(office: Office) -> dict[PartyId, PartyAnswer | ParleyError]:
    """Every party's answer, or why there is none. Asks all at once, each in two calls."""

    def ask(party: Member) -> PartyAnswer:
        with office.client(party) as client:
            _check_ready(client)
            described = client.describe()
        offers = _offers(from_canonical(described.tables))
        return PartyAnswer(described.organization, described.software, offers)

    return _asked(office, tuple(office.config.parties), ask)


def survey_dealers(office: Office) -> dict[PartyId, Answer | ParleyError]:
    """Every dealer's answer, or why there is none. Asks all at once."""

    def ask(dealer: Member) -> Answer:
        with office.dealer_client(dealer) as client:
            return Answer(dealer.organization, _check_ready(client).software)

    return _asked(office, tuple(office.config.dealers), ask)


def _asked(
    office: Office, members: tuple[PartyId, ...], ask: Callable[[Member], Found]
) -> dict[PartyId, Found | ParleyError]:
    """What each says; the error instead of who cannot be reached or is not itself."""

    def said(member: PartyId) -> Found | ParleyError:
        try:
            return ask(office.trust.member(member))
        except ParleyError as failure:
            return failure

    with ThreadPoolExecutor(max_workers=ASKED_AT_ONCE) as pool:
        return dict(zip(members, pool.map(said, members), strict=True))


def _check_ready(client: RunClient) -> wire.HealthReport:
    report = client.health()
    if not report.ready:
        raise PeerError(client.peer.id, "takes no studies now")
    return report


def column_text(fields: Fields) -> str:
    """``number from 0 to 120 in steps of 1, cells may be missing``: what an owner publishes."""
    levels, bounds, step = fields.get("levels"), fields.get("bounds"), fields.get("step")
    text = str(fields.get("type", "unknown"))
    if isinstance(levels, list):
        text += f": {', '.join(map(str, levels))}"
    if isinstance(bounds, list) and len(bounds) == 2:
        text += f" from {bounds[0]} to {bounds[1]}"
    if step is not None:
        text += f" in steps of {step}"
    if fields.get("person") is True:
        text += ", says whose row it is"
    return text + (", no cell missing" if fields.get("required") else ", cells may be missing")


def _offers(tables: Plain) -> dict[str, Offer]:
    """A party's own words, as far as they have the form: anything else is left out."""
    return {
        name: Offer(
            version=_number(table.get("version")),
            rows_max=_number(table.get("rows_max")),
            columns={
                column: fields
                for column, fields in _mapping(table.get("columns")).items()
                if isinstance(fields, dict)
            },
        )
        for name, table in _mapping(tables).items()
        if isinstance(table, dict)
    }


def _mapping(value: Plain) -> dict[str, Plain]:
    return value if isinstance(value, dict) else {}


def _number(value: Plain) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
