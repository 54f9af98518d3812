"""What a node and a dealer do to serve: one life a folder, one address, until told to stop.

A process that serves prints one line on stdout, ``{"listening": "host:port", …}``. Files are read
and the address is tried first, so that what is wrong there is all that is told; then, before gRPC,
the zygote is started, for it forks.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

from mpc.errors import ConfigFaults, Fault, ListenError, ParleyError, StorageError
from mpc.units import PartyId
from parties.config import Exchange
from parties.identity.credentials import server_credentials, server_options
from parties.identity.probe import split_address
from parties.identity.store import Identity, load_identity

STOP_S = 3.0
TAKEN = "does this node run already, or another process at that address? its file says listen:"
LOG_FORMAT = "%(asctime)s %(name)s %(message)s"


@contextmanager
def only_life(lock: Path, whose: str) -> Iterator[None]:
    """This process alone holds ``lock`` while the block lasts, wherever it listens.

    Raises StorageError if another does; what a process that was killed held is free.
    """
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"{lock.parent}: {whose} runs already",
                hint="stop it first, wherever it listens: two would undo each other's studies",
            ) from None
        yield
    finally:
        os.close(held)


def check_address(listen: str) -> None:
    """Raise ListenError if ``listen`` cannot be bound now. Nothing stays bound."""
    host, port = split_address(listen)
    why = ""
    try:
        for family, _type, _protocol, _name, place in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                socket.create_server(place[:2], family=family).close()
            except OSError as failure:
                why = failure.strerror or why
            else:
                return
    except socket.gaierror as failure:
        why = failure.strerror or why
    raise ListenError(f"cannot listen on {listen}: {why}", hint=TAKEN)


def own_identity(folder: Path, own: PartyId, file: Path, key: str) -> Identity:
    """The keys in ``folder``. Raises ConfigFaults, at ``key`` of ``file``, if not ``own``'s."""
    identity = load_identity(folder)
    if identity.member.id != own:
        what = f"the identity here is {identity.member.id}'s"
        raise ConfigFaults(str(file), (Fault("PLY-C106", key, what, "its own id", 1, 1),))
    return identity


def main_of(serve: Callable[[Path], None]) -> None:
    """``serve`` the file named on the command line, its log on stderr; exit as the error says."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    try:
        serve(Path(sys.argv[1]))
    except ParleyError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def new_server(exchange: Exchange, calls_max: int) -> grpc.Server:
    """A server that answers ``calls_max`` calls at once, and notices frozen callers."""
    return grpc.server(
        ThreadPoolExecutor(calls_max, thread_name_prefix="call"),
        options=server_options(exchange.keepalive_s, exchange.timeout_s),
        maximum_concurrent_rpcs=calls_max,
    )


def bind(server: grpc.Server, listen: str, identity: Identity) -> str:
    """The address that ``server`` got, with mutual TLS. Raises ListenError if it got none."""
    try:
        port = server.add_secure_port(listen, server_credentials(identity))
    except RuntimeError:
        port = 0
    if not port:
        raise ListenError(f"cannot listen on {listen}", hint=TAKEN)
    return f"{listen.rpartition(':')[0]}:{port}"


def serve_until_told(
    server: grpc.Server, line: dict[str, str], when_ready: Callable[[], None],
    stop: Callable[[], None],
) -> None:  # fmt: skip
    """Start ``server``; print ``line`` after ``when_ready``; ``stop`` at SIGTERM or SIGINT."""
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    server.start()
    when_ready()
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    stopped.wait()
    stop()
    server.stop(STOP_S).wait()
