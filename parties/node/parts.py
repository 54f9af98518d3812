"""What a node is made of, opened once at its start and shared by desk and studies."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.ports import Clock, Randomness
from parties.config import NodeConfig
from parties.data.catalogue import Catalogue
from parties.identity.trust import Trust
from parties.ledger.sqlite import SqliteLedger
from parties.node.requests import RequestStore
from parties.policy.model import PolicyFile
from parties.prepared.store import PreparedStore

LEDGER = "ledger.db"
REQUESTS = "requests.db"
TEMPORARY = "tmp"
LIFE = "node.lock"  # held by the one process that is this node


@dataclass(frozen=True)
class NodeParts:
    """One party's files, opened: who it is and knows, what it offers, allows and has spent."""

    config: NodeConfig
    trust: Trust
    policy: PolicyFile
    catalogue: Catalogue
    ledger: SqliteLedger
    requests: RequestStore
    prepared: PreparedStore
    clock: Clock
    randomness: Randomness
