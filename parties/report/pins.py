"""The roster file of ``parley verify --roster``: whose keys a reader trusts, by fingerprint.

It is a mapping ``id: fingerprint`` in JSON or YAML, and worth something only if the fingerprints
came from the owners and not from whoever sent the receipt. ``receipt-fingerprints.json`` has the
same form, and says whose keys a receipt claims.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mpc.errors import ConfigFaults, Fault
from mpc.roster import Roster
from mpc.study.source import Block, Leaf, Mark, Unreadable, read_tree
from mpc.units import PartyId, is_fingerprint, is_identifier

FAMILY = "PLY-C"
CODE = "PLY-C090"
PINS_MAX = 1000


def pins_json(roster: Roster) -> bytes:
    """A file of the form of a roster: all members of ``roster``, the coordinator too."""
    pins = {member.id: member.fingerprint for member in roster}
    return json.dumps(pins, indent=2).encode("ascii") + b"\n"


def load_pins(data: bytes, file: str) -> Mapping[PartyId, str]:
    """The pins in ``data``. Raises ConfigFaults with every fault of ``file``."""
    try:
        tree, found = read_tree(data, FAMILY)
    except Unreadable as unreadable:
        raise ConfigFaults(file, (unreadable.fault,)) from None
    faults = list(found)
    pins: dict[PartyId, str] = {}
    if not isinstance(tree, Block) or not 1 <= len(tree.entries) <= PINS_MAX:
        allowed = f"id: sha256:… lines, 1 to {PINS_MAX}"
        faults.append(_fault("file", "not a mapping of ids to fingerprints", allowed, tree.mark))
        raise ConfigFaults(file, tuple(faults))
    for number, (name, entry) in enumerate(tree.entries.items()):
        path = name if is_identifier(name) else f"entry {number + 1}"
        if not is_identifier(name):
            allowed = "lower-case words joined by hyphens, at most 40 characters"
            faults.append(_fault(path, "not an id", allowed, entry.key.mark))
        elif not isinstance(entry.value, Leaf) or not is_fingerprint(entry.value.text):
            allowed = "sha256: and 64 lower-case hex digits"
            faults.append(_fault(path, "not a fingerprint", allowed, entry.value.mark))
        else:
            pins[PartyId(name)] = entry.value.text
    if faults:
        raise ConfigFaults(file, tuple(faults))
    return pins


def _fault(path: str, what: str, allowed: str, mark: Mark) -> Fault:
    return Fault(CODE, path, what, allowed, mark.line, mark.column)
