"""A federation of real node processes, its files in a folder of the test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from mpc.plan.model import Plan
from mpc.ports import Balance
from mpc.session.agreement import BUILD
from mpc.study.model import Study
from parties.config import load_coordinator_config
from parties.coordinator.office import Finished, Office
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.node.parts import LEDGER
from parties.simulated_files import DOMAIN
from parties.simulation import NODE_MODULE, Federation
from parties.system import SystemClock

TESTS = Path(__file__).parent
APPROVAL_S = 30.0


@contextmanager
def running(
    root: Path, study: Study, data: Mapping[str, Path], *, module: str = NODE_MODULE
) -> Iterator[Federation]:
    """Build, start and at the end stop ``study``'s federation; ``module`` is the nodes' entry."""
    federation = Federation(root, study)
    federation.build(data)
    for node in federation.nodes.values():
        node.module = module
    with started(federation):
        yield federation


@contextmanager
def started(federation: Federation) -> Iterator[None]:
    """Start the nodes of a built federation, with tests' modules in reach, and stop them."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    with federation, patch.dict(os.environ, {"PYTHONPATH": path}):
        federation.start()
        yield


def ports_of(federation: Federation) -> list[range]:
    """Where each node and its workers may listen."""
    ports = []
    for node in federation.nodes.values():
        config = node.node_config
        listen, (first, last) = int(config.listen.rpartition(":")[2]), config.exchange.ports
        ports += [range(listen, listen + 1), range(first, last + 1)]
    return ports


def office_of(federation: Federation, build: str = BUILD) -> Office:
    """The coordinator; ``build`` is the mechanism it takes part in."""
    return Office(load_coordinator_config(federation.coordinator_config), build)


def finish(office: Office, plan: Plan) -> Finished:
    """Run ``plan`` with policy approvals and nobody watching."""
    return office.run(plan, APPROVAL_S, lambda _party, _stage: None, lambda _pending: None)


def balances(federation: Federation) -> dict[str, Balance]:
    """What every party's ledger says on disk."""
    limits = PartnerLimits(reserved_max=1, aborts_max=1, reserve_s=1)
    return {
        party: SqliteLedger(node.node_config.state / LEDGER, SystemClock(), limits).balance(DOMAIN)
        for party, node in federation.nodes.items()
    }
