"""A peer's fingerprint written into a participant's own file, as its operator would write it.

``node.yaml``, ``dealer.yaml`` and ``coordinator.yaml`` say who is trusted (:mod:`parties.config`).
A pin is a line put where it belongs; every other line of the file, comments too, stays as it is.
Only a block that is written on one line is written anew.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mpc.errors import IdentityError, UsageError
from mpc.roster import Member
from mpc.units import Role
from parties.identity import files

LINE_WIDTH = 4096  # no fingerprint is ever broken in two
Block = MutableMapping[str, Any]
_LISTS = {Role.PARTY: "parties", Role.DEALER: "dealers"}  # in a coordinator's file


def check_identity(file: Path, directory: Path) -> None:
    """Raise UsageError unless ``file`` is of the participant whose identity is in ``directory``.

    So nobody pins a peer, or itself, in another participant's file by a slip.
    """
    said = _read(file)[1].get("identity")
    if not isinstance(said, str):
        raise UsageError(f"{file} names no identity folder", hint="write one: identity: identity")
    if (file.resolve().parent / said).resolve() != directory.resolve():
        raise UsageError(
            f"{file} is not the file of {directory}: its identity is {said}",
            hint="give the identity folder and the file of one participant",
        )


def pin(file: Path, member: Member) -> None:
    """Pin ``member`` in ``file``, of any participant. Pinned already: nothing changes.

    Raises IdentityError if its id is pinned to other certificates, UsageError if the file cannot
    take the pin or is the member's own. The fingerprint must have been compared before.
    """
    text, said = _read(file)
    own = said.get("party", said.get("dealer"))
    if own is not None:
        if own == member.id:
            raise UsageError(f"{file} is {member.id}'s own; nobody pins itself")
        path, key = _peer_place(file, said, member)
    else:
        path, key = _listed_place(file, said, member)
    block = _block_at(said, path)
    if _is_pinned(file, block.get(key), member):
        return
    block[key] = member.fingerprint  # what the file is to say
    wanted = _plain(said)
    written = _with_line(text, path, key, member.fingerprint)
    if written is None or not _says(written, wanted):
        written = _dumped(said)
    files.write_public(file, written.encode())


def _read(file: Path) -> tuple[str, Block]:
    try:
        text = files.read(file).decode()
        said = _loaded(text)
    except (YAMLError, UnicodeDecodeError):
        raise UsageError(f"{file} is no YAML", hint="parley node start says where") from None
    if not isinstance(said, MutableMapping) or not {"party", "dealer", "coordinator"} & set(said):
        raise UsageError(f"{file} is no node's, dealer's or coordinator's file")
    return text, said


def _writer() -> YAML:
    writer = YAML()
    writer.width = LINE_WIDTH
    writer.preserve_quotes = True
    return writer


def _loaded(text: str) -> Any:
    return _writer().load(text)


def _dumped(said: Block) -> str:
    text = StringIO()
    _writer().dump(said, text)
    return text.getvalue()


def _plain(said: Any) -> Any:
    if isinstance(said, MutableMapping):
        return {str(key): _plain(value) for key, value in said.items()}
    return [_plain(each) for each in said] if isinstance(said, list) else said


def _says(text: str, wanted: Any) -> bool:
    try:
        return bool(_plain(_loaded(text)) == wanted)
    except YAMLError:
        return False


def _block_at(said: Block, path: tuple[str, ...]) -> Block:
    for name in path:
        said = said[name]
    return said


def _with_line(text: str, path: tuple[str, ...], key: str, fingerprint: str) -> str | None:
    """``text`` with ``key: fingerprint`` behind the last entry of the block at ``path``.

    None if that block is written in braces with something in them. What comes of odder files is
    for the caller to read again and compare.
    """
    lines = text.splitlines(keepends=True)
    parent: Any = _block_at(_loaded(text), path[:-1])
    block, (row, column) = parent[path[-1]], parent.lc.key(path[-1])
    if block:
        if block.fa.flow_style():
            return None
        places = [block.lc.key(each) for each in block]
        row, column = max(places)
    else:
        before, braces, after = lines[row].partition("{}")
        if braces:
            lines[row] = before.rstrip() + (f" {after.lstrip()}" if after.strip() else after)
        column += 2
    if not lines[row].endswith("\n"):
        lines[row] += "\n"
    lines.insert(row + 1, f"{' ' * column}{key}: {fingerprint}\n")
    return "".join(lines)


def _peer_place(file: Path, said: Block, member: Member) -> tuple[tuple[str, ...], str]:
    if "peers" in said and said["peers"] is None:
        said["peers"] = {}  # an empty block: peers: and nothing
    if not isinstance(said.get("peers"), MutableMapping):
        raise UsageError(f"{file} has no block of peers", hint="write one: peers: {}")
    return ("peers",), str(member.id)


def _listed_place(file: Path, said: Block, member: Member) -> tuple[tuple[str, ...], str]:
    block = _LISTS.get(member.role)
    if block is None:
        what = f"{member.id} is a {member.role.value}; {file} lists parties and dealers only"
        raise UsageError(what)
    listed = said.get(block)
    entry = listed.get(member.id) if isinstance(listed, MutableMapping) else None
    if not isinstance(entry, MutableMapping):
        raise UsageError(
            f"{file} has no address of {member.id}",
            hint=f"write it under {block}: {member.id}: {{address: host:port}}",
        )
    return (block, str(member.id)), "fingerprint"


def _is_pinned(file: Path, pinned: object, member: Member) -> bool:
    if pinned is None or pinned == member.fingerprint:
        return pinned is not None
    raise IdentityError(
        f"{file} pins {member.role.value} {member.id} to other certificates ({pinned})",
        hint="if they were renewed, and it is sure by another way: take that line out first",
    )
