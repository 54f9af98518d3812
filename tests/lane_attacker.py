"""Alpha of a two-party session, with its own certificate, writing frames by hand on either lane."""

from __future__ import annotations

import queue
import socket
import ssl
import struct
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import grpc
import pytest
from lane_federation import QUICK, Federation, Participant

from mpc.errors import ParleyError
from mpc.units import PartyId
from parties import frames
from parties.channel import PeerChannel
from parties.dialling import Dialler
from parties.direct.greeting import LANE
from parties.frames import FrameReader, FrameWriter
from parties.identity.certificates import parse_der, pem
from parties.identity.contexts import bare_context, load_own
from parties.lane import METHOD
from parties.listening import LaneSettings

ALPHA = PartyId("alpha")
STEP = b"an honest step.."
HEADER = struct.Struct(">8sI16sI")


class Out(Protocol):
    """What is put in is sent as it is; None ends this direction."""

    def put(self, data: bytes | None, /) -> None: ...


class Attack:
    """Bravo waits for alpha; a subclass is alpha, on its lane."""

    LANE: str

    def __init__(self, settings: LaneSettings = QUICK) -> None:
        self.federation = Federation(2, lane=self.LANE)
        self.tag = self.federation.session_tag
        self.writer = FrameWriter(self.tag)
        self.alpha, self.bravo = self.federation.parties
        self.listener = self.bravo.listener(settings)
        self._pool = ThreadPoolExecutor(1)
        self._waiting: Future[PeerChannel] = self._pool.submit(
            self.listener.connect, self.federation.roster, self.tag, {}, 4.0
        )

    def joined(self) -> Out:
        """Alpha's direction of a session that bravo took it into."""
        raise NotImplementedError

    def put(self, out: Out, operation: bytes, data: bytes) -> None:
        for frame in self.writer.frames(operation, data):
            out.put(frame)

    @property
    def victim(self) -> PeerChannel:
        return self._waiting.result()

    def refused(self, size: int = 8) -> ParleyError:
        with pytest.raises(ParleyError) as caught:
            self.victim.receive(ALPHA, STEP, size)
        assert "alpha" in str(caught.value)
        return caught.value

    def close(self) -> None:
        self.listener.close()
        self._pool.shutdown()


class GrpcAttack(Attack):
    LANE = "grpc"

    def __init__(self) -> None:
        super().__init__()
        self._dialler = Dialler(self.alpha.member, self.alpha.tls_key_pem, 3, 4)
        self.reached: list[grpc.Channel] = []
        self._streams: list[object] = []

    def stream(self) -> tuple[queue.SimpleQueue[bytes | None], grpc.CallIterator[bytes]]:
        """A fresh stream, and what comes back on it."""
        channel = self._dialler.reach(self.bravo.member, self.listener.address, 3)
        self.reached.append(channel)
        out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        incoming = channel.stream_stream(METHOD)(iter(out.get, None))
        self._streams.append(incoming)  # a call that is collected is cancelled
        return out, incoming

    def joined(self) -> Out:
        out, incoming = self.stream()
        self.put(out, frames.JOIN, b"alpha")
        assert HEADER.unpack_from(next(incoming))[2] == frames.JOIN
        return out

    def close(self) -> None:
        for channel in self.reached:
            channel.close()
        super().close()


class Knocking:
    """One connection of the direct lane, from a caller of whatever kind."""

    def __init__(self, attack: DirectAttack, caller: Participant) -> None:
        self._attack = attack
        self._reader = FrameReader(attack.tag)
        context = bare_context()
        context.set_alpn_protocols([LANE])
        load_own(context, caller.tls_key_pem, pem(parse_der(caller.member.tls_certificate)))
        self.secured = context.wrap_socket(attack.connection())

    def put(self, data: bytes | None) -> None:
        if data is None:
            socket.socket.shutdown(self.secured, socket.SHUT_WR)
        else:
            self.secured.sendall(data)

    def hear(self) -> tuple[bytes, bytes]:
        """The next frame's operation and payload. Raises EOFError if there is none."""
        operation, length = self._reader.head(self._exactly(32))
        return operation, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.secured.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def is_turned_away(self) -> bool:
        """Whether the listener ends it without another word."""
        try:
            self.hear()
        except (EOFError, ConnectionError, ssl.SSLError):
            return True
        return False


class DirectAttack(Attack):
    LANE = "direct"

    def __init__(self, settings: LaneSettings = QUICK) -> None:
        super().__init__(settings)
        self.open: list[socket.socket] = []
        self.hearing: Knocking  # bravo's direction, once joined

    def connection(self) -> socket.socket:
        """A bare one to bravo."""
        host, port = self.listener.address.split(":")
        while True:
            try:
                connection = socket.create_connection((host, int(port)), timeout=8)
            except ConnectionRefusedError:
                continue  # bravo does not listen as yet
            self.open.append(connection)
            return connection

    def knock(self, caller: Participant | None = None) -> Knocking:
        """A connection after bravo's first word."""
        knocking = Knocking(self, caller or self.alpha)
        self.open.append(knocking.secured)
        assert knocking.hear() == (frames.JOIN, b"bravo")
        return knocking

    def greet(self, operation: bytes, writer: FrameWriter) -> Knocking:
        knocking = self.knock()
        for frame in writer.frames(operation, b"alpha"):
            knocking.put(frame)
        assert knocking.hear() == (frames.GOT, b"")
        return knocking

    def joined(self) -> Out:
        self.beats = FrameWriter(self.tag)
        self.hearing = self.greet(frames.HEAR, self.beats)
        return self.greet(frames.JOIN, self.writer)

    def close(self) -> None:
        for connection in self.open:
            connection.close()
        super().close()


ATTACKS: dict[str, type[Attack]] = {"grpc": GrpcAttack, "direct": DirectAttack}
