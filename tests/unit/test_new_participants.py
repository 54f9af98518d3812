"""New participants' files: complete, deny by default, never overwritten; pins written into them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from mpc.errors import ConfigFaults, IdentityError, UsageError
from mpc.plan.build import plan_study
from mpc.roster import Member, Roster
from mpc.study.parse import parse_study
from mpc.units import PartyId, Role
from parties.cli import app
from parties.commands.making import NewParty, make_coordinator, make_party
from parties.config import (
    TableConfig,
    Workers,
    _CoordinatorFile,
    _NodeFile,
    load_coordinator_config,
    load_node_config,
)
from parties.data.schema import CsvSource, load_schema
from parties.identity.bundle import read_bundle
from parties.new_files import column_names
from parties.pinning import pin
from parties.policy.evaluate import Standing, evaluate
from parties.policy.model import Limits, Policy, load_policy

STUDY = b"""\
version: 1
id: length-of-stay
title: Length of stay
purpose: health-services-research
lead: {name: Joan Example, organization: Northern University, email: joan@university.example}
parties:
  hospital-a: {version: 1, rows_max: 1000000, rows_expected: 3000}
  hospital-b: {version: 1, rows_max: 1000000, rows_expected: 3000}
  hospital-c: {version: 1, rows_max: 1000000, rows_expected: 3000}
recipients: [coordinator]
table:
  name: stays
  unit: {kind: row}
  columns:
    age: {type: number, bounds: [0, 110], step: 1}
    sex: {type: category, levels: [F, M]}
    days: {type: number, bounds: [0, 30], step: 1}
  where: age >= 18
privacy: {epsilon: 1, delta: 0.000001, adjacency: add_or_remove_one}
questions:
  stay: {kind: mean, column: days, by: [sex]}
  spread: {kind: histogram, column: days, bins: [0, 7, 30]}
"""


def new(folder: Path, **changes: object) -> NewParty:
    said = {
        "directory": folder / "hospital-a", "id": "hospital-a", "organization": "Hôpital “A”",
        "table": "stays", "coordinator": "study-office", "host": "mpc.hospital-a.example",
        "port": 7100, "rows_max": 1_000_000,
    }  # fmt: skip
    return NewParty(**{**said, **changes})  # type: ignore[arg-type]


def parley(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def office(tmp_path: Path) -> Member:
    """A coordinator with certificates, and its bundle beside it."""
    authority, folder = tmp_path / "authority", tmp_path / "office"
    bundle = tmp_path / "study-office.bundle.pem"
    assert parley("pki", "init", authority, "--organization", "Office").exit_code == 0
    make_coordinator(folder, "study-office", "Office", ("hospital-a=[::1]:7100", "b=b.example:1"))
    request = folder / "identity" / "request.pem"
    assert parley("pki", "approve", authority, request, "--out", bundle).exit_code == 0
    assert parley("pki", "install", folder / "identity", bundle).exit_code == 0
    return read_bundle(bundle).member


@pytest.fixture
def hospital(tmp_path: Path, office: Member) -> Member:
    """A party with certificates of the same authority."""
    assert office.role is Role.COORDINATOR
    folder, bundle = tmp_path / "hospital-a", tmp_path / "hospital-a.bundle.pem"
    request = make_party(new(tmp_path), None).request
    authority = tmp_path / "authority"
    assert parley("pki", "approve", authority, request, "--out", bundle).exit_code == 0
    assert parley("pki", "install", folder / "identity", bundle).exit_code == 0
    return read_bundle(bundle).member


def switched_on(text: str) -> str:
    """A new file with every setting on that stands there switched off."""
    return re.sub(r"(?m)^#(?! [A-Za-z])", "", text)


def settings_of(model: type[BaseModel]) -> set[str]:
    """The names of all settings of a file, also of those inside others."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            each = waiting.pop()
            waiting.extend(get_args(each))
            if isinstance(each, type) and issubclass(each, BaseModel):
                found |= settings_of(each)
    return found


@pytest.mark.parametrize(("file", "model"), [("policy.yaml", Policy), ("node.yaml", _NodeFile)])
def test_new_files_show_every_setting_that_is_accepted(
    tmp_path: Path, file: str, model: type[BaseModel]
) -> None:
    make_party(new(tmp_path), None)
    text = switched_on((tmp_path / "hospital-a" / file).read_text())
    said = {word for line in text.splitlines() for word in re.findall(r"([a-z_]+):", line)}
    assert settings_of(model) - said == set()


def test_new_node_file_with_everything_switched_on_says_the_defaults(
    tmp_path: Path, office: Member
) -> None:
    make_party(new(tmp_path), None)
    file = tmp_path / "hospital-a" / "node.yaml"
    file.write_text(switched_on(file.read_text()))
    pin(file, office)
    said = load_node_config(file)
    assert (said.workers, said.exchange.wait_s) == (Workers(), 60)


def refusals(policy: Path) -> set[str]:
    def member(name: str, role: Role) -> Member:
        return Member(PartyId(name), role, name, f"tls {name}".encode(), f"sign {name}".encode())

    study = parse_study(STUDY, "study")
    parties = tuple(member(name, Role.PARTY) for name in study.parties)
    plan = plan_study(study, Roster((*parties, member("study-office", Role.COORDINATOR))))
    table = TableConfig(policy, "population", 1_000_000)
    return {
        r.code for r in evaluate(plan, load_policy(policy), Standing(parties[0].id, table, None))
    }


def test_new_policy_refuses_on_every_ground_and_its_example_settings_allow_the_example(
    tmp_path: Path,
) -> None:
    make_party(new(tmp_path), None)
    policy = tmp_path / "hospital-a" / "policy.yaml"
    grounds = refusals(policy)
    assert {f"PLY-R0{n}" for n in (10, 11, 12, 14, 15, 18, 19, 20, 21, 22, 23)} <= grounds
    policy.write_text(switched_on(policy.read_text()))
    allowed = load_policy(policy).value
    assert allowed.approval == "manual"
    assert (allowed.limits, allowed.approval_expires_s) == (Limits(), 86_400)  # as if unsaid
    assert allowed.domains["population"].epsilon == Decimal(4)
    # no ledger was opened for the domain, and the study shows cells of any size
    assert refusals(policy) == {"PLY-R023", "PLY-R028"}


def test_new_node_is_not_startable_before_a_peer_is_pinned_and_is_after(
    tmp_path: Path, office: Member
) -> None:
    make_party(new(tmp_path), None)
    file = tmp_path / "hospital-a" / "node.yaml"
    with pytest.raises(ConfigFaults) as refusal:
        load_node_config(file)
    assert {fault.path for fault in refusal.value.faults} == {"peers"}
    before = file.read_text()
    pin(file, office)
    said = load_node_config(file)
    assert said.peers == {"study-office": office.fingerprint}
    assert said.listen == "0.0.0.0:7100"
    assert (said.exchange.host, said.exchange.bind) == ("mpc.hospital-a.example", "0.0.0.0")  # noqa: S104
    assert said.exchange.ports == (7101, 7116)
    comments = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in file.read_text().splitlines() if line.startswith("#")] == comments


def test_node_on_the_loopback_listens_there_alone(tmp_path: Path, office: Member) -> None:
    make_party(new(tmp_path, host="127.0.0.1"), None)
    pin(tmp_path / "hospital-a" / "node.yaml", office)
    said = load_node_config(tmp_path / "hospital-a" / "node.yaml")
    assert (said.listen, said.exchange.bind) == ("127.0.0.1:7100", "127.0.0.1")


def test_keys_are_made_for_the_party_alone(tmp_path: Path) -> None:
    make_party(new(tmp_path), None)
    identity = tmp_path / "hospital-a" / "identity"
    assert identity.stat().st_mode & 0o077 == 0
    assert all((identity / key).stat().st_mode & 0o077 == 0 for key in ("tls.key", "sign.key"))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    make_party(new(tmp_path), None)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="exists already; nothing was changed"):
        make_party(new(tmp_path, id="hospital-b"), None)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "Hospital A"}, "--id 'Hospital A' is no id"),
        ({"coordinator": "hospital-a"}, "two ids"),
        ({"table": "Stays!"}, "no name of a table"),
        ({"host": "a:b"}, "no address"),
        ({"organization": ""}, "organization"),
    ],
)
def test_what_files_would_not_take_is_refused_and_nothing_is_made(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        make_party(new(tmp_path, **changes), None)
    assert snapshot(tmp_path) == {}


def test_party_that_is_given_twice_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    told = parley(
        "coordinator", "new", tmp_path / "office", "--id", "study-office", "--organization", "O",
        "--party", "nord=a.example:1", "--party", "west=b.example:1", "--party", "nord=c.example:2",
    )  # fmt: skip
    assert told.exit_code == 2
    said = " ".join(told.output.split())
    assert "--party nord is given twice, at a.example:1 and at c.example:2" in said
    assert snapshot(tmp_path) == {}


def test_schema_takes_its_columns_from_the_header_and_nothing_else_from_the_data(
    tmp_path: Path,
) -> None:
    data = tmp_path / "hospital-a" / "stays.csv"
    data.parent.mkdir()
    data.write_text('Age (y),sex,"days: ""all""",Größe,sex_\n41,F,3,SECRET,x\n', encoding="utf-8")
    make_party(new(tmp_path), data)
    text = (data.parent / "stays.schema.yaml").read_text()
    assert "SECRET" not in text
    schema = load_schema(data.parent / "stays.schema.yaml").value
    headers = {name: schema.header(name) for name in schema.columns}
    assert list(headers.values()) == ["Age (y)", "sex", 'days: "all"', "Größe", "sex_"]
    assert list(headers) == ["age_y", "sex", "days_all", "gr_e", "column_5"]
    assert {field.type for field in schema.columns.values()} == {"text"}


def test_example_schema_without_data_is_valid(tmp_path: Path) -> None:
    make_party(new(tmp_path), None)
    schema = load_schema(tmp_path / "hospital-a" / "stays.schema.yaml").value
    assert set(schema.columns) == {"age", "sex", "days"}


def test_any_headers_become_distinct_names() -> None:
    names = column_names(["", "1st", "a b", "a-b", "A B", "x" * 90, "x" * 91, "no", "null"])
    assert len(names) == 9
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) for name in names)


def test_file_without_header_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "latin.csv").write_bytes("größe\n".encode("latin-1"))
    for name in ("empty.csv", "latin.csv", "none.csv"):
        with pytest.raises(UsageError, match=name):
            make_party(new(tmp_path), tmp_path / name)
    assert not (tmp_path / "hospital-a").exists()


@pytest.mark.parametrize(
    ("delimiter", "typed", "encoding"),
    [(";", ";", "latin-1"), ("\t", "\\t", "utf-16"), ("|", "|", "windows-1252")],
)
def test_schema_of_a_file_in_another_form_needs_no_edit_to_be_checked(
    tmp_path: Path, delimiter: str, typed: str, encoding: str
) -> None:
    folder = tmp_path / "hospital-a"
    data = tmp_path / "stays.csv"
    data.write_bytes(f"Größe{delimiter}sex\n12{delimiter}F\n".encode(encoding))
    made = parley(
        "node", "new", folder, "--id", "hospital-a", "--organization", "Hospital A", "--table",
        "stays", "--coordinator", "study-office", "--data", data, "--delimiter", typed,
        "--encoding", encoding,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    schema = load_schema(folder / "stays.schema.yaml").value
    assert isinstance(schema.source, CsvSource)
    assert (schema.source.delimiter, schema.source.encoding) == (delimiter, encoding)
    assert [schema.header(name) for name in schema.columns] == ["Größe", "sex"]
    checked = parley("data", "check", folder / "stays.schema.yaml")
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "is one column if its delimiter is ','"),
        ({"delimiter": "/"}, "--delimiter '/' is none that a schema may say"),
        ({"encoding": "ebcdic"}, "--encoding 'ebcdic' is none that a schema may say"),
    ],
)
def test_form_that_a_file_has_not_is_refused_and_nothing_is_made(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    data = tmp_path / "stays.csv"
    data.write_text("age;sex\n41;F\n")
    with pytest.raises(UsageError, match=re.escape(told)):
        make_party(new(tmp_path, **changes), data)
    assert not (tmp_path / "hospital-a").exists()


def test_pinned_party_keeps_its_fingerprint_and_other_certificates_are_refused(
    tmp_path: Path, office: Member, hospital: Member
) -> None:
    file = tmp_path / "hospital-a" / "node.yaml"
    pin(file, office)
    before = file.read_bytes()
    pin(file, office)
    forged = Member(office.id, office.role, office.organization, b"other", b"certificates")
    with pytest.raises(IdentityError, match="pins coordinator study-office to other certificates"):
        pin(file, forged)
    assert file.read_bytes() == before
    pin(tmp_path / "office" / "coordinator.yaml", hospital)
    text = (tmp_path / "office" / "coordinator.yaml").read_text()
    assert hospital.fingerprint in text
    with pytest.raises(ConfigFaults, match=r"parties\.b: fingerprint required"):
        load_coordinator_config(tmp_path / "office" / "coordinator.yaml")


def test_coordinator_file_takes_no_party_whose_address_it_lacks(
    tmp_path: Path, office: Member
) -> None:
    file = tmp_path / "office" / "coordinator.yaml"
    before = file.read_bytes()
    stranger = Member(PartyId("hospital-z"), Role.PARTY, "Z", b"tls", b"sign")
    with pytest.raises(UsageError, match="has no address of hospital-z"):
        pin(file, stranger)
    with pytest.raises(UsageError, match="lists parties and dealers only"):
        pin(file, office)
    assert file.read_bytes() == before


def test_coordinator_file_takes_a_dealers_pin_where_its_address_stands(tmp_path: Path) -> None:
    folder = tmp_path / "office"
    made = parley("coordinator", "new", folder, "--id", "study-office", "--organization", "Office",
                  "--party", "hospital-a=a.example:7100", "--party", "hospital-b=b.example:7100",
                  "--dealer", "dealing-house=d.example:7200")  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "approve authority dealing-house.request.pem" in made.output
    file = folder / "coordinator.yaml"
    parties = [
        Member(PartyId(f"hospital-{each}"), Role.PARTY, each, f"tls {each}".encode(), b"sign")
        for each in "ab"
    ]
    dealer = Member(PartyId("dealing-house"), Role.DEALER, "D", b"tls", b"sign")
    for party in parties:
        pin(file, party)
    with pytest.raises(ConfigFaults, match=r"dealers\.dealing-house: fingerprint required"):
        load_coordinator_config(file)
    before = file.read_bytes()
    with pytest.raises(UsageError, match="has no address of stranger") as refused:
        pin(file, Member(PartyId("stranger"), Role.DEALER, "S", b"other", b"keys"))
    assert refused.value.hint == "write it under dealers: stranger: {address: host:port}"
    assert file.read_bytes() == before
    pin(file, dealer)
    config = load_coordinator_config(file)
    assert config.dealers["dealing-house"].address == "d.example:7200"
    assert config.pins["dealing-house"] == dealer.fingerprint
    assert set(config.parties) == {"hospital-a", "hospital-b"}


def test_new_coordinator_file_shows_every_setting_and_lists_no_dealer(tmp_path: Path) -> None:
    make_coordinator(tmp_path, "study-office", "Office", ("a=a.example:1",), ())
    text = switched_on((tmp_path / "coordinator.yaml").read_text())
    assert "\ndealers: {}\n" in text
    said = {word for line in text.splitlines() for word in re.findall(r"([a-z_]+):", line)}
    assert set(_CoordinatorFile.model_fields) <= said


@pytest.mark.parametrize(
    ("dealers", "words"),
    [
        (("d.example:1",), "--dealer 'd.example:1' is not DEALER=HOST:PORT"),
        (("d=a.example:1", "d=b.example:1"), "--dealer d is given twice, at a.example:1 and at"),
        (("d=a.example",), "a.example"),
    ],
)
def test_dealer_that_the_file_would_not_take_is_refused_and_nothing_is_made(
    tmp_path: Path, dealers: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        make_coordinator(tmp_path / "office", "study-office", "Office", ("a=a.example:1",), dealers)
    assert not (tmp_path / "office").exists()


def test_trust_takes_a_roster_passes_over_its_own_bundle_and_pins_the_others(
    tmp_path: Path, office: Member, hospital: Member
) -> None:
    bundles = sorted(tmp_path.glob("*.bundle.pem"))
    roster = tmp_path / "roster.json"
    roster.write_text(parley("pki", "roster", *bundles).stdout)
    assert json.loads(roster.read_text()) == {
        "hospital-a": hospital.fingerprint, "study-office": office.fingerprint,
    }  # fmt: skip
    folder = tmp_path / "hospital-a"
    trusted = parley(
        "pki", "trust", folder / "identity", *bundles, "--roster", roster, "--config",
        folder / "node.yaml",
    )  # fmt: skip
    assert trusted.exit_code == 0, trusted.output
    assert "which a node or dealer reads when it starts" in trusted.output
    assert load_node_config(folder / "node.yaml").peers == {"study-office": office.fingerprint}
    assert [p.name for p in (folder / "identity" / "peers").iterdir()] == ["study-office.pem"]


@pytest.mark.parametrize("line", ['"hospital-a": "sha256:', '"study-office": "sha256:'])
def test_trust_with_a_roster_that_differs_keeps_and_pins_nothing(
    tmp_path: Path, hospital: Member, line: str
) -> None:
    assert hospital.role is Role.PARTY
    bundles = sorted(tmp_path.glob("*.bundle.pem"))
    text = parley("pki", "roster", *bundles).stdout
    folder = tmp_path / "hospital-a"
    roster = tmp_path / "roster.json"
    place = text.index(line) + len(line)
    roster.write_text(text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :])
    before = snapshot(folder)
    refused = parley(
        "pki", "trust", folder / "identity", *bundles, "--roster", roster, "--config",
        folder / "node.yaml",
    )  # fmt: skip
    assert refused.exit_code == 5
    assert snapshot(folder) == before


def test_trust_without_a_comparison_is_refused(tmp_path: Path, hospital: Member) -> None:
    bundles = sorted(tmp_path.glob("*.bundle.pem"))
    identity = tmp_path / "hospital-a" / "identity"
    assert hospital.role is Role.PARTY
    for options in ((), ("--fingerprint", hospital.fingerprint)):
        refused = parley("pki", "trust", identity, *bundles, *options)
        assert refused.exit_code == 2
    assert not (identity / "peers").exists()


def test_wrong_command_is_answered_with_the_nearest() -> None:
    assert "Did you mean 'plan'" in parley("plann").output
    assert parley("--help").exit_code == 0


def test_steps_that_a_new_coordinator_prints_work_as_printed(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def shell(commands: str) -> str:
        done = subprocess.run(
            ["sh", "-euc", commands], cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = shell(
        "parley coordinator new 'my office' --id study-office --organization 'Northern University'"
        " --party hospital-a=127.0.0.1:7100 --party hospital-b=127.0.0.1:7200"
    )
    for party in ("hospital-a", "hospital-b"):
        request = make_party(new(tmp_path, directory=tmp_path / party, id=party), None).request
        (tmp_path / f"{party}.request.pem").write_bytes(request.read_bytes())
    commands = [line.strip() for line in told.splitlines() if line.startswith("   ")]
    assert commands[0].startswith("parley pki init authority")
    assert commands.pop().startswith("parley coordinator health --config")  # nobody listens yet
    shell("\n".join(commands))
    config = load_coordinator_config(tmp_path / "my office" / "coordinator.yaml")
    assert set(config.pins) == {"hospital-a", "hospital-b"}


def test_new_node_prints_its_next_steps_as_complete_commands(tmp_path: Path) -> None:
    folder = tmp_path / "hospital-a"
    told = parley("node", "new", folder, "--id", "hospital-a", "--organization", "Hospital A",
                  "--table", "stays", "--coordinator", "study-office")  # fmt: skip
    assert told.exit_code == 0
    for command in (
        f"parley pki install {folder}/identity hospital-a.bundle.pem",
        f"parley pki trust {folder}/identity *.bundle.pem --roster roster.json"
        f" --config {folder}/node.yaml",
        f"parley data check {folder}/stays.schema.yaml",
        f"parley data register stays --config {folder}/node.yaml",
        f"parley node start --config {folder}/node.yaml",
    ):
        assert f"   {command}\n" in told.output


def test_version_is_told() -> None:
    told = parley("--version")
    assert (told.exit_code, told.output.split()[0]) == (0, "parley")


def test_authority_is_not_made_in_a_folder_that_others_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    told = parley("pki", "init", folder, "--organization", "Office")
    assert told.exit_code == 2
    assert str(folder) in told.output.replace("\n", "")
    assert list(folder.iterdir()) == []


PIN_LINE = "  study-office: sha256:"


@pytest.mark.parametrize(
    ("peers", "kept"),
    [
        ("peers: {}", ["peers:"]),
        ("peers: {} # by telephone", ["peers: # by telephone"]),
        ("peers:", ["peers:"]),
        (f"peers:\n  hospital-z: 'sha256:{'5' * 64}' # the last", ["peers:", "# the last"]),
        (f"peers: {{hospital-z: 'sha256:{'5' * 64}'}}", ["hospital-z"]),
    ],
)
def test_pin_is_a_line_behind_the_others_and_every_comment_stays_where_it_was(
    tmp_path: Path, office: Member, peers: str, kept: list[str]
) -> None:
    make_party(new(tmp_path), None)
    file = tmp_path / "hospital-a" / "node.yaml"
    file.write_text(file.read_text().replace("peers: {}", peers))
    before = file.read_text().splitlines()
    pin(file, office)
    after = file.read_text().splitlines()
    assert load_node_config(file).peers["study-office"] == office.fingerprint
    assert all(any(part in line for line in after) for part in kept)
    if PIN_LINE in file.read_text():  # not in braces
        (place,) = [at for at, line in enumerate(after) if line.startswith(PIN_LINE)]
        end = before.index(peers.splitlines()[-1])
        assert place == end + 1
        assert (after[:end], after[place + 1 :]) == (before[:end], before[end + 1 :])


def test_two_pins_stand_one_behind_the_other(tmp_path: Path, office: Member) -> None:
    make_party(new(tmp_path), None)
    file = tmp_path / "hospital-a" / "node.yaml"
    other = Member(PartyId("hospital-b"), Role.PARTY, "B", b"tls", b"sign")
    pin(file, office)
    pin(file, other)
    lines = file.read_text().splitlines()
    place = lines.index("peers:")
    assert [line.split(":")[0] for line in lines[place + 1 : place + 4]] == [
        "  study-office", "  hospital-b", "",
    ]  # fmt: skip


def test_nobody_pins_itself_or_a_peer_in_the_file_of_another(
    tmp_path: Path, office: Member, hospital: Member
) -> None:
    folder = tmp_path / "hospital-a"
    with pytest.raises(UsageError, match="nobody pins itself"):
        pin(folder / "node.yaml", hospital)
    before = snapshot(tmp_path)
    refused = parley(
        "pki", "trust", tmp_path / "office" / "identity", tmp_path / "hospital-a.bundle.pem",
        "--fingerprint", hospital.fingerprint, "--config", folder / "node.yaml",
    )  # fmt: skip
    assert refused.exit_code == 2
    assert "is not the file of" in refused.output
    assert snapshot(tmp_path) == before
    assert office.fingerprint not in (folder / "node.yaml").read_text()
