"""Who may talk to whom, over real gRPC and TLS on loopback: a refusal says which and whose."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mpc.errors import IdentityError, TransportError, UsageError
from mpc.roster import Member
from mpc.units import Role
from parties.identity.authority import approve, authority_init
from parties.identity.certificates import Leaf, check_leaf, der, parse_der, pem
from parties.identity.credentials import (
    dial,
    explain_failure,
    peer_member,
    server_credentials,
    server_options,
)
from parties.identity.files import key_pem
from parties.identity.store import Identity, install, load_identity, request
from parties.problems import raised_by, unary

A, B, OFFICE = "insurer-a", "insurer-b", "study-office"
YEAR_S = 365 * 86400
CALL_S = 5.0


@dataclass(frozen=True)
class Moved:
    """The system's time, moved."""

    by_s: int

    def unix_s(self) -> int:
        return int(time.time()) + self.by_s

    def monotonic_s(self) -> float:
        return time.monotonic()


def participant(
    folder: Path, name: str, role: Role, *, moved_s: int = 0, authority: str = "ca", at: str = ""
) -> Identity:
    """A participant with certificates issued ``moved_s`` from now, for 30 days."""
    clock = Moved(moved_s)
    home = folder / (at or name)
    asked = request(home, name, role, f"{name} Ltd")
    approve(folder / authority, asked, folder / f"{home.name}.pem", days=30, clock=clock)
    install(home, folder / f"{home.name}.pem", clock=clock)
    return load_identity(home, clock=clock)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("federation")
    authority_init(path / "ca", "Study Office", clock=Moved(-3 * YEAR_S))
    authority_init(path / "foreign-ca", "Someone Else")
    return path


@pytest.fixture(scope="module")
def party(folder: Path) -> Identity:
    return participant(folder, A, Role.PARTY)


@pytest.fixture(scope="module")
def other(folder: Path) -> Identity:
    return participant(folder, B, Role.PARTY)


@pytest.fixture(scope="module")
def office(folder: Path) -> Identity:
    return participant(folder, OFFICE, Role.COORDINATOR)


class Service:
    """Answers who called, and remembers that it was called at all."""

    def __init__(self, pinned: tuple[Member, ...]) -> None:
        self.pinned = pinned
        self.callers: list[str] = []

    @unary
    def who(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        caller = peer_member(context, self.pinned)
        self.callers.append(caller.id)
        return caller.id.encode()


@contextmanager
def serving(credentials: grpc.ServerCredentials, *pinned: Member) -> Iterator[tuple[str, Service]]:
    service = Service(pinned)
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(service.who)
    server = grpc.server(ThreadPoolExecutor(2), options=server_options())
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("parley.test", {"Who": method}),)
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}", service
    finally:
        server.stop(None).wait(5)


def ask(channel: grpc.Channel) -> bytes:
    with closing(channel):
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/parley.test/Who")
        return call(b"", timeout=CALL_S)


def refused(channel: grpc.Channel) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as failure:
        ask(channel)
    return failure.value


def unchecked_channel(
    address: str, peer: Member, key: bytes | None, certificate: bytes | None
) -> grpc.Channel:
    """How somebody dials who skips our own checks."""
    credentials = grpc.ssl_channel_credentials(
        pem(parse_der(peer.tls_certificate)), key, certificate
    )
    options = [("grpc.ssl_target_name_override", f"{peer.id}.parley")]
    return grpc.secure_channel(address, credentials, options)


def self_made(
    names: x509.Name, alternatives: x509.SubjectAlternativeName | None
) -> tuple[bytes, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .serial_number(1)
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return key_pem(key), builder.sign(key, hashes.SHA256())


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def test_pinned_participants_talk_and_the_server_knows_who_called(
    party: Identity, office: Identity
) -> None:
    with serving(server_credentials(party), office.member) as (address, _):
        assert ask(dial(address, office, party.member)) == OFFICE.encode()
        assert explain_failure(address, office, party.member) is None


def test_two_servers_cannot_share_a_port(party: Identity, other: Identity) -> None:
    with serving(server_credentials(party)) as (address, _):
        second = grpc.server(ThreadPoolExecutor(1), options=server_options())
        with pytest.raises(RuntimeError):
            second.add_secure_port(address, server_credentials(other))


# --- whose certificate calls -----------------------------------------------------------------


def test_valid_certificate_of_an_unpinned_party_is_refused_by_name(
    party: Identity, other: Identity, office: Identity
) -> None:
    with serving(server_credentials(party), office.member) as (address, service):
        failure = refused(dial(address, other, party.member))

        error = raised_by(failure, A)
        assert isinstance(error, IdentityError)
        assert "certificate of party insurer-b of insurer-b Ltd" in str(error)
        assert "not pinned" in str(error)
        assert service.callers == []


def test_caller_without_certificate_reaches_no_method(party: Identity, office: Identity) -> None:
    with serving(server_credentials(party), office.member) as (address, service):
        failure = refused(unchecked_channel(address, party.member, None, None))

        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        assert service.callers == []


def test_caller_of_a_foreign_authority_reaches_no_method_and_learns_why(
    folder: Path, party: Identity, office: Identity
) -> None:
    stranger = participant(
        folder, OFFICE, Role.COORDINATOR, authority="foreign-ca", at="foreign-office"
    )
    with serving(server_credentials(party), office.member) as (address, service):
        channel = unchecked_channel(
            address, party.member, stranger.tls_key_pem(), stranger.tls_certificate_pem()
        )
        assert refused(channel).code() is grpc.StatusCode.UNAVAILABLE
        assert service.callers == []

        with pytest.raises(IdentityError, match=r"insurer-a .* was not issued by this federation"):
            dial(address, stranger, party.member)
        error = explain_failure(address, stranger, party.member)
        assert isinstance(error, IdentityError)
        assert "insurer-a" in str(error)
        assert "refused the certificate of coordinator study-office" in str(error)


def test_self_signed_caller_reaches_no_method(party: Identity, office: Identity) -> None:
    names = office.bundle.names
    key, forged = self_made(names.subject, names.alternatives)
    with serving(server_credentials(party), office.member) as (address, service):
        channel = unchecked_channel(address, party.member, key, pem(forged))
        assert refused(channel).code() is grpc.StatusCode.UNAVAILABLE
        assert service.callers == []


@pytest.mark.parametrize(
    ("moved_s", "name", "why"),
    [(-YEAR_S, "late-office", "expired at"), (YEAR_S, "early-office", "is not valid before")],
)
def test_caller_outside_its_time_is_stopped_at_home_and_at_the_door(
    folder: Path, party: Identity, moved_s: int, name: str, why: str
) -> None:
    caller = participant(folder, name, Role.COORDINATOR, moved_s=moved_s)
    with serving(server_credentials(party), caller.member) as (address, service):
        with pytest.raises(IdentityError, match=f"certificate of coordinator {name} .* {why}"):
            dial(address, caller, party.member)
        error = explain_failure(address, caller, party.member)
        assert isinstance(error, IdentityError)
        assert why in str(error)

        channel = unchecked_channel(
            address, party.member, caller.tls_key_pem(), caller.tls_certificate_pem()
        )
        assert refused(channel).code() is grpc.StatusCode.UNAVAILABLE
        assert service.callers == []


def test_caller_whose_clock_hides_its_expiry_learns_it_from_the_probe(
    folder: Path, party: Identity
) -> None:
    caller = participant(folder, "slow-office", Role.COORDINATOR, moved_s=-YEAR_S)
    with serving(server_credentials(party), caller.member) as (address, service):
        error = explain_failure(address, caller, party.member, clock=Moved(-YEAR_S + 60))

        # By that clock the party's certificate is not valid yet: also worth saying, and first.
        assert isinstance(error, IdentityError)
        assert "insurer-a" in str(error)
        assert service.callers == []


def test_caller_with_older_tls_is_refused(office: Identity) -> None:
    class OldTls:
        def auth_context(self) -> dict[str, list[bytes]]:
            return {
                "transport_security_type": [b"ssl"],
                "ssl_tls_version": [b"TLSv1.2"],
                "x509_pem_cert": [office.tls_certificate_pem()],
            }

    with pytest.raises(IdentityError, match=r"older TLS than 1\.3"):
        peer_member(OldTls(), [office.member])  # type: ignore[arg-type]


# --- whose certificate answers ---------------------------------------------------------------


def test_borrowed_address_names_the_party_that_answers_there(
    party: Identity, other: Identity, office: Identity
) -> None:
    with serving(server_credentials(other), office.member) as (address, service):
        failure = refused(dial(address, office, party.member))

        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        error = explain_failure(address, office, party.member)
        assert isinstance(error, IdentityError)
        assert "it is insurer-b's, not insurer-a's" in str(error)
        assert address in str(error)
        assert service.callers == []


def test_common_name_alone_is_refused_with_host_and_names(
    party: Identity, office: Identity
) -> None:
    """Case O01: a certificate with a common name only, at 127.0.0.1."""
    key, certificate = self_made(common_name("node-b"), None)
    credentials = grpc.ssl_server_credentials([(key, pem(certificate))])
    with serving(credentials) as (address, service):
        refused(dial(address, office, party.member))

        error = explain_failure(address, office, party.member)
        assert isinstance(error, IdentityError)
        assert "127.0.0.1 not in certificate (SAN: none)" in str(error)
        assert "subject CN=node-b" in str(error)
        assert "insurer-a.parley neither" in str(error)
        assert service.callers == []


def test_common_name_that_equals_the_expected_name_is_still_refused(
    party: Identity, office: Identity
) -> None:
    """gRPC accepts this one when it is pinned; we do not."""
    key, certificate = self_made(common_name("insurer-a.parley"), None)
    pinned = replace(party.member, tls_certificate=der(certificate))
    credentials = grpc.ssl_server_credentials([(key, pem(certificate))])
    with serving(credentials) as (address, service):
        with pytest.raises(IdentityError, match=r"SAN: none; subject CN=insurer-a\.parley"):
            dial(address, office, pinned)
        assert service.callers == []


def test_self_signed_server_with_the_right_names_is_refused(
    party: Identity, office: Identity
) -> None:
    names = party.bundle.names
    key, forged = self_made(names.subject, names.alternatives)
    credentials = grpc.ssl_server_credentials([(key, pem(forged))])
    with serving(credentials) as (address, service):
        refused(dial(address, office, party.member))

        error = explain_failure(address, office, party.member)
        assert isinstance(error, IdentityError)
        assert "it is not the pinned one of insurer-a" in str(error)
        assert "self-signed" in str(error)
        assert service.callers == []

        with pytest.raises(IdentityError, match="insurer-a"):
            dial(address, office, replace(party.member, tls_certificate=der(forged)))


def test_certificate_that_the_authority_forged_for_a_party_is_refused(
    folder: Path, party: Identity, office: Identity
) -> None:
    """The authority may lie at the coordinator; peers go by their pins."""
    asked = request(folder / "forger", A, Role.PARTY, f"{A} Ltd")
    out = folder / "forger.pem"
    approve(folder / "ca", asked, out, days=30, replace=party.member.fingerprint)
    install(folder / "forger", out)
    forger = load_identity(folder / "forger")
    with serving(server_credentials(forger), office.member) as (address, service):
        refused(dial(address, office, party.member))

        error = explain_failure(address, office, party.member)
        assert isinstance(error, IdentityError)
        assert "it is not the pinned one of insurer-a" in str(error)
        assert party.member.fingerprint in str(error)
        assert service.callers == []


@pytest.mark.parametrize(
    ("moved_s", "name", "why"),
    [(-YEAR_S, "late-party", "expired at"), (YEAR_S, "early-party", "is not valid before")],
)
def test_pinned_server_outside_its_time_is_not_dialled(
    folder: Path, office: Identity, moved_s: int, name: str, why: str
) -> None:
    server = participant(folder, name, Role.PARTY, moved_s=moved_s)
    with serving(server_credentials(server), office.member) as (address, service):
        with pytest.raises(IdentityError, match=f"TLS certificate of party {name} .* {why}"):
            dial(address, office, server.member)
        assert (
            refused(
                unchecked_channel(
                    address, server.member, office.tls_key_pem(), office.tls_certificate_pem()
                )
            ).code()
            is grpc.StatusCode.UNAVAILABLE
        )
        error = explain_failure(address, office, server.member)
        assert isinstance(error, IdentityError)
        assert name in str(error)
        assert why in str(error)
        assert service.callers == []


def test_server_without_tls_is_named(party: Identity, office: Identity) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"

    def answer() -> None:
        caller, _ = listener.accept()
        with closing(caller):
            caller.recv(10_000)
            caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with closing(listener):
        threading.Thread(target=answer, daemon=True).start()
        error = explain_failure(address, office, party.member)
    assert isinstance(error, TransportError)
    assert f"insurer-a: what answers at {address} speaks no TLS 1.3" in str(error)


def test_nothing_at_the_address_is_no_matter_of_certificates(
    party: Identity, office: Identity
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    assert explain_failure(address, office, party.member) is None


def test_probe_leaves_no_key_behind(party: Identity, office: Identity) -> None:
    with serving(server_credentials(party), office.member) as (address, _):
        before = set(Path("/proc/self/fd").iterdir())
        explain_failure(address, office, party.member)
        left = {path for path in Path("/proc/self/fd").iterdir() if path not in before}
        assert not [path for path in left if path.exists() and "memfd" in str(path.readlink())]


def test_signing_certificate_is_no_tls_certificate(party: Identity) -> None:
    with pytest.raises(IdentityError, match=r"TLS certificate of party insurer-a"):
        check_leaf(party.bundle.signing, Leaf.TLS)
    with pytest.raises(IdentityError, match="signing certificate of party insurer-a"):
        check_leaf(party.bundle.tls, Leaf.SIGNING)


@pytest.mark.parametrize("address", ["", "host", "host:0", "host:70000", "a/b:1", "::1:7", "h:x"])
def test_what_is_no_address_is_refused(party: Identity, office: Identity, address: str) -> None:
    with pytest.raises(UsageError, match=r"no address|no port"):
        dial(address, office, party.member)
