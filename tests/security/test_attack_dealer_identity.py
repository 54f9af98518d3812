"""Who is not the dealer passes nowhere for it, and the error says whose certificate was shown."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lane_federation import Federation, Participant

from mpc.errors import ConfigFaults, IdentityError, IntegrityError
from mpc.roster import Roster
from mpc.units import PartyId, Role
from parties.commands.making import NewDealer, make_dealer
from parties.dealer.config import load_dealer_config
from parties.dealer.main import open_identity
from parties.identity.authority import approve, authority_init
from parties.identity.certificates import parse_der, pem
from parties.identity.store import install, request

DEALER = PartyId("dealing-house")
FEDERATION = Federation(3)
TRUE = FEDERATION.participant(DEALER, Role.DEALER)
POSERS = {
    "another dealer of that name": FEDERATION.participant(DEALER, Role.DEALER),
    "a party of that name": FEDERATION.participant(DEALER),
    "a party": FEDERATION.parties[2],
    "the coordinator": FEDERATION.coordinator,
    "another dealer": FEDERATION.participant("other-house", Role.DEALER),
}


def roster_with(dealer: Participant) -> Roster:
    members = [party.member for party in FEDERATION.parties]
    return Roster((*members, dealer.member, FEDERATION.coordinator.member))


@contextlib.contextmanager
def posing(poser: Participant, folder: Path) -> Iterator[str]:
    """An address at which ``poser`` answers TLS 1.3 with its own certificate."""
    certificate = pem(parse_der(poser.member.tls_certificate))
    (folder / "chain.pem").write_bytes(certificate + poser.tls_key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(folder / "chain.pem")
    server = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def answer() -> None:
        while True:
            try:
                taken, _ = server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(taken, server_side=True) as tls:
                received.append(tls.recv(1 << 16))

    threading.Thread(target=answer, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
    assert not any(FEDERATION.session_tag in data for data in received)


@pytest.mark.parametrize("who", POSERS)
def test_who_answers_at_the_dealers_address_with_other_certificates_is_refused(
    who: str, tmp_path: Path
) -> None:
    last = FEDERATION.parties[2]
    listener = last.listener()
    with posing(POSERS[who], tmp_path) as address:
        with pytest.raises(IdentityError) as caught:
            listener.connect(roster_with(TRUE), FEDERATION.session_tag, {DEALER: address}, 5.0)
        listener.close()
    assert caught.value.party == DEALER
    assert "not the certificate of dealer dealing-house" in caught.value.message


def test_a_dealer_that_the_roster_lists_with_a_partys_certificate_is_refused() -> None:
    party = POSERS["a party of that name"]
    roster = roster_with(replace(party, member=replace(party.member, role=Role.DEALER)))
    listener = FEDERATION.parties[0].listener()
    with pytest.raises(
        IdentityError, match="the roster gives dealer dealing-house the certificate"
    ):
        listener.connect(roster, FEDERATION.session_tag, {}, 1.0)
    listener.close()


@pytest.mark.parametrize("who", ["a party", "the coordinator"])
def test_nobody_is_the_dealer_beside_what_it_is(who: str) -> None:
    with pytest.raises(IntegrityError, match=r"one certificate twice|one id twice"):
        roster_with(replace(POSERS[who], member=replace(POSERS[who].member, role=Role.DEALER)))


def folder_of(root: Path, role: Role, name: str = DEALER) -> Path:
    """A dealer's folder whose identity is of ``role`` and ``name``."""
    authority_init(root / "authority", "Office Ltd")
    folder = root / "dealer"
    make_dealer(NewDealer(folder, DEALER, "Dealing House", "office", "127.0.0.1", 7200))
    (folder / "dealer.yaml").write_text(
        (folder / "dealer.yaml").read_text()
        .replace("identity: identity", "identity: other")
        .replace("peers: {}", f"peers: {{office: 'sha256:{'5f' * 32}'}}")
    )  # fmt: skip
    asked = request(folder / "other", name, role, "Dealing House")
    install(folder / "other", root / "b.pem", approve(root / "authority", asked, root / "b.pem", 7))
    return folder / "dealer.yaml"


def test_a_dealer_does_not_start_with_a_partys_certificates(tmp_path: Path) -> None:
    config = load_dealer_config(folder_of(tmp_path, Role.PARTY))
    with pytest.raises(IdentityError, match="are of a party, not of a dealer"):
        open_identity(config)


def test_a_dealer_does_not_start_with_anothers_certificates(tmp_path: Path) -> None:
    config = load_dealer_config(folder_of(tmp_path, Role.DEALER, "other-house"))
    with pytest.raises(ConfigFaults, match="the identity here is other-house's"):
        open_identity(config)


def test_a_dealer_with_its_own_certificates_has_them(tmp_path: Path) -> None:
    config = load_dealer_config(folder_of(tmp_path, Role.DEALER))
    assert open_identity(config).member.role is Role.DEALER
    assert config.organizations == ()
    assert config.exchange.wait_s == 3600
