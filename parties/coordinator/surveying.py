"""What each party's node says of itself: whether it takes studies, and the tables it announces."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mpc.canonical import Plain, from_canonical
from mpc.errors import ParleyError, PeerError
from mpc.units import PartyId
from parties.coordinator.office import Office

ASKED_AT_ONCE = 16
Fields = Mapping[str, Plain]


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
    """A node that answered: its organization, software, and what it offers by table."""

    organization: str
    software: str
    tables: Mapping[str, Offer]

    @property
    def text(self) -> str:
        """``Hospital A, software 0.1.0; visits version 2``."""
        announced = ", ".join(
            f"{table} version {offer.version}" if offer.version else f"{table}: none registered"
            for table, offer in self.tables.items()
        )
        return f"{self.organization}, software {self.software}; {announced}"


def survey_all(office: Office) -> dict[PartyId, Answer | ParleyError]:
    """Every party's answer, or why there is none. Asks all at once."""
    parties = tuple(office.config.parties)
    with ThreadPoolExecutor(max_workers=ASKED_AT_ONCE) as pool:
        answers = pool.map(lambda party: survey(office, party), parties)
        return dict(zip(parties, answers, strict=True))


def survey(office: Office, party: PartyId) -> Answer | ParleyError:
    """Ask one party, in two calls; the error instead if it cannot be reached or is not itself."""
    try:
        member = office.trust.member(party)
        with office.client(member) as client:
            report, described = client.health(), client.describe()
        if not report.ready:
            raise PeerError(party, "takes no studies now")
        offers = _offers(from_canonical(described.tables))
        return Answer(described.organization, described.software, offers)
    except ParleyError as failure:
        return failure


def missed(party: PartyId, error: ParleyError) -> str:
    """Why ``party`` gave no answer, without its name if that is all the error names."""
    return error.what if error.party == party else error.message


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
