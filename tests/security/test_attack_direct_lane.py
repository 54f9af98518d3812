"""Attack: what only the direct lane is exposed to, since it has no gRPC between it and the network.

What both lanes must withstand is in the other files of this name.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lane_attacker import ALPHA, HEADER, STEP, DirectAttack
from lane_federation import LANES, QUICK, Federation, Participant

from mpc.errors import ContractError, IdentityError, IntegrityError, ParleyError, PeerError
from mpc.units import PartyId
from parties import frames
from parties.channel import PeerChannel
from parties.direct import meeting
from parties.direct.greeting import LANE
from parties.frames import CHUNK_BYTES, FrameWriter
from parties.identity.certificates import der, parse_der, pem
from parties.identity.contexts import load_own
from parties.listening import LaneSettings
from parties.waiting import ChannelLimits

IMPATIENT = LaneSettings(0.3, 0.4, ChannelLimits(wait_s=10, close_s=1))


@pytest.fixture
def attack() -> Iterator[DirectAttack]:
    running = DirectAttack()
    yield running
    running.close()


def goes_on(attack: DirectAttack) -> None:
    """Alpha itself still gets in, and is heard."""
    out = attack.joined()
    attack.put(out, STEP, b"8 bytes.")
    assert attack.victim.receive(ALPHA, STEP, 8) == b"8 bytes."


def is_ended(connection: socket.socket, wait_s: float) -> bool:
    connection.settimeout(wait_s)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


# --- who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 9000])
def test_garbage_before_tls_is_ended_without_an_answer_to_it(
    attack: DirectAttack, garbage: bytes
) -> None:
    connection = attack.connection()
    connection.sendall(garbage)
    with contextlib.suppress(OSError):  # ended already
        connection.shutdown(socket.SHUT_WR)
    assert is_ended(connection, 2)
    goes_on(attack)


def test_tls_1_2_is_refused_in_the_handshake_even_with_the_right_certificate(
    attack: DirectAttack,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    alpha = attack.alpha
    load_own(context, alpha.tls_key_pem, pem(parse_der(alpha.member.tls_certificate)))
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        context.wrap_socket(attack.connection())
    goes_on(attack)


def test_a_certificate_that_a_partys_own_one_issued_is_refused(attack: DirectAttack) -> None:
    """The listener's only roots are the roster's leaves; a leaf issues nothing all the same."""
    alpha = attack.alpha
    own = parse_der(alpha.member.tls_certificate)
    signing = serialization.load_pem_private_key(alpha.tls_key_pem, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    below = (
        x509.CertificateBuilder()
        .subject_name(own.subject)
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(own.not_valid_before_utc)
        .not_valid_after(own.not_valid_after_utc)
        .sign(signing, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([LANE])
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    load_own(context, key_pem, pem(below) + pem(own))
    assert der(below) != alpha.member.tls_certificate
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(attack.connection()).recv(1)
    goes_on(attack)


@pytest.mark.parametrize("role", ["coordinator", "stranger"])
def test_nobody_but_the_rosters_parties_hears_the_listeners_first_word(
    attack: DirectAttack, role: str
) -> None:
    callers = {
        "coordinator": attack.federation.coordinator,
        "stranger": attack.federation.participant("mallory"),
    }
    with pytest.raises((ssl.SSLError, ConnectionError)):
        attack.knock(callers[role])
    goes_on(attack)


@pytest.mark.parametrize(
    "first",
    [
        lambda tag: HEADER.pack(tag, 0, frames.JOIN, 5) + b"bravo",
        lambda tag: HEADER.pack(tag, 0, frames.HEAR, 5) + b"charl",
        lambda tag: HEADER.pack(os.urandom(8), 0, frames.JOIN, 5) + b"alpha",
        lambda tag: HEADER.pack(tag, 1, frames.JOIN, 5) + b"alpha",
        lambda tag: HEADER.pack(tag, 0, frames.BYE, 5) + b"alpha",
        lambda tag: HEADER.pack(tag, 0, STEP, 5) + b"alpha",
        lambda tag: HEADER.pack(tag, 0, frames.JOIN, 65) + bytes(65),
        lambda tag: HEADER.pack(tag, 0, STEP, (1 << 32) - 1),
        lambda tag: None,
    ],
    ids=[
        "own-name",
        "another-name",
        "session",
        "later",
        "bye",
        "data",
        "long-join",
        "four-gigabytes",
        "nothing",
    ],
)
def test_a_greeting_that_is_none_is_turned_away_and_the_session_goes_on(
    attack: DirectAttack, first: object
) -> None:
    knocking = attack.knock()
    assert callable(first)
    knocking.put(first(attack.tag))
    assert knocking.is_turned_away()
    goes_on(attack)


@pytest.mark.parametrize("operation", [frames.JOIN, frames.HEAR])
def test_a_second_connection_for_one_direction_is_ended(
    attack: DirectAttack, operation: bytes
) -> None:
    attack.greet(operation, FrameWriter(attack.tag))
    again = attack.greet(operation, FrameWriter(attack.tag))
    assert again.is_turned_away()
    with pytest.raises(PeerError, match="missing: alpha"):
        attack.victim  # noqa: B018 - one direction is no session


def test_nobody_can_knock_once_all_have_met(attack: DirectAttack) -> None:
    goes_on(attack)
    host, port = attack.listener.address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=2)


# --- strangers that cost -------------------------------------------------------------------------


def test_connections_that_say_nothing_are_bounded_and_keep_nobody_out(
    attack: DirectAttack,
) -> None:
    silent = [attack.connection() for _ in range(3 * meeting.UNGREETED_MAX)]
    goes_on(attack)  # by making room: those that waited longest are ended
    assert sum(is_ended(each, 0.5) for each in silent[: meeting.UNGREETED_MAX]) == len(
        silent[: meeting.UNGREETED_MAX]
    )


def test_a_handshake_a_byte_at_a_time_is_ended_when_its_time_is_up(
    attack: DirectAttack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "GREETING_S", 1.0)
    slow = attack.connection()
    begun = time.monotonic()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    with contextlib.suppress(OSError):
        for at in range(len(hello)):
            slow.send(hello[at : at + 1])
            time.sleep(0.05)
    assert time.monotonic() - begun < 2
    goes_on(attack)


def test_the_right_certificate_and_then_silence_is_ended_when_its_time_is_up(
    attack: DirectAttack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "GREETING_S", 1.0)
    assert attack.knock().is_turned_away()
    goes_on(attack)


# --- a party of the roster that breaks the rules -------------------------------------------------


def test_messages_where_only_signs_of_life_may_be_are_refused(attack: DirectAttack) -> None:
    attack.joined()
    for frame in attack.beats.frames(STEP, b"8 bytes."):
        attack.hearing.put(frame)
    error = attack.refused()
    assert isinstance(error, IntegrityError)
    assert "signs of life" in error.message


def test_signs_of_life_among_messages_are_refused(attack: DirectAttack) -> None:
    out = attack.joined()
    attack.put(out, frames.BEAT, b"")
    assert "out of place" in attack.refused().message


def test_a_header_that_lies_about_its_size_shifts_the_next_one_which_is_refused(
    attack: DirectAttack,
) -> None:
    out = attack.joined()
    out.put(HEADER.pack(attack.tag, 1, STEP, 7) + b"8 bytes." + bytes(64))
    assert "another session" in attack.refused().message


def test_plain_text_after_the_handshake_is_refused(attack: DirectAttack) -> None:
    """TLS itself ends it, naming nothing that was sent."""
    out = attack.joined()
    assert out is not attack.hearing
    raw = socket.socket(fileno=os.dup(attack.open[-1].fileno()))
    raw.sendall(b"in plain text, as if nobody were looking, and long enough for a record")
    error = attack.refused()
    raw.close()
    assert isinstance(error, PeerError)
    assert "plain text" not in error.message


def test_a_peer_that_shows_no_life_is_named_while_nobody_waits_for_it() -> None:
    attack = DirectAttack(IMPATIENT)
    attack.joined()
    victim = attack.victim
    begun = time.monotonic()
    while not victim.is_over and time.monotonic() - begun < 5:
        time.sleep(0.02)
    assert 0.5 < time.monotonic() - begun < 2
    assert "no sign of life for 0.7 s" in attack.refused().message
    attack.close()


def test_a_peer_that_left_may_be_silent() -> None:
    attack = DirectAttack(IMPATIENT)
    out = attack.joined()
    victim = attack.victim
    attack.put(out, frames.BYE, b"")
    time.sleep(1.5)
    assert not victim.is_over
    assert "has left the session" in attack.refused().message
    attack.close()


def test_a_flood_of_signs_of_life_keeps_no_message_from_coming(attack: DirectAttack) -> None:
    out = attack.joined()
    assert attack.victim.peers == (ALPHA,)
    flood = b"".join(
        frame for _ in range(20_000) for frame in attack.beats.frames(frames.BEAT, b"")
    )
    sending = threading.Thread(target=attack.hearing.put, args=(flood,))
    sending.start()
    for number in range(20):
        attack.put(out, STEP, number.to_bytes(8, "big"))
        assert attack.victim.receive(ALPHA, STEP, 8) == number.to_bytes(8, "big")
    sending.join()


# --- large and slow ------------------------------------------------------------------------------


def two(settings: LaneSettings) -> tuple[PeerChannel, ...]:
    return Federation(2, lane="direct").lanes(settings)


def close_all(channels: tuple[PeerChannel, ...]) -> None:
    with ThreadPoolExecutor(len(channels)) as pool:
        list(pool.map(PeerChannel.close, channels))


def test_both_parties_send_a_quarter_of_a_gigabyte_at_once_and_both_receive() -> None:
    channels = two(QUICK)
    payload = os.urandom(1 << 20) * 256

    def exchange(channel: PeerChannel) -> None:
        (peer,) = channel.peers
        for _ in range(4):
            channel.send(peer, STEP, payload[: 64 << 20])
        for _ in range(4):
            assert channel.receive(peer, STEP, 64 << 20) == payload[: 64 << 20]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(exchange, channels))
    close_all(channels)


def test_a_party_that_computes_long_and_reads_late_is_not_taken_for_dead() -> None:
    """Linux would count a full receive window as silence: TCP_USER_TIMEOUT must be longer."""
    alpha, bravo = two(IMPATIENT)
    for _ in range(100):
        alpha.send(bravo.own, STEP, bytes(CHUNK_BYTES))
    time.sleep(2.5)  # three times as long as silence may last; bravo keeps 64 MB and then no more
    assert bravo._link(alpha.own).unread <= 64 << 20
    for _ in range(100):
        assert len(bravo.receive(alpha.own, STEP, CHUNK_BYTES)) == CHUNK_BYTES
    bravo.send(alpha.own, STEP, b"late")
    assert alpha.receive(bravo.own, STEP, 4) == b"late"
    close_all((alpha, bravo))


def test_what_is_queued_goes_out_while_its_sender_computes() -> None:
    alpha, bravo = two(QUICK)
    alpha.send(bravo.own, STEP, bytes(32 << 20))  # and then never another call
    assert len(bravo.receive(alpha.own, STEP, 32 << 20)) == 32 << 20
    close_all((alpha, bravo))


def test_several_threads_may_use_one_channel() -> None:
    alpha, bravo = two(QUICK)

    def waiting() -> None:
        with pytest.raises(ContractError):
            alpha.receive(bravo.own, STEP, 1)

    thread = threading.Thread(target=waiting)
    thread.start()
    time.sleep(0.1)
    alpha.send(bravo.own, STEP, b"x")
    assert bravo.receive(alpha.own, STEP, 1) == b"x"
    close_all((alpha, bravo))
    thread.join(2)
    assert not thread.is_alive()


# --- two lanes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("listening", sorted(LANES))
def test_parties_on_different_lanes_do_not_meet(listening: str) -> None:
    (dialling,) = set(LANES) - {listening}
    federation = Federation(2)
    alpha, bravo = (
        Participant(party.member, party.tls_key_pem, lane)
        for party, lane in zip(federation.parties, (dialling, listening), strict=True)
    )
    near, far = alpha.listener(), bravo.listener()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(far.connect, federation.roster, federation.session_tag, {}, 3.0)
        with pytest.raises(ParleyError) as caught:
            near.connect(
                federation.roster, federation.session_tag, {PartyId("bravo"): far.address}, 2.0
            )
        assert "bravo" in str(caught.value)
        if dialling == "direct":
            assert "another lane" in caught.value.message
        else:
            assert isinstance(caught.value, IdentityError)
        with pytest.raises(PeerError, match="missing: alpha"):
            waiting.result()
