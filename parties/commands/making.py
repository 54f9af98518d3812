"""New participants' folders: keys, a request for certificates, and files to edit."""

from __future__ import annotations

import json
import shlex
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, get_args

from rich.text import Text

from mpc.errors import UsageError
from mpc.units import Role, is_identifier, is_name
from parties.commands.output import emit_json, out
from parties.identity import files
from parties.identity.probe import split_address
from parties.identity.store import request
from parties.new_files import coordinator_text, dealer_text, node_text, policy_text, schema_text

IDENTITY = "identity"
BUNDLES, TO = "*.bundle.pem", ">"  # words that a shell is to read


@dataclass(frozen=True)
class Made:
    """A new participant's folder: its file, its request for certificates, and what to do next.

    ``holds`` names all that was made in ``directory``; ``steps`` are complete commands, numbered.
    """

    directory: Path
    config: Path
    request: Path
    holds: str
    steps: str

    def show(self, *, as_json: bool) -> None:
        """Print it for whoever made it."""
        if as_json:
            emit_json({"config": str(self.config), "request": str(self.request)})
            return
        out.print(Text(f"made in {self.directory}: {self.holds}\n{self.steps}"), soft_wrap=True)


@dataclass(frozen=True)
class NewServer(ABC):
    """What is known of a participant that serves before anything of it exists."""

    ROLE: ClassVar[Role]

    directory: Path
    id: str
    organization: str
    coordinator: str
    host: str
    port: int

    @property
    def own(self) -> Path:
        """The folder of its keys and certificates."""
        return self.directory / IDENTITY

    def check(self) -> None:
        """Raise UsageError on the first part that its files would not take."""
        _check_id("--id", self.id)
        _check_id("--coordinator", self.coordinator)
        if self.id == self.coordinator:
            raise UsageError(f"a {self.ROLE} is not its own coordinator; give them two ids")
        split_address(f"{self.host}:{self.port}")


@dataclass(frozen=True)
class NewDealer(NewServer):
    """A dealer, which has no table."""

    ROLE: ClassVar[Role] = Role.DEALER


@dataclass(frozen=True)
class NewParty(NewServer):
    """A party, and how the table that it offers is written."""

    ROLE: ClassVar[Role] = Role.PARTY

    table: str
    rows_max: int
    delimiter: str = ","
    encoding: str = "utf-8"

    def check(self) -> None:
        """As any that serves; its table too."""
        super().check()
        if not is_name(self.table):
            raise UsageError(
                f"{self.table!r} is no name of a table",
                hint="lower-case letters, digits and _, a letter first, at most 40",
            )
        _check_spelling("--delimiter", self.delimiter, spellings("delimiter"))
        _check_spelling("--encoding", self.encoding, spellings("encoding"))


def make_party(new: NewParty, data: Path | None) -> Made:
    """Make a party's folder. Overwrites nothing.

    ``data`` is read as far as its first line, a header in the form that ``new`` says.
    """
    new.check()
    headers, file = _headers(new, data)
    who = {"party": new.id, "coordinator": new.coordinator, "table": new.table}
    schema = f"{new.table}.schema.yaml"
    texts = {
        "node.yaml": node_text(host=new.host, port=new.port, rows_max=new.rows_max, **who),
        "policy.yaml": policy_text(**who),
        schema: schema_text(
            table=new.table,
            file=file,
            headers=headers,
            delimiter=new.delimiter,
            encoding=new.encoding,
        ),
    }
    request = _make(new.directory, texts, new.id, new.ROLE, new.organization)
    config = new.directory / "node.yaml"
    steps = _steps(
        *_joining(new.own, config, new.id),
        (f"say in {new.directory / schema} how the table is written", [
            ("data", "check", new.directory / schema),
        ]),
        (f"allow what you will in {new.directory / 'policy.yaml'}; then announce and serve", [
            ("data", "register", new.table, "--config", config),
            ("node", "start", "--config", config),
        ]),
    )  # fmt: skip
    holds = f"node.yaml, policy.yaml (refuses everything), {schema}, identity"
    return Made(new.directory, config, request, holds, steps)


def make_dealer(new: NewDealer) -> Made:
    """Make a dealer's folder. Overwrites nothing."""
    new.check()
    text = dealer_text(dealer=new.id, coordinator=new.coordinator, host=new.host, port=new.port)
    request = _make(new.directory, {"dealer.yaml": text}, new.id, new.ROLE, new.organization)
    config = new.directory / "dealer.yaml"
    steps = _steps(
        *_joining(new.own, config, new.id),
        (f"list in {config} the organizations of all parties and of the coordinator; then serve", [
            ("dealer", "start", "--config", config),
        ]),
        ("tell the coordinator its address; everyone pins it as in 2, and starts nodes again", []),
    )  # fmt: skip
    return Made(new.directory, config, request, "dealer.yaml (deals for nobody), identity", steps)


def make_coordinator(
    directory: Path,
    coordinator: str,
    organization: str,
    parties: tuple[str, ...],
    dealers: tuple[str, ...] = (),
) -> Made:
    """Make a coordinator's folder. Overwrites nothing.

    ``parties``, ``dealers``: ID=HOST:PORT of each.
    """
    _check_id("--id", coordinator)
    listed = _addresses("--party", parties), _addresses("--dealer", dealers)
    text = coordinator_text(coordinator=coordinator, parties=listed[0], dealers=listed[1])
    texts, config = {"coordinator.yaml": text}, directory / "coordinator.yaml"
    request = _make(directory, texts, coordinator, Role.COORDINATOR, organization)
    own, bundle = directory / IDENTITY, f"{coordinator}.bundle.pem"
    asked = [member for each in listed for member in each] or ["PARTY"]
    steps = _steps(
        ("make an authority, if there is none, and have it vouch for this coordinator", [
            ("pki", "init", "authority", "--organization", organization),
            ("pki", "approve", "authority", own / "request.pem", "--out", bundle),
            ("pki", "install", own, bundle),
        ]),
        ("approve the request.pem that each of them sends; send all bundles to all", [
            ("pki", "approve", "authority", f"{each}.request.pem", "--out", f"{each}.bundle.pem")
            for each in asked
        ]),
        ("compare the roster with everyone, by telephone; then pin it", [
            ("pki", "roster", BUNDLES, TO, "roster.json"),
            ("pki", "trust", own, BUNDLES, "--roster", "roster.json", "--config", config),
        ]),
        ("see who is there", [("coordinator", "health", "--config", config)]),
    )  # fmt: skip
    return Made(directory, config, request, "coordinator.yaml, identity", steps)


def _addresses(option: str, entries: tuple[str, ...]) -> dict[str, str]:
    form = f"{option[2:].upper()}=HOST:PORT"
    addresses: dict[str, str] = {}
    for entry in entries:
        member, equals, address = entry.partition("=")
        if not equals:
            raise UsageError(f"{option} {entry!r} is not {form}")
        _check_id(option, member)
        if member in addresses:
            raise UsageError(
                f"{option} {member} is given twice, at {addresses[member]} and at {address}",
                hint=f"one {option} {form} for each",
            )
        split_address(address)
        addresses[member] = address
    return addresses


def _joining(
    own: Path, config: Path, member: str
) -> tuple[tuple[str, Sequence[tuple[str | Path, ...]]], ...]:
    """The steps of everyone that serves, from its request to its peers."""
    return (
        (f"send {own / 'request.pem'} to the authority; install what it sends back", [
            ("pki", "install", own, f"{member}.bundle.pem"),
        ]),
        ("compare the roster with everyone, by telephone; then pin it", [
            ("pki", "trust", own, BUNDLES, "--roster", "roster.json", "--config", config),
        ]),
    )  # fmt: skip


def _steps(*steps: tuple[str, Sequence[tuple[str | Path, ...]]]) -> str:
    """Numbered steps, each with its commands below it, as a shell takes them."""
    lines = []
    for number, (what, commands) in enumerate(steps, start=1):
        lines.append(f"{number}. {what}")
        lines.extend(f"   parley {' '.join(map(_word, command))}" for command in commands)
    return "\n".join(lines)


def _word(word: str | Path) -> str:
    return str(word) if word in (BUNDLES, TO) else shlex.quote(str(word))


def _check_id(option: str, text: str) -> None:
    if not is_identifier(text):
        raise UsageError(
            f"{option} {text!r} is no id", hint="lower-case words joined by hyphens, at most 40"
        )


def spellings(field: str) -> tuple[str, ...]:
    """What a schema may say of ``field`` of a CSV source."""
    from parties.data.schema import CsvSource

    return get_args(CsvSource.model_fields[field].annotation)


def _check_spelling(option: str, said: str, allowed: Sequence[str]) -> None:
    if said not in allowed:
        raise UsageError(
            f"{option} {said!r} is none that a schema may say",
            hint=f"one of {', '.join(map(json.dumps, allowed))}",
        )


def _make(
    directory: Path,
    texts: Mapping[str, str],
    member: str,
    role: Role,
    organization: str,
) -> Path:
    for name in texts:
        if (directory / name).exists():
            raise UsageError(f"{directory / name} exists already; nothing was changed")
    asked = request(directory / IDENTITY, member, role, organization)
    for name, text in texts.items():
        files.write_public(directory / name, text.encode())
    return asked


def _headers(new: NewParty, data: Path | None) -> tuple[list[str], str]:
    """The columns of the data file, and its path as the schema file will say it."""
    if data is None:
        return [], f"{new.table}.csv"
    from parties.data.csv_reading import read_header
    from parties.data.register import other_delimiters
    from parties.data.schema import CsvSource

    file = str(data.resolve())
    if data.resolve().is_relative_to(new.directory.resolve()):
        file = str(data.resolve().relative_to(new.directory.resolve()))
    form = {"delimiter": new.delimiter, "encoding": new.encoding}
    source = CsvSource.model_validate({"format": "csv", "files": (file,), **form})
    try:
        header = read_header(data, source)
    except UnicodeError:
        header = None
    if not header:
        raise UsageError(
            f"{data} has no header in {new.encoding}",
            hint="give its --encoding, or leave --data out and write the schema by hand",
        )
    others = other_delimiters(header[0], source) if len(header) == 1 else []
    if others:
        raise UsageError(
            f"the header of {data} is one column if its delimiter is {new.delimiter!r}",
            hint=f"is it --delimiter {' or '.join(map(repr, others))}? or leave --data out",
        )
    return header, file
