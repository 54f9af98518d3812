"""``parley dealer``: a folder that deals for nobody, made without a trace of data or policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mpc.errors import ConfigFaults, UsageError
from mpc.units import Role
from parties.cli import app
from parties.config import load_node_config
from parties.dealer.config import load_dealer_config
from parties.identity.authority import read_request

PIN = "sha256:" + "5f" * 32


def new(folder: Path, *more: str, name: str = "dealing-house") -> Result:
    arguments = ["dealer", "new", str(folder), "--id", name, "--organization", "Dealing House"]
    return CliRunner().invoke(app, [*arguments, "--coordinator", "office", *more])


def pinned(folder: Path) -> Path:
    path = folder / "dealer.yaml"
    path.write_text(path.read_text().replace("peers: {}", f"peers: {{office: '{PIN}'}}"))
    return path


def test_a_new_dealer_has_keys_and_a_file_that_deals_for_nobody(tmp_path: Path) -> None:
    made = new(tmp_path / "d", "--host", "mpc.house.example", "--port", "7300")

    assert made.exit_code == 0, made.output
    assert "parley dealer start --config" in made.output
    assert "organizations of all parties and of the coordinator" in made.output
    assert "everyone pins it as in 2" in made.output
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["dealer.yaml", "identity"]
    names = read_request(tmp_path / "d" / "identity" / "request.pem").names
    assert (names.id, names.role, names.organization) == (
        "dealing-house", Role.DEALER, "Dealing House",
    )  # fmt: skip
    config = load_dealer_config(pinned(tmp_path / "d"))
    assert config.organizations == ()
    assert (config.listen, config.exchange.host) == ("0.0.0.0:7300", "mpc.house.example")


def test_an_unpinned_dealer_does_not_start_and_nothing_is_overwritten(tmp_path: Path) -> None:
    new(tmp_path / "d")
    before = (tmp_path / "d" / "dealer.yaml").read_bytes()

    assert new(tmp_path / "d").exit_code == 2
    assert (tmp_path / "d" / "dealer.yaml").read_bytes() == before
    with pytest.raises(ConfigFaults, match="nobody is pinned"):
        load_dealer_config(tmp_path / "d" / "dealer.yaml")


@pytest.mark.parametrize(
    ("old", "other", "what"),
    [
        ("organizations: []", "", "organizations"),
        ("organizations: []", "organizations: ['']", "organizations"),
        ("identity: identity", "identity: identity\ntables: {}", "unknown key 'tables'"),
        ("identity: identity", "identity: identity\npolicy: policy.yaml", "unknown key 'policy'"),
        ("coordinators: [office]", "coordinators: [stranger]", "stranger is not pinned"),
        ("dealer: dealing-house", "dealer: office", "this dealer itself"),
    ],
)
def test_every_fault_of_the_file_is_told(tmp_path: Path, old: str, other: str, what: str) -> None:
    new(tmp_path / "d")
    path = pinned(tmp_path / "d")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, other, 1))
    with pytest.raises(ConfigFaults, match=what):
        load_dealer_config(path)


def test_a_dealers_file_is_no_nodes(tmp_path: Path) -> None:
    new(tmp_path / "d")
    with pytest.raises(UsageError, match=r"is a dealer.s file; --config wants a node\.yaml"):
        load_node_config(tmp_path / "d" / "dealer.yaml")


def test_a_dealer_is_not_its_own_coordinator(tmp_path: Path) -> None:
    assert new(tmp_path / "d", name="office").exit_code == 2
    assert not (tmp_path / "d").exists()
