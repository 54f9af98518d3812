"""Attack: take part in a session with a certificate that is not the roster's, or with none."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from lane_federation import LANES, Federation, Participant

from mpc.errors import IdentityError, ParleyError, PeerError
from mpc.units import PartyId
from parties.channel import PeerChannel
from parties.dialling import Dialler
from parties.frames import JOIN, FrameWriter
from parties.lane import METHOD
from parties.listening import LaneListener

DAY_S = 86_400


def listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


class ClockAt:
    def __init__(self, unix_s: int) -> None:
        self._unix_s = unix_s

    def unix_s(self) -> int:
        return self._unix_s

    def monotonic_s(self) -> float:
        return time.monotonic()


class Honest:
    """Bravo of a two-party session, waiting for alpha, who comes first and so dials."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.listener = federation.parties[1].listener()
        self._pool = ThreadPoolExecutor(1)
        self.channel: Future[PeerChannel] = self._pool.submit(
            self.listener.connect, federation.roster, federation.session_tag, {}, 4.0
        )
        while not listens(self.listener.address):
            time.sleep(0.01)

    @property
    def address(self) -> str:
        return self.listener.address

    def right_peer_gets_in(self) -> None:
        """Alpha itself can still connect, and messages pass."""
        alpha = self.federation.parties[0].listener()
        addresses = {self.federation.parties[1].member.id: self.address}
        joined = alpha.connect(self.federation.roster, self.federation.session_tag, addresses, 4.0)
        bravo = self.channel.result()
        joined.send(bravo.own, b"after the attack", b"ok")
        assert bravo.receive(joined.own, b"after the attack", 2) == b"ok"
        closing = threading.Thread(target=joined.close)
        closing.start()
        bravo.close()
        closing.join()

    def close(self) -> None:
        self.listener.close()
        self._pool.shutdown()


@pytest.fixture(scope="module", params=sorted(LANES))
def federation(request: pytest.FixtureRequest) -> Federation:
    return Federation(2, lane=request.param)


ON_GRPC = pytest.mark.parametrize("federation", ["grpc"], indirect=True, scope="module")


@pytest.fixture
def honest(federation: Federation) -> Iterator[Honest]:
    waiting = Honest(federation)
    yield waiting
    waiting.close()


def as_caller(caller: Participant, honest: Honest) -> grpc.Channel:
    dialler = Dialler(caller.member, caller.tls_key_pem, 3, 4)
    return dialler.reach(honest.federation.parties[1].member, honest.address, 3)


@pytest.mark.parametrize("name", ["alpha", "mallory"])
def test_a_caller_with_a_fresh_certificate_of_the_same_authority_is_refused(
    federation: Federation, honest: Honest, name: str
) -> None:
    """Also one in alpha's name: the authority may be forged or careless, the roster is not."""
    impostor = federation.participant(name)
    bravo = federation.parties[1]
    caller = impostor.listener()
    with pytest.raises(IdentityError, match=f"bravo at .* refused the certificate of party {name}"):
        caller.connect(
            federation.roster_of(impostor, bravo),
            federation.session_tag,
            {bravo.member.id: honest.address},
            3.0,
        )
    honest.right_peer_gets_in()


@ON_GRPC
def test_the_coordinator_does_not_get_in(federation: Federation, honest: Honest) -> None:
    with pytest.raises(IdentityError, match="refused the certificate of coordinator office"):
        as_caller(federation.coordinator, honest)
    honest.right_peer_gets_in()


def test_a_caller_without_certificate_is_refused(federation: Federation, honest: Honest) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, port = honest.address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=3) as plain,
        context.wrap_socket(plain) as secured,
    ):
        assert answer_of(secured) == b""
    honest.right_peer_gets_in()


def test_plain_text_is_not_answered(honest: Honest) -> None:
    channel = grpc.insecure_channel(honest.address)
    stream = channel.stream_stream(METHOD)(iter([b"hello"]), timeout=2)
    with pytest.raises(grpc.RpcError):
        next(stream)
    channel.close()
    honest.right_peer_gets_in()


def test_silence_does_not_keep_others_out(honest: Honest) -> None:
    host, port = honest.address.split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    honest.right_peer_gets_in()
    for connection in silent:
        connection.close()


def test_a_party_that_never_came_is_named(honest: Honest) -> None:
    with pytest.raises(PeerError, match="missing: alpha") as caught:
        honest.channel.result()
    assert caught.value.party == "alpha"


def dial(federation: Federation, at: LaneListener) -> ParleyError:
    """What alpha says when it dials bravo at the address of ``at``."""
    alpha = federation.parties[0].listener()
    with pytest.raises(ParleyError) as caught:
        alpha.connect(
            federation.roster, federation.session_tag, {PartyId("bravo"): at.address}, 3.0
        )
    return caught.value


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bravo", "shows the certificate of party bravo"),
        ("charlie", "shows the certificate of party charlie"),
    ],
    ids=["forged", "borrowed"],
)
def test_another_certificate_at_the_peers_address_is_refused_saying_whose(
    federation: Federation, name: str, said: str
) -> None:
    """A man in the middle has a valid certificate: a forged one, or another participant's."""
    other = federation.participant(name)
    alpha = federation.parties[0]
    false = other.listener()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            false.connect, federation.roster_of(alpha, other), federation.session_tag, {}, 2.0
        )
        error = dial(federation, false)
        assert isinstance(error, IdentityError)
        assert said in error.message
        assert "not the certificate of party bravo" in error.message
        with pytest.raises(PeerError, match="alpha"):
            waiting.result()


def test_plain_text_at_the_peers_address_is_refused(federation: Federation) -> None:
    class Plain:
        address = ""

    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.settimeout(2)
            try:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            except OSError:
                pass
            connection.close()

    threading.Thread(target=answer, daemon=True).start()
    Plain.address = f"127.0.0.1:{server.getsockname()[1]}"
    error = dial(federation, Plain)  # type: ignore[arg-type]
    server.close()
    assert isinstance(error, IdentityError)
    assert "bravo" in error.message
    assert "no TLS 1.3" in error.message


def test_nothing_at_the_peers_address_names_the_peer(federation: Federation) -> None:
    unused = federation.parties[1].listener()  # bound, never listening
    error = dial(federation, unused)
    unused.close()
    assert isinstance(error, PeerError)
    assert error.party == "bravo"


@pytest.mark.parametrize(
    ("shift_s", "said"), [(-3 * DAY_S, "expired"), (DAY_S, "not valid before")]
)
@pytest.mark.parametrize("lane", sorted(LANES))
def test_a_certificate_outside_its_time_is_named_before_anything_is_dialled(
    shift_s: int, said: str, lane: str
) -> None:
    stale = Federation(2, ClockAt(int(time.time()) + shift_s), lane=lane)
    alpha = stale.parties[0].listener()
    with pytest.raises(IdentityError, match=f"TLS certificate of (alpha|bravo) .*{said}"):
        alpha.connect(stale.roster, stale.session_tag, {PartyId("bravo"): "127.0.0.1:9"}, 3.0)
    alpha.close()


def test_a_roster_with_another_certificate_for_oneself_is_refused(federation: Federation) -> None:
    alpha = federation.participant("alpha").listener()
    with pytest.raises(IdentityError, match="does not list alpha with this certificate"):
        alpha.connect(federation.roster, federation.session_tag, {}, 3.0)
    alpha.close()


# --- TLS 1.2 -------------------------------------------------------------------------------------


def literal(name: bytes, value: bytes) -> bytes:
    """One header field in HPACK, literal, never indexed, no Huffman coding (RFC 7541 §6.2.3)."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame (RFC 9113 §4.1)."""
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def call_by_hand(
    caller: Participant, honest: Honest, version: ssl.TLSVersion, folder: Path
) -> bytes:
    """Everything that comes back for one gRPC call with the right certificate over ``version``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    chain = folder / "key-and-certificate.pem"
    chain.write_bytes(
        caller.tls_key_pem + ssl.DER_cert_to_PEM_cert(caller.member.tls_certificate).encode()
    )
    context.load_cert_chain(chain)
    join = next(FrameWriter(honest.federation.session_tag).frames(JOIN, b"alpha"))
    headers = b"".join(
        literal(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":path", METHOD.encode()),
            (b":authority", b"bravo.parley"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )
    request = (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + frame(4, 0, 0, b"")
        + frame(1, 4, 1, headers)
        + frame(0, 0, 1, b"\0" + len(join).to_bytes(4, "big") + join)
    )
    host, port = honest.address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=3) as plain,
        context.wrap_socket(plain, server_hostname="bravo.parley") as secured,
    ):
        assert secured.version() == version.name.replace("_", ".")
        secured.sendall(request)
        return answer_of(secured)


def answer_of(secured: ssl.SSLSocket) -> bytes:
    """What the listener sends until it ends the connection or falls silent."""
    secured.settimeout(1.5)
    answer = b""
    try:
        while part := secured.recv(65536):
            answer += part
    except (TimeoutError, ssl.SSLError, ConnectionError):
        pass
    return answer


@ON_GRPC
def test_tls_1_2_is_refused_even_with_the_right_certificate(
    federation: Federation, honest: Honest, tmp_path: Path
) -> None:
    answer = call_by_hand(federation.parties[0], honest, ssl.TLSVersion.TLSv1_2, tmp_path)
    assert b"older TLS than 1.3" in answer.replace(b"%20", b" ")
    assert JOIN not in answer
    honest.right_peer_gets_in()


@ON_GRPC
def test_the_same_call_over_tls_1_3_is_taken_in(
    federation: Federation, honest: Honest, tmp_path: Path
) -> None:
    """The control of the test above: what it sends is a proper call."""
    answer = call_by_hand(federation.parties[0], honest, ssl.TLSVersion.TLSv1_3, tmp_path)
    assert JOIN in answer
    with pytest.raises(PeerError, match="without BYE"):
        honest.channel.result().receive(PartyId("alpha"), b"after the attack", 1)
