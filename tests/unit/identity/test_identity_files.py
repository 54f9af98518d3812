"""Keys are made once and stay; certificates come only for these keys and these names."""

from __future__ import annotations

import copy
import pickle
import time
from pathlib import Path

import pytest
from identity_federation import OFFICE, A, At, B, Federation

from mpc.errors import IdentityError, IntegrityError, SecretMisuseError, UsageError
from mpc.units import Role
from parties.identity.authority import approve, authority_init, read_request
from parties.identity.store import Identity, install, load_identity, request

DAY_S = 86400


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_keys_are_their_owners_alone(federation: Federation) -> None:
    for name in ("tls.key", "sign.key"):
        assert (federation.of(A) / name).stat().st_mode & 0o777 == 0o600
    assert (federation.authority / "ca.key").stat().st_mode & 0o777 == 0o600
    assert federation.of(A).stat().st_mode & 0o777 == 0o700


def test_request_and_bundle_hold_no_private_key(federation: Federation) -> None:
    for path in (federation.of(A) / "request.pem", federation.bundle(A)):
        assert b"PRIVATE" not in path.read_bytes()


def test_identity_says_who_it_is_and_signs_so_that_others_can_verify(
    federation: Federation,
) -> None:
    identity = load_identity(federation.of(A))

    assert (identity.member.id, identity.member.role) == (A, Role.PARTY)
    assert identity.member.organization == f"{A} Ltd"
    assert identity.member.fingerprint == federation.fingerprints[A]
    signature = identity.sign("parley/test/v1", b"message")
    identity.member.verify("parley/test/v1", b"message", signature)
    with pytest.raises(IntegrityError):
        identity.member.verify("parley/other/v1", b"message", signature)


def test_identity_shows_no_key_and_cannot_be_copied(federation: Federation) -> None:
    identity = load_identity(federation.of(A))
    secret = (federation.of(A) / "sign.key").read_text().splitlines()[1]

    assert secret not in repr(identity)
    assert "PRIVATE" not in repr(identity)
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SecretMisuseError):
            copying(identity)


def test_worker_takes_over_the_same_identity(federation: Federation) -> None:
    identity = load_identity(federation.of(A))

    taken = Identity.from_node(identity.for_worker())

    assert taken.member == identity.member
    taken.member.verify("parley/test/v1", b"m", taken.sign("parley/test/v1", b"m"))


def test_keys_for_a_purpose_follow_from_the_identity_and_are_none_of_its_own(
    federation: Federation,
) -> None:
    alpha, beta = load_identity(federation.of(A)), load_identity(federation.of(B))
    own = alpha.key_for("one purpose")
    assert len(own) == 32
    assert Identity.from_node(alpha.for_worker()).key_for("one purpose") == own
    assert len({own, alpha.key_for("another"), beta.key_for("one purpose")}) == 3
    assert own != alpha._signing_key.private_bytes_raw()


def test_worker_refuses_keys_of_another_identity(federation: Federation) -> None:
    order = load_identity(federation.of(A)).for_worker()
    order["signing_key"] = load_identity(federation.of(B)).for_worker()["signing_key"]

    with pytest.raises(IdentityError, match="not those of the certificates of party insurer-a"):
        Identity.from_node(order)


@pytest.mark.parametrize("name", ["tls.key", "sign.key"])
def test_key_that_others_can_read_is_refused(federation: Federation, name: str) -> None:
    (federation.of(A) / name).chmod(0o640)

    with pytest.raises(IdentityError, match=f"{name} can be read by others"):
        load_identity(federation.of(A))


def test_folder_that_others_can_enter_takes_no_keys(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)

    with pytest.raises(UsageError, match=r"open can be entered by others"):
        request(folder, A, Role.PARTY, "A")
    with pytest.raises(UsageError, match=r"open can be entered by others"):
        authority_init(folder, "Office")
    assert files_of(folder) == {}


def test_certificates_of_another_party_are_not_installed(federation: Federation) -> None:
    before = files_of(federation.of(A))

    with pytest.raises(IdentityError, match="not those of the certificates of party insurer-b"):
        install(federation.of(A), federation.bundle(B))
    assert files_of(federation.of(A)) == before


def test_bundle_with_another_fingerprint_is_not_installed(federation: Federation) -> None:
    before = files_of(federation.of(A))

    with pytest.raises(IdentityError, match=r"insurer-a have the fingerprint sha256:"):
        install(federation.of(A), federation.bundle(A), federation.fingerprints[B])
    assert files_of(federation.of(A)) == before


def test_certificates_of_another_authority_are_not_installed(
    federation: Federation, tmp_path: Path
) -> None:
    authority_init(tmp_path / "other", "Someone Else")
    asked = request(federation.of(A), A, Role.PARTY, f"{A} Ltd")
    approve(tmp_path / "other", asked, tmp_path / "forged.pem")
    before = files_of(federation.of(A))

    with pytest.raises(IdentityError, match="issued by another authority"):
        install(federation.of(A), tmp_path / "forged.pem")
    assert files_of(federation.of(A)) == before


def test_certificates_cut_from_two_bundles_are_refused(
    federation: Federation, tmp_path: Path
) -> None:
    parts = [
        path.read_text().split("-----END CERTIFICATE-----\n")
        for path in (federation.bundle(A), federation.bundle(B))
    ]
    mixed = tmp_path / "mixed.pem"
    mixed.write_text("-----END CERTIFICATE-----\n".join([parts[0][0], parts[1][1], *parts[0][2:]]))

    with pytest.raises(IdentityError, match="of another participant"):
        install(federation.of(A), mixed)


def test_expired_identity_names_the_certificate_and_the_time(federation: Federation) -> None:
    later = At(int(time.time()) + 400 * DAY_S)

    with pytest.raises(IdentityError, match=r"TLS certificate of party insurer-a .* expired at"):
        load_identity(federation.of(A), clock=later)


def test_identity_from_the_future_names_the_certificate(federation: Federation) -> None:
    with pytest.raises(IdentityError, match=r"party insurer-a .* is not valid before"):
        load_identity(federation.of(A), clock=At(int(time.time()) - DAY_S))


def test_small_clock_difference_between_authority_and_party_is_borne(
    federation: Federation,
) -> None:
    load_identity(federation.of(A), clock=At(int(time.time()) - 120))


def test_leaf_never_outlives_its_authority(tmp_path: Path) -> None:
    authority_init(tmp_path / "ca", "Office", days=10)
    asked = request(tmp_path / A, A, Role.PARTY, "A")
    approve(tmp_path / "ca", asked, tmp_path / "a.pem", days=397)
    install(tmp_path / A, tmp_path / "a.pem")

    identity = load_identity(tmp_path / A)
    assert identity.bundle.tls.not_valid_after_utc == identity.authority.not_valid_after_utc


def test_folder_without_certificates_says_what_to_do(tmp_path: Path) -> None:
    request(tmp_path / A, A, Role.PARTY, "A")

    with pytest.raises(IdentityError, match=r"no certificates yet.*parley pki install"):
        load_identity(tmp_path / A)


def test_second_certificates_for_the_same_keys_are_refused_unless_asked_for(
    federation: Federation, tmp_path: Path
) -> None:
    issued = files_of(federation.authority)
    asked = request(federation.of(A), A, Role.PARTY, f"{A} Ltd")
    with pytest.raises(UsageError, match="--again issues others") as refused:
        approve(federation.authority, asked, tmp_path / "second.pem")
    assert f"certificates before ({federation.fingerprints[A]})" in refused.value.message
    assert files_of(federation.authority) == issued
    assert not (tmp_path / "second.pem").exists()


def test_renewal_keeps_the_keys(federation: Federation, tmp_path: Path) -> None:
    keys = {name: (federation.of(A) / name).read_bytes() for name in ("tls.key", "sign.key")}

    asked = request(federation.of(A), A, Role.PARTY, f"{A} Ltd")
    renewed = approve(federation.authority, asked, tmp_path / "renewed.pem", again=True)
    install(federation.of(A), tmp_path / "renewed.pem", renewed)

    assert {name: (federation.of(A) / name).read_bytes() for name in keys} == keys
    assert renewed != federation.fingerprints[A]
    assert load_identity(federation.of(A)).member.fingerprint == renewed


def test_folder_of_one_participant_makes_no_request_for_another(federation: Federation) -> None:
    before = files_of(federation.of(A))

    with pytest.raises(UsageError, match="belongs to party insurer-a"):
        request(federation.of(A), B, Role.PARTY, "B")
    assert files_of(federation.of(A)) == before


def test_id_issued_to_other_keys_is_refused_unless_superseded(
    federation: Federation, tmp_path: Path
) -> None:
    thief = request(tmp_path / "thief", A, Role.PARTY, f"{A} Ltd")
    issued = files_of(federation.authority)

    with pytest.raises(IdentityError, match="insurer-a was issued before"):
        approve(federation.authority, thief, tmp_path / "stolen.pem")
    with pytest.raises(IdentityError, match="insurer-a was issued before"):
        approve(federation.authority, thief, tmp_path / "x.pem", replace=federation.fingerprints[B])
    assert files_of(federation.authority) == issued
    assert not (tmp_path / "stolen.pem").exists()

    approve(federation.authority, thief, tmp_path / "new.pem", replace=federation.fingerprints[A])
    assert install(tmp_path / "thief", tmp_path / "new.pem").id == A


def test_party_cannot_become_coordinator_unnoticed(federation: Federation) -> None:
    folder = federation.of(A)
    for name in ("request.pem", "identity.pem"):
        (folder / name).unlink()
    asked = request(folder, A, Role.COORDINATOR, f"{A} Ltd")

    with pytest.raises(IdentityError, match="was issued before, to party insurer-a"):
        approve(federation.authority, asked, folder / "out.pem")


def test_request_that_was_cut_short_is_finished_with_the_same_keys(tmp_path: Path) -> None:
    request(tmp_path / A, A, Role.PARTY, "A")
    key = (tmp_path / A / "tls.key").read_bytes()
    (tmp_path / A / "sign.key").unlink()
    (tmp_path / A / "request.pem").unlink()

    read_request(request(tmp_path / A, A, Role.PARTY, "A"))

    assert (tmp_path / A / "tls.key").read_bytes() == key


def test_authority_is_made_once(federation: Federation) -> None:
    before = files_of(federation.authority)

    with pytest.raises(UsageError, match="exists already"):
        authority_init(federation.authority, "Study Office")
    assert files_of(federation.authority) == before


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * 100_000])
def test_request_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "request.pem"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"request\.pem"):
        read_request(path)


def test_request_whose_two_keys_differ_in_name_is_refused(
    federation: Federation, tmp_path: Path
) -> None:
    end = "-----END CERTIFICATE REQUEST-----\n"
    a, office = ((federation.of(n) / "request.pem").read_text().split(end) for n in (A, OFFICE))
    mixed = tmp_path / "mixed.pem"
    mixed.write_text(end.join([a[0], office[1], ""]))

    with pytest.raises(IdentityError, match="not signed by both"):
        read_request(mixed)


def test_request_with_a_broken_signature_is_refused(tmp_path: Path) -> None:
    path = request(tmp_path / A, A, Role.PARTY, "A")
    lines = path.read_text().splitlines()
    at = lines.index("-----END CERTIFICATE REQUEST-----") - 1
    lines[at] = lines[at].replace(lines[at][2], "A" if lines[at][2] != "A" else "B", 1)
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises((IdentityError, UsageError)):
        read_request(path)


@pytest.mark.parametrize("organization", ["", " A", "A\nB", "A" * 65, "A\u202eB"])
def test_odd_organization_names_are_refused(tmp_path: Path, organization: str) -> None:
    with pytest.raises(UsageError, match="printable"):
        request(tmp_path / A, A, Role.PARTY, organization)
    assert not (tmp_path / A).exists()


@pytest.mark.parametrize("name", ["Insurer", "a b", "a.b", "../a", "a" * 41, ""])
def test_odd_ids_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="party id"):
        request(tmp_path / "folder", name, Role.PARTY, "A")
    assert not (tmp_path / "folder").exists()
