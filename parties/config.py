"""What a node and a coordinator are told by their own files: ``node.yaml``, ``coordinator.yaml``.

What a dealer's file has in common with a node's stands here too (:class:`ServerConfig`).

Relative paths are relative to the file. Nothing is guessed, unknown keys are refused, and every
fault of a file is told at once as ``file:line:column``. Who is trusted stands here too: peers are
pinned by id and fingerprint, and nobody else is heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mpc.columns.model import Frozen
from mpc.columns.text import printable
from mpc.errors import UsageError
from mpc.study.model import ROWS_MAX, Identifier, Name
from mpc.study.source import BYTES_MAX, Block, Unreadable, read_tree
from mpc.units import PARTIES_MAX, PARTIES_MIN, PartyId, is_fingerprint
from parties.file_reading import read_start
from parties.identity.probe import split_address
from parties.yaml_files import FAMILY, Misfit, read_yaml

TABLES_MAX = 100
DEALERS_MAX = 16  # known to one coordinator; a study has one at most
PINNED = "101"
OWN = "102"
RANGE = "103"
TIMES = "104"
FOLDERS = "105"


def _address(text: str) -> str:
    try:
        split_address(text)
    except UsageError as fault:
        raise ValueError(fault.message) from None
    return text


def _fingerprint(text: str) -> str:
    if not is_fingerprint(text):
        raise ValueError("not a fingerprint: sha256: and 64 lower-case hex digits")
    return text


Address = Annotated[str, AfterValidator(_address)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Host = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(printable)]
PathText = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(printable)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Exchange(Frozen):
    """The data plane: where a study's worker listens, and how long a silence may last.

    Peers dial ``host`` at the port that the worker took from ``ports`` (both ends included); it
    listens on ``bind``, or on ``host`` if there is none. A peer that answers no ping for
    ``timeout_s`` is lost; ``wait_s`` bounds every single wait for a message. ``direct``: TCP from
    peers gets to that port as it is, so a study among such parties alone takes the direct lane.
    """

    host: Host
    bind: Host | None = None
    ports: tuple[Port, Port]
    keepalive_s: Annotated[int, Field(ge=1, le=600)] = 3
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 4
    wait_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    direct: bool = True


class Workers(Frozen):
    """What studies may take of this machine: threads and memory of each, and how many at once."""

    threads: Annotated[int, Field(ge=1, le=256)] = 2
    memory_mb: Annotated[int, Field(ge=128, le=4_000_000)] = 2048
    at_once: Annotated[int, Field(ge=1, le=64)] = 4


class _Table(Frozen):
    schema_file: PathText
    domain: Name
    rows_max: Annotated[int, Field(ge=1, le=ROWS_MAX)]


class ServerFile(Frozen):
    """What every file of a participant that serves says."""

    version: Literal[1]
    listen: Address
    identity: PathText
    state: PathText
    coordinators: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=16)]
    peers: Annotated[dict[Identifier, Fingerprint], Field(max_length=16 * PARTIES_MAX)]
    exchange: Exchange


class _NodeFile(ServerFile):
    party: Identifier
    policy: PathText
    tables: Annotated[dict[Name, _Table], Field(min_length=1, max_length=TABLES_MAX)]
    workers: Workers = Workers()


class _Listed(Frozen):
    address: Address
    fingerprint: Fingerprint


class _CoordinatorFile(Frozen):
    version: Literal[1]
    coordinator: Identifier
    identity: PathText
    state: PathText
    parties: Annotated[
        dict[Identifier, _Listed], Field(min_length=PARTIES_MIN, max_length=16 * PARTIES_MAX)
    ]
    dealers: Annotated[dict[Identifier, _Listed], Field(max_length=DEALERS_MAX)] = Field(
        default_factory=dict
    )
    keepalive_s: Annotated[int, Field(ge=1, le=600)] = 3
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 4


HINTS = {
    "version": "1",
    "party": "this party's id, as insurer-north",
    "dealer": "this dealer's id, as dealing-house",
    "organizations": "[Hospital A, Hospital B, Northern University], all that take part",
    "coordinator": "this coordinator's id, as study-office",
    "listen": "host:port of the control plane",
    "address": "host:port",
    "identity": "the folder of keys and certificates: parley pki request makes it",
    "state": "a folder for ledger, requests and data versions",
    "policy": "the policy file, as policy.yaml",
    "coordinators": "[study-office], those of the peers who may propose studies",
    "peers": "id: fingerprint of everybody this node talks to; parley pki trust --config adds one",
    "dealers": "id: {address: host:port, fingerprint: sha256:…} of each, or {}",
    "fingerprint": "sha256:… of a participant; parley pki trust --config writes it",
    "ports": "[first, last], both included",
    "host": "the name or address that peers dial",
    "schema_file": "the table's schema, as visits.schema.yaml",
    "domain": "the population whose privacy budget the table spends",
    "rows_max": "a number that the table will never exceed; it is published",
}


@dataclass(frozen=True)
class TableConfig:
    """A table this node offers: its schema file, its privacy domain, its published capacity.

    ``file`` and ``line`` are where the capacity stands, for errors.
    """

    schema_file: Path
    domain: str
    rows_max: int
    file: str = "node.yaml"
    line: int = 1


@dataclass(frozen=True)
class ServerConfig:
    """What every participant that serves is told by its file, paths resolved."""

    file: Path
    listen: str
    identity: Path
    state: Path
    coordinators: tuple[PartyId, ...]
    peers: Mapping[PartyId, str]  # id -> fingerprint
    exchange: Exchange

    @classmethod
    def of(cls, path: Path, said: ServerFile) -> ServerConfig:
        """What ``said``, the file at ``path``, says for every participant that serves."""
        folder = path.resolve().parent
        return ServerConfig(
            file=path,
            listen=said.listen,
            identity=folder / said.identity,
            state=folder / said.state,
            coordinators=tuple(PartyId(each) for each in said.coordinators),
            peers={PartyId(peer): pin for peer, pin in said.peers.items()},
            exchange=said.exchange,
        )


@dataclass(frozen=True)
class NodeConfig(ServerConfig):
    """``node.yaml``."""

    party: PartyId
    policy: Path
    tables: Mapping[str, TableConfig]
    workers: Workers


@dataclass(frozen=True)
class MemberAddress:
    """Where the coordinator reaches a party or dealer, and the fingerprint it must have."""

    address: str
    fingerprint: str


@dataclass(frozen=True)
class CoordinatorConfig:
    """``coordinator.yaml``, paths resolved."""

    file: Path
    id: PartyId
    identity: Path
    state: Path
    parties: Mapping[PartyId, MemberAddress]
    dealers: Mapping[PartyId, MemberAddress]
    keepalive_s: int
    timeout_s: int

    @property
    def members(self) -> dict[PartyId, MemberAddress]:
        """Everyone this coordinator calls: parties, then dealers."""
        return {**self.parties, **self.dealers}

    @property
    def pins(self) -> dict[PartyId, str]:
        """id -> fingerprint of every party and dealer."""
        return {member: entry.fingerprint for member, entry in self.members.items()}


def load_node_config(path: Path) -> NodeConfig:
    """``path`` as a node's file. Raises ConfigFaults with all its faults; no other file is read.

    Raises UsageError if it is another participant's.
    """
    check_kind(path, "party", "node")
    written = read_yaml(path, _NodeFile, HINTS, _node_misfits)
    said = written.value
    folder = path.resolve().parent
    return NodeConfig(
        **vars(ServerConfig.of(path, said)),
        party=PartyId(said.party),
        policy=folder / said.policy,
        tables={
            name: TableConfig(
                schema_file=folder / table.schema_file,
                domain=table.domain,
                rows_max=table.rows_max,
                file=path.name,
                line=written.line("tables", name, "rows_max"),
            )
            for name, table in said.tables.items()
        },
        workers=said.workers,
    )


def load_coordinator_config(path: Path) -> CoordinatorConfig:
    """``path`` as a coordinator's file. Raises ConfigFaults with all its faults.

    Raises UsageError if it is another participant's.
    """
    check_kind(path, "coordinator", "coordinator")
    said = read_yaml(path, _CoordinatorFile, HINTS, _coordinator_misfits).value
    folder = path.resolve().parent
    return CoordinatorConfig(
        file=path,
        id=PartyId(said.coordinator),
        identity=folder / said.identity,
        state=folder / said.state,
        parties=_addresses(said.parties),
        dealers=_addresses(said.dealers),
        keepalive_s=said.keepalive_s,
        timeout_s=said.timeout_s,
    )


def _addresses(listed: Mapping[str, _Listed]) -> dict[PartyId, MemberAddress]:
    return {
        PartyId(member): MemberAddress(entry.address, entry.fingerprint)
        for member, entry in listed.items()
    }


def check_kind(path: Path, key: str, wanted: str) -> None:
    """Raise UsageError if ``path`` is another participant's kind of file: it has only its key."""
    if not path.is_file():
        return  # a pipe is read only once
    try:
        tree, _ = read_tree(read_start(path, BYTES_MAX), FAMILY)
    except Unreadable:
        return  # its faults are told with their places
    kinds = {"party": "node", "dealer": "dealer", "coordinator": "coordinator"}
    found = [each for each in kinds if isinstance(tree, Block) and each in tree.entries]
    if found and key not in found:
        raise UsageError(f"{path} is a {kinds[found[0]]}'s file; --config wants a {wanted}.yaml")


def _node_misfits(said: _NodeFile) -> Iterator[Misfit]:
    return server_misfits(said, said.party, "party")


def server_misfits(said: ServerFile, own: str, role: str) -> Iterator[Misfit]:
    """What fits its own rule but not the rest of a file of ``own``, who is a ``role``."""
    if not said.peers:
        yield Misfit(
            PINNED,
            ("peers",),
            "nobody is pinned",
            "id: fingerprint; parley pki trust --config writes it",
        )
    for i, coordinator in enumerate(said.coordinators):
        if said.peers and coordinator not in said.peers:
            yield Misfit(
                PINNED,
                ("coordinators", i),
                f"{coordinator} is not pinned",
                f"one of the peers: {', '.join(said.peers)}",
            )
    if own in said.peers:
        yield Misfit(OWN, ("peers", own), f"this {role} itself", "other participants only")
    yield from _shared_pins((("peers", peer), pin) for peer, pin in said.peers.items())
    first, last = said.exchange.ports
    if first > last:
        yield Misfit(RANGE, ("exchange", "ports"), "ports run backwards", "[first, last]")
    elif split_address(said.listen)[1] in range(first, last + 1):
        yield Misfit(
            RANGE,
            ("exchange", "ports"),
            "ports take in the control plane's own",
            f"a range without {split_address(said.listen)[1]}",
        )
    if said.exchange.wait_s < said.exchange.timeout_s:
        yield Misfit(TIMES, ("exchange", "wait_s"), "shorter than timeout_s", "at least timeout_s")
    yield from _shared_folders(said.identity, said.state)


def _coordinator_misfits(said: _CoordinatorFile) -> Iterator[Misfit]:
    blocks = {"parties": said.parties, "dealers": said.dealers}
    for key, listed in blocks.items():
        if said.coordinator in listed:
            yield Misfit(OWN, (key, said.coordinator), "the coordinator itself", f"{key} only")
    for dealer in said.dealers:
        if dealer in said.parties:
            yield Misfit(OWN, ("dealers", dealer), "a party too", "an id of its own")
    yield from _shared_pins(
        ((key, member), entry.fingerprint)
        for key, listed in blocks.items()
        for member, entry in listed.items()
    )
    yield from _shared_folders(said.identity, said.state)


def _shared_pins(pins: Iterable[tuple[tuple[str, str], str]]) -> Iterator[Misfit]:
    """``pins``: the place of each and its fingerprint."""
    owners: dict[str, str] = {}
    for place, pin in pins:
        if pin in owners:
            yield Misfit(PINNED, place, f"the fingerprint of {owners[pin]}", "one fingerprint each")
        owners.setdefault(pin, place[-1])


def _shared_folders(identity: str, state: str) -> Iterator[Misfit]:
    if Path(identity) == Path(state):
        yield Misfit(FOLDERS, ("state",), "the identity's folder", "a folder of its own")
