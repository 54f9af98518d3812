"""What a coordinator and the nodes say to each other, in clear: recorded at the coordinator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import grpc

from parties.coordinator import client
from parties.identity.credentials import dial


@dataclass
class Recorder(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
):
    """Every request, reply and error of the control plane, as (method, bytes)."""

    said: list[tuple[str, bytes]] = field(default_factory=list)

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], details: Any, request: Any
    ) -> Any:
        self._keep(details.method, request)
        call = continuation(details, request)
        if call.exception() is None:
            self._keep(details.method, call.result())
        for key, value in call.trailing_metadata() or ():
            said = value if isinstance(value, bytes) else value.encode()
            self.said.append((f"{details.method} {key}", said))
        return call

    def intercept_unary_stream(
        self, continuation: Callable[[Any, Any], Any], details: Any, request: Any
    ) -> Any:
        self._keep(details.method, request)
        return self._kept(details.method, continuation(details, request))

    def _kept(self, method: str, replies: Iterator[Any]) -> Iterator[Any]:
        for reply in replies:
            self._keep(method, reply)
            yield reply

    def _keep(self, method: str, message: Any) -> None:
        self.said.append((method, message.SerializeToString()))


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record what every coordinator that is made within says and hears."""
    recorder = Recorder()

    def recorded(*arguments: Any, **options: Any) -> Any:
        return grpc.intercept_channel(dial(*arguments, **options), recorder)

    with patch.object(client, "dial", recorded):
        yield recorder
