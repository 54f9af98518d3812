"""What a node and its worker tell each other once the worker has its order.

    worker: Listening            node: Connect
    worker: Confirmation, Entered …, and Failed or what it came to; Alive all the while

A study comes to Committed, a preparing to Stored, a dealer's run to Dealt.

Each is one canonical object on the pipe, told from the others by its fields alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias, get_args

from mpc.canonical import SIZE_MAX, Plain, Record
from mpc.errors import IntegrityError
from mpc.plan.cost import CONFIRMATION_BYTES, HELLO_BYTES_MAX
from mpc.units import PARTICIPANTS_MAX, PartyId
from parties.problems import MESSAGE_MAX

ADDRESS_LENGTH_MAX = 300  # a host has at most 253 characters
STAGE_LENGTH_MAX = 40
_PROBLEM_FIELDS = ("code", "message", "party")


@dataclass(frozen=True)
class Message(ABC):
    """Base of the messages. ``FIELDS`` are those of its object, its mark first."""

    FIELDS: ClassVar[tuple[str, ...]]

    @abstractmethod
    def to_plain(self) -> dict[str, Plain]:
        """For the pipe."""

    @classmethod
    def from_plain(cls, plain: Plain) -> Self:
        """The message that :meth:`to_plain` wrote. Raises IntegrityError on any other form."""
        return cls._read(Record(plain, f"the message {cls.FIELDS[0]}", cls.FIELDS))

    @classmethod
    @abstractmethod
    def _read(cls, record: Record) -> Self: ...


@dataclass(frozen=True)
class Mark(Message):
    """A message that says no more than that it was sent."""

    def to_plain(self) -> dict[str, Plain]:
        return {self.FIELDS[0]: True}

    @classmethod
    def _read(cls, record: Record) -> Self:
        _check_mark(record, cls.FIELDS[0])
        return cls()


@dataclass(frozen=True)
class Alive(Mark):
    """The worker is not frozen."""

    FIELDS: ClassVar[tuple[str, ...]] = ("alive",)


@dataclass(frozen=True)
class Committed(Mark):
    """The worker's share is in the outbox, its charge committed."""

    FIELDS: ClassVar[tuple[str, ...]] = ("committed",)


@dataclass(frozen=True)
class Dealt(Mark):
    """A dealer's worker dealt everything, and the last party has read it."""

    FIELDS: ClassVar[tuple[str, ...]] = ("dealt",)


@dataclass(frozen=True)
class Stored(Mark):
    """The worker's prepared material is stored."""

    FIELDS: ClassVar[tuple[str, ...]] = ("stored",)


@dataclass(frozen=True)
class Listening(Message):
    """Where the worker listens for its peers, and its Hello."""

    FIELDS: ClassVar[tuple[str, ...]] = ("listening", "address", "hello", "direct")

    address: str
    hello: bytes
    direct: bool  # peers may take the direct lane to it

    def to_plain(self) -> dict[str, Plain]:
        return {
            "listening": True,
            "address": self.address,
            "hello": self.hello.hex(),
            "direct": self.direct,
        }

    @classmethod
    def _read(cls, record: Record) -> Self:
        _check_mark(record, "listening")
        return cls(
            address=record.text("address", ADDRESS_LENGTH_MAX),
            hello=record.octets("hello", 1, HELLO_BYTES_MAX),
            direct=_truth(record, "direct"),
        )


@dataclass(frozen=True)
class Connect(Message):
    """What the coordinator handed over: every worker's address, all Hellos, its confirmation."""

    FIELDS: ClassVar[tuple[str, ...]] = ("addresses", "hellos", "confirmation", "direct")

    addresses: Mapping[PartyId, str]
    hellos: tuple[bytes, ...]
    confirmation: bytes
    direct: bool  # every party of the run can be reached on the direct lane

    def to_plain(self) -> dict[str, Plain]:
        return {
            "addresses": {str(party): address for party, address in self.addresses.items()},
            "hellos": [hello.hex() for hello in self.hellos],
            "confirmation": self.confirmation.hex(),
            "direct": self.direct,
        }

    @classmethod
    def _read(cls, record: Record) -> Self:
        return cls(
            addresses=_addresses(record.plain("addresses")),
            # Whoever's Hello is too large is named by the reader of Hellos.
            hellos=record.octet_items("hellos", 1, PARTICIPANTS_MAX, SIZE_MAX),
            confirmation=record.octets("confirmation", CONFIRMATION_BYTES, CONFIRMATION_BYTES),
            direct=_truth(record, "direct"),
        )


@dataclass(frozen=True)
class Confirmation(Message):
    """The worker took the session; what shows the coordinator so."""

    FIELDS: ClassVar[tuple[str, ...]] = ("confirmation",)

    confirmation: bytes

    def to_plain(self) -> dict[str, Plain]:
        return {"confirmation": self.confirmation.hex()}

    @classmethod
    def _read(cls, record: Record) -> Self:
        return cls(record.octets("confirmation", CONFIRMATION_BYTES, CONFIRMATION_BYTES))


@dataclass(frozen=True)
class Entered(Message):
    """A stage that the coordinator may learn of began."""

    FIELDS: ClassVar[tuple[str, ...]] = ("stage",)

    stage: str

    def to_plain(self) -> dict[str, Plain]:
        return {"stage": self.stage}

    @classmethod
    def _read(cls, record: Record) -> Self:
        return cls(record.text("stage", STAGE_LENGTH_MAX))


@dataclass(frozen=True)
class Failed(Message):
    """The worker's end, as :func:`parties.problems.as_problem` tells it.

    ``where`` is for the node's log alone: which unexpected exception, and at which line of ours.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("problem", "where")

    problem: Mapping[str, str]
    where: str = ""

    def to_plain(self) -> dict[str, Plain]:
        return {"problem": dict(self.problem), "where": self.where}

    @classmethod
    def _read(cls, record: Record) -> Self:
        problem = Record(record.plain("problem"), "a worker's problem", _PROBLEM_FIELDS)
        return cls(
            {name: problem.free_text(name, MESSAGE_MAX) for name in _PROBLEM_FIELDS},
            record.free_text("where", MESSAGE_MAX),
        )


Report: TypeAlias = Alive | Listening | Confirmation | Entered | Committed | Dealt | Stored | Failed
"""What a worker says."""

_REPORTS: dict[frozenset[str], type[Report]] = {
    frozenset(kind.FIELDS): kind for kind in get_args(Report)
}


def read_report(plain: dict[str, Plain]) -> Report:
    """The report in ``plain``. Raises IntegrityError on an unknown or malformed one."""
    kind = _REPORTS.get(frozenset(plain))
    if kind is None:
        raise IntegrityError("a worker's message is of no known kind")
    return kind.from_plain(plain)


def _check_mark(record: Record, name: str) -> None:
    if record.plain(name) is not True:
        raise IntegrityError(f"the message {name} is not marked as one")


def _truth(record: Record, name: str) -> bool:
    said = record.plain(name)
    if not isinstance(said, bool):
        raise IntegrityError(f"{name} is either true or false")
    return said


def _addresses(plain: Plain) -> dict[PartyId, str]:
    if not isinstance(plain, dict) or len(plain) >= PARTICIPANTS_MAX:
        raise IntegrityError(f"a run's addresses are an object of at most {PARTICIPANTS_MAX - 1}")
    addresses: dict[PartyId, str] = {}
    for party, address in plain.items():
        if not isinstance(address, str) or len(address) > ADDRESS_LENGTH_MAX:
            raise IntegrityError(f"an address is text of at most {ADDRESS_LENGTH_MAX} characters")
        addresses[PartyId(party)] = address
    return addresses
