"""Node and coordinator files: every fault at once, at its place; paths beside the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpc.errors import ConfigFaults, UsageError
from parties.config import load_coordinator_config, load_node_config

PIN = "sha256:" + "5f" * 32
OTHER_PIN = "sha256:" + "77" * 32

NODE = f"""\
version: 1
party: insurer-north
listen: 127.0.0.1:7001
identity: identity
state: /var/lib/parley/state
policy: policy.yaml
coordinators: [study-office]
peers:
  study-office: {PIN}
  insurer-south: {OTHER_PIN}
exchange:
  host: 127.0.0.1
  ports: [7100, 7120]
tables:
  visits:
    schema_file: visits.schema.yaml
    domain: members
    rows_max: 20000
"""

COORDINATOR = f"""\
version: 1
coordinator: study-office
identity: identity
state: state
parties:
  insurer-north:
    address: north.example.org:7001
    fingerprint: {PIN}
  insurer-south:
    address: "[::1]:7001"
    fingerprint: {OTHER_PIN}
"""


PEERS = f"""\
peers:
  study-office: {PIN}
  insurer-south: {OTHER_PIN}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "node.yaml"
    path.write_text(text)
    return path


def node_faults(folder: Path, text: str) -> str:
    with pytest.raises(ConfigFaults) as refusal:
        load_node_config(written(folder, text))
    assert refusal.value.exit_code == 2
    return str(refusal.value).replace(str(folder) + "/", "")


def test_node_file_is_read_with_paths_beside_it(tmp_path: Path) -> None:
    node = load_node_config(written(tmp_path, NODE))

    assert node.party == "insurer-north"
    assert node.identity == tmp_path / "identity"
    assert node.state == Path("/var/lib/parley/state")
    assert node.policy == tmp_path / "policy.yaml"
    assert node.tables["visits"].schema_file == tmp_path / "visits.schema.yaml"
    assert node.tables["visits"].domain == "members"
    assert node.peers == {"study-office": PIN, "insurer-south": OTHER_PIN}
    assert node.coordinators == ("study-office",)
    assert (node.exchange.ports, node.exchange.bind) == ((7100, 7120), None)
    assert (node.exchange.keepalive_s, node.exchange.timeout_s) == (3, 4)


def test_relative_paths_do_not_depend_on_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, NODE)
    monkeypatch.chdir(tmp_path)

    assert load_node_config(Path("node.yaml")).identity == tmp_path / "identity"


def test_coordinator_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.yaml"
    path.write_text(COORDINATOR)

    coordinator = load_coordinator_config(path)

    assert coordinator.id == "study-office"
    assert coordinator.pins == {"insurer-north": PIN, "insurer-south": OTHER_PIN}
    assert {party: entry.address for party, entry in coordinator.parties.items()} == {
        "insurer-north": "north.example.org:7001",
        "insurer-south": "[::1]:7001",
    }
    assert coordinator.state == tmp_path / "state"


def test_every_fault_of_a_file_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = (
        NODE.replace("listen: 127.0.0.1:7001", "listen: 127.0.0.1")
        .replace("policy: policy.yaml", "polcy: policy.yaml")
        .replace(f"study-office: {PIN}", "study-office: 5f2c")
        .replace("ports: [7100, 7120]", "ports: [7100, 700000]")
        .replace("rows_max: 20000", "rows_max: many")
    )

    told = node_faults(tmp_path, text).splitlines()

    places = [line.split(" ")[0] for line in told]
    assert places == [
        "node.yaml:1:1",
        "node.yaml:3:9",
        "node.yaml:6:1",
        "node.yaml:9:17",
        "node.yaml:13:17",
        "node.yaml:18:15",
    ]
    assert all(" PLY-C" in line for line in told)
    assert "policy required" in told[0]
    assert "host:port" in told[1]
    assert "did you mean 'policy'" in told[2]
    assert "fingerprint" in told[3]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("coordinators: [study-office]", "coordinators: [office]", "7:16 .* office is not pinned"),
        (PEERS, "peers: {}\n", "8:1 .* nobody is pinned; .* parley pki trust"),
        ("  insurer-south: ", "  insurer-north: ", "10:.* this party itself"),
        (OTHER_PIN, PIN, "10:.* the fingerprint of study-office"),
        ("[7100, 7120]", "[7120, 7100]", "13:.* ports run backwards"),
        ("[7100, 7120]", "[7000, 7100]", "13:.* ports take in the control plane's own"),
        ("state: /var/lib/parley/state", "state: ./identity", "5:.* the identity's folder"),
        ("coordinators: [study-office]", "coordinators: []", "7:.* too few coordinators"),
        ("version: 1", "version: 2", "1:.*'2' is not allowed"),
        ("  host: 127.0.0.1\n", "", "host required"),
        ("  host: 127.0.0.1\n", "  host: 127.0.0.1\n  wait_s: 2\n", "shorter than timeout_s"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_its_line(
    tmp_path: Path, old: str, new: str, what: str
) -> None:
    assert old in NODE
    assert re.search(what, node_faults(tmp_path, NODE.replace(old, new)))


DEALER_PIN = "sha256:" + "d0" * 32
DEALERS = f"""\
dealers:
  dealing-house:
    address: house.example.org:7200
    fingerprint: {DEALER_PIN}
"""


def test_coordinators_dealers_are_pinned_beside_its_parties_and_may_be_none(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.yaml"
    for none in ("", "dealers: {}\n"):
        path.write_text(COORDINATOR + none)
        assert load_coordinator_config(path).dealers == {}
    path.write_text(COORDINATOR + DEALERS)
    coordinator = load_coordinator_config(path)
    assert set(coordinator.parties) == {"insurer-north", "insurer-south"}
    assert coordinator.dealers["dealing-house"].address == "house.example.org:7200"
    assert coordinator.pins["dealing-house"] == DEALER_PIN


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "dealing-house:",
            "study-office:",
            r"13:3 .*dealers\.study-office: the coordinator itself",
        ),
        ("dealing-house:", "insurer-north:", r"13:3 .*dealers\.insurer-north: a party too"),
        (DEALER_PIN, OTHER_PIN, r"13:.*the fingerprint of insurer-south"),
        (f"    fingerprint: {DEALER_PIN}\n", "", r"dealers\.dealing-house: fingerprint required"),
        ("house.example.org:7200", "house", "host:port"),
    ],
)
def test_dealer_that_is_somebody_else_is_refused_at_its_line(
    tmp_path: Path, old: str, new: str, what: str
) -> None:
    path = tmp_path / "coordinator.yaml"
    assert old in DEALERS
    path.write_text(COORDINATOR + DEALERS.replace(old, new))
    with pytest.raises(ConfigFaults) as refusal:
        load_coordinator_config(path)
    assert re.search(what, str(refusal.value)), str(refusal.value)


def test_coordinator_that_lists_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.yaml"
    path.write_text(COORDINATOR.replace("insurer-south:", "study-office:"))

    with pytest.raises(ConfigFaults, match="the coordinator itself"):
        load_coordinator_config(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"node\.yaml cannot be read"):
        load_node_config(tmp_path / "node.yaml")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a: [", b"- 1", b"x" * 600_000])
def test_what_is_no_node_file_is_a_fault_and_no_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigFaults):
        load_node_config(path)


def test_file_of_the_other_kind_of_participant_is_told_in_one_sentence(tmp_path: Path) -> None:
    node, office = tmp_path / "node.yaml", tmp_path / "coordinator.yaml"
    node.write_text(NODE)
    office.write_text(COORDINATOR)
    with pytest.raises(UsageError) as refused:
        load_coordinator_config(node)
    assert refused.value.message == f"{node} is a node's file; --config wants a coordinator.yaml"
    with pytest.raises(UsageError) as refused:
        load_node_config(office)
    assert refused.value.message == f"{office} is a coordinator's file; --config wants a node.yaml"
    assert refused.value.exit_code == 2
