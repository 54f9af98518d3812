"""Messages between a node and its worker: canonical objects over an inherited Unix socket.

Keys and orders travel here, never by argument, environment or file. Each message is a 4-byte
length and the canonical bytes of one object. The end of the stream means that the other side is
gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Protocol

from mpc.canonical import SIZE_MAX, Plain, canonical_bytes, from_canonical
from mpc.errors import TransportError
from parties.worker.messages import Alive

LIFE_S = 1.0  # between two signs of life

_LENGTH = struct.Struct(">I")


class PipeClosed(TransportError):
    """The other end of the pipe is gone: its process ended."""


class Sendable(Protocol):
    """An order or a message."""

    def to_plain(self) -> dict[str, Plain]: ...


class Pipe:
    """One end of a node-worker pipe. Sending is safe from several threads; receiving is not."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._send_lock = threading.Lock()

    @classmethod
    def of_descriptor(cls, descriptor: int) -> Pipe:
        return cls(socket.socket(fileno=descriptor))

    def send(self, message: Sendable) -> None:
        """Write ``message``; raises PipeClosed if the other process is gone."""
        data = canonical_bytes(message.to_plain())
        if len(data) > SIZE_MAX:
            raise TransportError("message to the worker is too large")
        with self._send_lock:
            try:
                self._end.sendall(_LENGTH.pack(len(data)) + data)
            except OSError:
                raise PipeClosed("the process at the other end of the pipe is gone") from None

    def receive(self, deadline_s: float | None) -> dict[str, Plain]:
        """The next message. ``None`` waits until one comes or the other process ends."""
        try:
            self._end.settimeout(deadline_s)
        except OSError:
            raise PipeClosed("this end of the pipe was closed") from None
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > SIZE_MAX:
            raise TransportError("message from the pipe is too large")
        message = from_canonical(self._exactly(length))
        if not isinstance(message, dict):
            raise TransportError("message from the pipe is no object")
        return message

    def is_silent(self, deadline_s: float) -> bool:
        """Whether nothing came by the deadline. The other process's end is no silence."""
        try:
            return not select.select([self._end], [], [], deadline_s)[0]
        except (OSError, ValueError):  # closed meanwhile: receiving says so
            return False

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self._end.recv(count - len(parts))
            except TimeoutError:
                raise TransportError("the pipe stayed silent past its deadline") from None
            except OSError:
                part = b""
            if not part:
                raise PipeClosed("the process at the other end of the pipe is gone")
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """End the pipe; the other side sees the end of the stream."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def __enter__(self) -> Pipe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def exit_when_closed(pipe: Pipe) -> threading.Thread:
    """Watch ``pipe`` from a thread: any message or its end stops this process at once.

    A worker lives only as long as its study: a cancelled study, a node that ended or was killed
    all show here. Leaving without clean-up is safe, because what must survive is in the ledger's
    transactions.
    """

    def watch() -> None:
        with contextlib.suppress(TransportError):
            pipe.receive(None)
        os._exit(0)

    thread = threading.Thread(target=watch, name="pipe-watch", daemon=True)
    thread.start()
    return thread


def show_life(pipe: Pipe) -> None:
    """From a thread, tell the other side every ``LIFE_S`` that this process is not frozen."""

    def tell() -> None:
        with contextlib.suppress(TransportError):
            while True:
                pipe.send(Alive())
                time.sleep(LIFE_S)

    threading.Thread(target=tell, name="signs-of-life", daemon=True).start()
