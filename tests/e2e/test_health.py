"""Health of a node: its operator and its coordinators may ask, and that is all an operator may."""

from __future__ import annotations

import json
import os

import pytest
from federation import Consortium
from typer.testing import CliRunner

from mpc.errors import IdentityError
from parties.cli import app
from parties.coordinator.client import PartyClient
from parties.data.register import register_table
from parties.data.schema import load_schema
from parties.identity.store import load_identity


def test_running_node_is_healthy_and_a_killed_one_is_not(consortium: Consortium) -> None:
    node = consortium.federation.nodes["alpha"]
    asked = ["node", "health", "--config", str(node.config)]
    survey = ["coordinator", "health", "--config", str(consortium.federation.coordinator_config)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    sound = json.loads(CliRunner().invoke(app, [*survey, "--json"]).stdout)["data"]["parties"]
    assert {party: each["ready"] for party, each in sound.items()} == dict.fromkeys(sound, True)
    everyone = CliRunner().invoke(app, survey)
    assert everyone.exit_code == 0
    assert all(party in everyone.output for party in consortium.federation.nodes)
    consortium.kill("alpha")
    assert CliRunner().invoke(app, asked).exit_code == 5
    missing = CliRunner().invoke(app, survey)
    assert missing.exit_code == 5
    assert "alpha  cannot be reached" in missing.output.replace("\n", " ")
    assert "bravo  cannot" not in missing.output
    told = CliRunner().invoke(app, [*survey, "--json"])
    said = json.loads(told.stdout)
    assert (told.exit_code, said["status"], said["party"]) == (5, "error", "alpha")
    found = said["data"]["parties"]
    assert found["bravo"] == sound["bravo"]
    assert found["alpha"]["error"]["code"] == "PLY-N002"
    assert f"alpha  {found['alpha']['error']['what']}" in missing.output


def test_owner_is_told_by_health_of_a_table_that_is_offline_and_why(
    consortium: Consortium,
) -> None:
    config = consortium.federation.nodes["charlie"].node_config
    asked = ["node", "health", "--config", str(config.file)]

    def told() -> str:
        done = CliRunner().invoke(app, asked)
        assert done.exit_code == 0, done.output
        assert "charlie: ready" in done.output
        return done.output

    assert "offline" not in told()
    schema = config.tables["people"].schema_file
    (data,) = [schema.parent / name for name in load_schema(schema).value.source.files]
    written = data.stat()
    declared, version = schema.read_text(), consortium.announced("charlie")
    os.utime(data, ns=(1, 1))
    try:
        assert f"offline: table people: version {version} was" in told()
        assert "no table is online: every study is refused" in told()
        said = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["data"]
        assert data.name in said["offline"]["people"]
        schema.write_text(declared.replace("columns:", "colums:"))
        assert "the node would not start again" in told()
    finally:
        schema.write_text(declared)
        os.utime(data, ns=(written.st_atime_ns, written.st_mtime_ns))
    register_table(config, "people")
    assert "offline" not in told()


def test_coordinator_is_shown_the_tables_that_every_party_publishes(consortium: Consortium) -> None:
    asked = ["coordinator", "tables", "--config", str(consortium.federation.coordinator_config)]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0
    for words in (", at most 1,000 rows", "age: number, cells may be missing",
                  "place: text, cells may be missing"):  # fmt: skip
        assert shown.output.count(words) == len(consortium.parties), shown.output
    for party in consortium.parties:
        assert f"people: version {consortium.announced(party)}, at most" in shown.output
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["data"]["parties"]
    for party in consortium.parties:
        offered = found[party]["tables"]["people"]
        assert (offered["version"], offered["rows_max"]) == (consortium.announced(party), 1000)
        assert offered["columns"]["age"]["type"] == "number"


def test_node_asks_itself_for_health_and_is_refused_everything_else(consortium: Consortium) -> None:
    node = consortium.federation.nodes["bravo"]
    identity = load_identity(node.node_config.identity)
    with PartyClient(identity, identity.member, node.address) as client:
        assert client.health().party == "bravo"
        with pytest.raises(IdentityError, match="not pinned"):
            client.describe()


def test_another_party_is_not_told_health(consortium: Consortium) -> None:
    nodes = consortium.federation.nodes
    stranger = load_identity(nodes["alpha"].node_config.identity)
    peer = load_identity(nodes["bravo"].node_config.identity).member
    client = PartyClient(stranger, peer, nodes["bravo"].address)
    with client, pytest.raises(IdentityError, match="not pinned"):
        client.health()
