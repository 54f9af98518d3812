"""The roster file of ``parley verify --roster``: whose keys a reader trusts, by fingerprint.

It is a mapping ``id: fingerprint`` in JSON or YAML, and worth something only if the fingerprints
came from the owners and not from whoever sent the receipt. ``receipt-fingerprints.json`` says whose
keys a receipt claims; it has another form, and is refused as a roster: it would agree with itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mpc.errors import ConfigFaults, Fault, UsageError
from mpc.roster import Roster
from mpc.study.source import Block, Leaf, Mark, Unreadable, read_tree
from mpc.units import PartyId, is_fingerprint, is_identifier

FAMILY = "PLY-C"
CODE = "PLY-C090"
PINS_MAX = 1000
CLAIMED = "claimed_by_receipt"


def pins_json(roster: Roster) -> bytes:
    """``receipt-fingerprints.json``: all members of a receipt's ``roster``, the coordinator too."""
    pins = {member.id: member.fingerprint for member in roster}
    return json.dumps({CLAIMED: pins}, indent=2).encode("ascii") + b"\n"


def load_pins(data: bytes, file: str) -> Mapping[PartyId, str]:
    """The pins in ``data``. Raises ConfigFaults with every fault of ``file``.

    Raises UsageError on what :func:`pins_json` wrote.
    """
    try:
        tree, found = read_tree(data, FAMILY)
    except Unreadable as unreadable:
        raise ConfigFaults(file, (unreadable.fault,)) from None
    if isinstance(tree, Block) and CLAIMED in tree.entries:
        raise UsageError(
            f"{file} holds what a receipt says of its own keys: it is no roster",
            hint="a roster has fingerprints that the parties gave you, as parley pki roster prints",
        )
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
