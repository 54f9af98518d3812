"""A party's node as a process: ``parley node start``, or ``python -m parties.node.main NODE.yaml``.

It serves as :mod:`parties.serving` says. Its log goes to stderr.
"""

from __future__ import annotations

import logging
import shutil

from mpc.errors import ConfigFaults, Fault
from mpc.units import ProtectedUnit
from parties.config import NodeConfig, load_node_config
from parties.data.catalogue import Catalogue
from parties.identity.trust import load_trust
from parties.ledger.sqlite import SqliteLedger
from parties.node.account import ledger_limits
from parties.node.desk import Desk
from parties.node.parts import LEDGER, LIFE, REQUESTS, TEMPORARY, NodeParts
from parties.node.requests import RequestStore
from parties.node.runs import watchers_max
from parties.node.service import ControlService
from parties.node.studies import Studies
from parties.node.workers import ZYGOTE_MODULE, Zygote
from parties.policy.model import PolicyFile, load_policy
from parties.prepared.store import open_prepared
from parties.serving import (
    bind,
    check_address,
    main_of,
    new_server,
    only_life,
    own_identity,
    serve_until_told,
)
from parties.system import SystemClock, SystemRandomness, keep_no_core
from protos.control_pb2_grpc import add_PartyServicer_to_server

CALLS_MAX = 32  # at once, beside those that watch a run

_log = logging.getLogger("parley.node")


def open_ledger(config: NodeConfig, policy: PolicyFile) -> SqliteLedger:
    """The node's ledger, with a domain for each of the policy's, capped as the policy says.

    Raises IntegrityError if something else than Parley changed its charges.
    """
    ledger = SqliteLedger(config.state / LEDGER, SystemClock(), ledger_limits(policy))
    ledger.check_chain()
    owner = policy.value.owner.name if policy.value.owner else "policy file"
    for name, domain in policy.value.domains.items():
        wanted, kept = domain.protected, ledger.unit(name)
        caps = (domain.rho, domain.delta_charges)
        if kept is None:
            ledger.create_domain(name, wanted, *caps, owner)
        elif kept != wanted:
            raise ConfigFaults(str(policy.path), (_other_unit(policy, name, kept),))
        else:
            balance = ledger.balance(name)
            if caps != (balance.rho_cap, balance.delta_cap):
                ledger.set_cap(name, *caps, owner, f"policy file {policy.path.name}")
        ledger.set_bounds(name, domain.bounds, owner)
    return ledger


def _other_unit(policy: PolicyFile, domain: str, kept: ProtectedUnit) -> Fault:
    what = "another unit than the ledger has protected in this domain so far"
    unit = "unit person" if kept.is_person else f"rows_max {kept.rows_max}"
    allowed = f"adjacency {kept.adjacency.value} and {unit}, or a new domain"
    line = policy.line("domains", domain)
    return Fault("PLY-C108", f"domains.{domain}", what, allowed, line, 1)


def open_parts(config: NodeConfig) -> NodeParts:
    """Open everything a node needs. Raises the first error; nothing serves before all is well."""
    clock = SystemClock()
    identity = own_identity(config.identity, config.party, config.file, "party")
    policy = load_policy(config.policy)
    config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return NodeParts(
        config=config,
        trust=load_trust(config.identity, identity, config.peers),
        policy=policy,
        catalogue=Catalogue(config),
        ledger=open_ledger(config, policy),
        requests=RequestStore(config.state / REQUESTS, clock),
        prepared=open_prepared(config.state, identity, clock),
        clock=clock,
        randomness=SystemRandomness(),
    )


def settle_orphans(parts: NodeParts) -> int:
    """Settle what runs of an earlier life of this node still hold; how many there were.

    Their workers ended with that node, by nobody's order: if rows were being read, they may be why.
    One that was committing at that moment either did, and then there is nothing to settle, or finds
    its reservation gone.
    """
    return sum(parts.ledger.fail(run) for run in parts.ledger.reserved())


def serve(config: NodeConfig, zygote_module: str = ZYGOTE_MODULE) -> None:
    """Run a node until SIGTERM or SIGINT. ``zygote_module`` is what its workers are forked from."""
    keep_no_core()
    with only_life(config.state / LIFE, f"{config.party}'s node"):
        _serve(config, zygote_module)


def _serve(config: NodeConfig, zygote_module: str) -> None:
    parts = open_parts(config)
    check_address(config.listen)
    zygote = Zygote(zygote_module)
    try:
        studies = Studies(parts, Desk(parts), zygote)
        watchers = watchers_max(config.workers.at_once, len(config.coordinators))
        server = new_server(config.exchange, CALLS_MAX + watchers)
        add_PartyServicer_to_server(  # type: ignore[no-untyped-call] # generated
            ControlService(parts.trust, config.coordinators, studies.desk, studies), server
        )
        address = bind(server, config.listen, parts.trust.identity)
        shutil.rmtree(config.state / TEMPORARY, ignore_errors=True)
        parts.prepared.clear()
        for seen in parts.ledger.evidence():
            _log.warning("the ledger is an older copy: %s has seen more of it", seen.party)
        settled = settle_orphans(parts)
        if settled:
            _log.info("%d reservations of an earlier life of this node settled", settled)

        def ready() -> None:
            zygote.wait_ready()
            _log.info("%s is ready", config.party)
            studies.desk.log_offline()

        line = {"listening": address, "party": config.party}
        serve_until_told(server, line, ready, studies.stop)
    finally:
        zygote.close()


def main(zygote_module: str = ZYGOTE_MODULE) -> None:
    """Run the node of the file named on the command line."""
    main_of(lambda path: serve(load_node_config(path), zygote_module))


if __name__ == "__main__":
    main()
