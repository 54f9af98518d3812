"""A dealer as a process: ``parley dealer start``, or ``python -m parties.dealer.main DEALER.yaml``.

It serves as :mod:`parties.serving` says. Its log goes to stderr, and names runs and participants
only.
"""

from __future__ import annotations

import logging

from mpc.errors import IdentityError
from mpc.units import Role
from parties.dealer.config import DealerConfig, load_dealer_config
from parties.dealer.dealings import Dealings
from parties.dealer.service import DealerService
from parties.identity.store import Identity
from parties.identity.trust import load_trust
from parties.node.runs import watchers_max
from parties.node.workers import Zygote
from parties.serving import (
    bind,
    check_address,
    main_of,
    new_server,
    only_life,
    own_identity,
    serve_until_told,
)
from parties.system import SystemClock, keep_no_core
from protos.control_pb2_grpc import add_PartyServicer_to_server

ZYGOTE_MODULE = "parties.dealer.zygote"
CALLS_MAX = 16  # at once, beside those that watch a run
LIFE = "dealer.lock"  # held by the one process that is this dealer

_log = logging.getLogger("parley.dealer")


def open_identity(config: DealerConfig) -> Identity:
    """The dealer's own keys. Raises ConfigFaults or IdentityError if they are not a dealer's."""
    identity = own_identity(config.identity, config.dealer, config.file, "dealer")
    own = identity.member
    if own.role is not Role.DEALER:
        raise IdentityError(
            f"the certificates of {own.id} are of a {own.role.value}, not of a dealer",
            hint="parley dealer new makes a request for the right ones, in a folder of its own",
        )
    return identity


def serve(config: DealerConfig, zygote_module: str = ZYGOTE_MODULE) -> None:
    """Run a dealer until SIGTERM or SIGINT. ``zygote_module``: what its workers are forked from."""
    keep_no_core()
    with only_life(config.state / LIFE, f"the dealer {config.dealer}"):
        _serve(config, zygote_module)


def _serve(config: DealerConfig, zygote_module: str) -> None:
    identity = open_identity(config)
    trust = load_trust(config.identity, identity, config.peers)
    check_address(config.listen)
    zygote = Zygote(zygote_module)
    try:
        dealings = Dealings(config, trust, SystemClock(), zygote)
        watchers = watchers_max(config.at_once, len(config.coordinators))
        server = new_server(config.exchange, CALLS_MAX + watchers)
        service = DealerService(trust, config.coordinators, dealings)
        add_PartyServicer_to_server(service, server)  # type: ignore[no-untyped-call] # generated
        line = {"listening": bind(server, config.listen, identity), "dealer": config.dealer}

        def ready() -> None:
            zygote.wait_ready()
            _log.info("%s is ready", config.dealer)
            if not config.organizations:
                _log.warning("%s deals for nobody: organizations is empty", config.dealer)

        serve_until_told(server, line, ready, dealings.stop)
    finally:
        zygote.close()


def main(zygote_module: str = ZYGOTE_MODULE) -> None:
    """Run the dealer of the file named on the command line."""
    main_of(lambda path: serve(load_dealer_config(path), zygote_module))


if __name__ == "__main__":
    main()
