"""What a study lets out: nothing but TLS on the network, and a planted value nowhere at all.

One party's table holds a text and a number that occur nowhere else: as an undeclared level, out of
bounds, and in a column that no study uses. Three real nodes run one study for a coordinator that is
a process of its own, one for a coordinator whose calls are recorded in clear, and one that fails in
the middle of reading that very row. Then everything that anybody could have seen is searched.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from canary import NUMBER, TEXT, canaries, found, key_files, private_keys
from control_recorder import recording
from joint_release import SilentSource
from loopback_capture import Capture, NotPermitted, capturing
from process_watch import Watched, watching
from running_federation import balances, finish, office_of, ports_of, started
from seeded_randomness import SeededRandomness
from study_tables import tables_of
from tls_records import APPLICATION_DATA, assert_only_tls_1_3, records
from visits_study import SCENARIO, recipe, visits

from mpc.errors import ParleyError
from mpc.testing.parties import InProcessParties
from parties.simulation import Federation

ROWS = 300  # of each party
CANARY_KEEPER = "insurer-south"
COMMAND_S = 120.0

pytestmark = pytest.mark.timeout(400)  # the first test starts all processes


@dataclass(frozen=True)
class Evidence:
    """Everything that could be seen of three studies."""

    federation: Federation
    capture: Capture
    watched: Watched
    folder: Path  # of all files but the tables
    data: dict[str, bytes]  # the tables, by file
    printed: list[tuple[str, bytes]]  # by commands
    said: list[tuple[str, bytes]]  # in clear, behind TLS
    failure: ParleyError
    charged_by_failure: bool

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file but the tables and those that are meant to hold a private key."""
        kept = set(key_files(self.folder))
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path not in kept:
                yield str(path.relative_to(self.folder)), path.read_bytes()

    def packets(self) -> Iterator[tuple[str, bytes]]:
        for number, packet in enumerate(self.capture.packets):
            yield f"packet {number}", packet

    def everything(self) -> Iterator[tuple[str, bytes]]:
        yield from self.packets()
        yield from self.files()
        yield from self.watched.haystacks()
        yield from self.printed
        yield from self.said
        yield "error", f"{self.failure!r} {self.failure} {self.failure.hint}".encode()


def write_tables(folder: Path) -> dict[str, Path]:
    """The visits tables with one column more; one of them holds the canaries."""
    folder.mkdir()
    rows = [[*row, "nothing"] for row in recipe().rows()[: 3 * ROWS]]
    paths = {}
    for number, party in enumerate(visits().parties):
        own = rows[number * ROWS : (number + 1) * ROWS]
        if party == CANARY_KEEPER:
            own[10] = ["2", TEXT, "good", "no", "10.0", "nothing"]  # a level nobody declared
            own[20] = [NUMBER, "25%", "good", "no", NUMBER, "nothing"]  # far outside
            own[30] = ["2", "25%", "good", "no", "10.0", TEXT]  # in a column that is not used
        paths[party] = folder / f"{party}.csv"
        with paths[party].open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*recipe().Row._fields, "note"])
            writer.writerows(own)
    return paths


def break_row(path: Path) -> None:
    """Make the canary's row unreadable, so that the owner does not see a change of the file."""
    before = path.stat()
    text = path.read_text()
    assert f"10.0,{TEXT}" in text
    path.write_text(text.replace(f"10.0,{TEXT}", f"10.0 {TEXT}"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def command(*arguments: str | Path, roots: list[int]) -> tuple[int, bytes]:
    """A parley command's exit code and all that it prints; its process is put among ``roots``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "parties.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    roots.append(process.pid)
    printed, _ = process.communicate(timeout=COMMAND_S)
    return process.returncode, printed


def run_command(federation: Federation, results: Path, roots: list[int]) -> tuple[int, bytes]:
    """The study by a coordinator that is a process of its own."""
    config = federation.coordinator_config
    return command("run", SCENARIO, "--config", config, "--out", results, roots=roots)


def register_bad_table(federation: Federation, path: Path) -> tuple[int, bytes]:
    """What an owner is told of a table whose number column holds the canary."""
    path.write_text(f"mdvis,coinsurance,health,idp,disea\n1,25%,good,no,{TEXT}\n")
    config = federation.nodes[CANARY_KEEPER].config
    return command("data", "register", "visits", "--config", config, roots=[])


def spoken_between_parties(data: dict[str, Path], folder: Path) -> list[tuple[str, bytes]]:
    """The parties' messages to each other and to the coordinator, without TLS around them."""
    study = visits()
    parties = InProcessParties(study, tables_of(study, data, folder), SeededRandomness("spoken"))
    silent = {party: SilentSource() for party in parties.ledgers}
    released = parties.run(silent, build=SilentSource.build)
    spoken = [
        (f"{m.sender} to {m.receiver}", m.operation + m.payload) for m in released.network.seen
    ]
    return spoken + [(f"share of {party}", share) for party, share in released.messages.items()]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    root = tmp_path_factory.mktemp("capture")
    data = write_tables(root / "tables")
    folder = root / "files"
    study = visits()
    roots: list[int] = []
    said = spoken_between_parties(data, root / "spoken")
    federation = Federation(folder / "federation", study)
    federation.build(data)
    try:
        with (
            capturing(ports_of(federation)) as capture,
            watching(roots) as watched,
            started(federation),
        ):
            roots += [node.process.pid for node in federation.nodes.values() if node.process]
            ended, shown = run_command(federation, folder / "results", roots)
            assert ended == 0, shown.decode()
            with recording() as recorder:
                office = office_of(federation)
                again = study.model_copy(update={"title": "The same, recorded"})
                finish(office, office.plan(again))
                before = balances(federation)
                break_row(data[CANARY_KEEPER])
                failing = study.model_copy(update={"title": "The same, failing"})
                with pytest.raises(ParleyError) as failed:
                    finish(office, office.plan(failing))
            charged = balances(federation) != before
            holding = {path.name: path.read_bytes() for path in data.values()}
            refused, told = register_bad_table(federation, data[CANARY_KEEPER])
    except NotPermitted as forbidden:
        pytest.skip(f"packets can be captured by root alone: {forbidden}")
    assert refused == 2, told.decode()
    assert b"disea" in told
    return Evidence(
        federation=federation,
        capture=capture,
        watched=watched,
        folder=folder,
        data=holding,
        printed=[("parley run", shown), ("parley data register", told)],
        said=said + recorder.said,
        failure=failed.value,
        charged_by_failure=charged,
    )


def test_every_byte_on_the_federations_ports_is_tls_1_3(evidence: Evidence) -> None:
    assert evidence.capture.lost == 0
    ports = {port for span in ports_of(evidence.federation) for port in span}
    streams = evidence.capture.streams(ports)
    assert len(streams) >= 2 * (3 + 3 * 3)  # three calls to nodes, three lanes in each study
    for ends, stream in streams.items():
        assert_only_tls_1_3(stream)
        assert any(record.kind == APPLICATION_DATA for record in records(stream)), ends


def test_the_canary_is_in_the_table_and_nowhere_else(evidence: Evidence) -> None:
    where = found(canaries(), evidence.data.items())
    assert {f"text in {CANARY_KEEPER}.csv", f"number in {CANARY_KEEPER}.csv"} <= set(where)
    assert found(canaries(), evidence.everything()) == []


def test_no_private_key_is_seen_outside_its_own_file(evidence: Evidence) -> None:
    keys = private_keys(evidence.folder)
    files = key_files(evidence.folder)
    assert len(files) == 2 * 4 + 1  # TLS and signing of three parties and a coordinator; authority
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert found(keys, evidence.everything()) == []


def test_the_search_covers_what_there_was_to_see(evidence: Evidence) -> None:
    names = {name for name, _ in evidence.files()}
    for party in evidence.federation.nodes:
        for kept in ("node.log", "state/ledger.db", "state/data.db", "state/requests.db"):
            assert f"federation/{party}/{kept}" in names
    assert {"results/receipt.json", "results/report.html", "results/results.json"} <= names
    assert any(name.startswith("federation/coordinator/state/") for name in names)
    own = [pid for pid, parent in evidence.watched.parents.items() if parent == os.getpid()]
    assert len(own) == 3 + 1  # nodes, and the coordinator's command
    assert evidence.watched.generations(set(own)) >= {0, 1, 2}  # nodes, zygotes, workers
    methods = {name.rpartition("/")[2] for name, _ in evidence.said}
    assert {"Propose", "Start", "Connect", "Watch", "Collect"} <= methods
    assert any(name == f"share of {CANARY_KEEPER}" for name, _ in evidence.said)


def test_an_unreadable_row_ends_the_study_without_a_word_about_it(evidence: Evidence) -> None:
    assert CANARY_KEEPER in str(evidence.failure)
    assert not evidence.charged_by_failure
