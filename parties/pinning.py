"""A peer's fingerprint written into a participant's own file, as its operator would write it.

``node.yaml`` and ``coordinator.yaml`` say who is trusted (:mod:`parties.config`). Comments and the
order of the file stay as they are.
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


def pin(file: Path, member: Member) -> None:
    """Pin ``member`` in ``file``, a node's or a coordinator's. Pinned already: nothing changes.

    Raises IdentityError if its id is pinned to other certificates, UsageError if the file cannot
    take the pin. The fingerprint must have been compared before.
    """
    writer = YAML()
    writer.width = LINE_WIDTH
    writer.preserve_quotes = True
    try:
        said = writer.load(files.read(file))
    except YAMLError:
        raise UsageError(f"{file} is no YAML", hint="parley node start says where") from None
    if not isinstance(said, MutableMapping):
        raise UsageError(f"{file} is no node's or coordinator's file")
    if "party" in said:
        changed = _pin_peer(file, said, member)
    elif "coordinator" in said:
        changed = _pin_party(file, said, member)
    else:
        raise UsageError(f"{file} is no node's or coordinator's file")
    if changed:
        text = StringIO()
        writer.dump(said, text)
        files.write_public(file, text.getvalue().encode())


def _pin_peer(file: Path, said: MutableMapping[str, Any], member: Member) -> bool:
    peers = said.get("peers")
    if not isinstance(peers, MutableMapping):
        raise UsageError(f"{file} has no block of peers", hint="write one: peers: {}")
    if _is_pinned(file, peers.get(member.id), member):
        return False
    if not peers and hasattr(peers, "fa"):
        peers.fa.set_block_style()
    peers[str(member.id)] = member.fingerprint
    return True


def _pin_party(file: Path, said: MutableMapping[str, Any], member: Member) -> bool:
    if member.role is not Role.PARTY:
        raise UsageError(f"{member.id} is a {member.role.value}; {file} lists parties only")
    parties = said.get("parties")
    entry = parties.get(member.id) if isinstance(parties, MutableMapping) else None
    if not isinstance(entry, MutableMapping):
        raise UsageError(
            f"{file} has no address of {member.id}",
            hint=f"write it under parties: {member.id}: {{address: host:port}}",
        )
    if _is_pinned(file, entry.get("fingerprint"), member):
        return False
    entry["fingerprint"] = member.fingerprint
    return True


def _is_pinned(file: Path, pinned: object, member: Member) -> bool:
    if pinned is None or pinned == member.fingerprint:
        return pinned is not None
    raise IdentityError(
        f"{file} pins {member.role.value} {member.id} to other certificates ({pinned})",
        hint="if they were renewed, and it is sure by another way: take that line out first",
    )
