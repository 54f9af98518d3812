"""Owners with files and a schema of their own, and joint answers over them without noise.

An owner here goes the product's way: a node file, a schema file, ``register_table``, the version
that a worker opens. Only the other side is short: own sums are added in the open and decoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seeded_randomness import SeededRandomness

from mpc.columns.model import CategoryColumn
from mpc.outcome import decode_totals
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.questions.answer import Answer
from mpc.questions.local import local_sums
from mpc.roster import Roster
from mpc.study.model import Study, Table
from mpc.study.parse import parse_study
from mpc.table.model import BoundedTable
from mpc.testing.participants import Participant
from mpc.units import Role
from parties.config import NodeConfig, load_node_config
from parties.data.encodings import readable
from parties.data.sandbox import rows, sandboxed
from parties.data.table import DuckTable, EngineLimits
from parties.data.versions import RegisteredVersion

TABLE = "cases"
FINGERPRINT = "sha256:" + "0" * 64
CSV = {"format": "csv", "files": ["data.csv"]}


def write_owner(
    folder: Path,
    columns: Mapping[str, Any],
    content: bytes | None,
    *,
    source: Mapping[str, Any] = CSV,
    rows_max: int = 1000,
) -> NodeConfig:
    """A node that offers the table ``cases`` with ``content`` as its one file (None: written)."""
    folder.mkdir(parents=True, exist_ok=True)
    if content is not None:
        (folder / source["files"][0]).write_bytes(content)
    schema = {"version": 1, "table": TABLE, "source": dict(source), "columns": dict(columns)}
    (folder / "cases.schema.yaml").write_text(json.dumps(schema), encoding="utf-8")
    node = {
        "version": 1,
        "party": "a-site",
        "listen": "127.0.0.1:7000",
        "identity": "identity",
        "state": "state",
        "policy": "policy.yaml",
        "coordinators": ["office"],
        "peers": {"office": FINGERPRINT},
        "exchange": {"host": "127.0.0.1", "ports": [7001, 7010]},
        "tables": {
            TABLE: {"schema_file": "cases.schema.yaml", "domain": "people", "rows_max": rows_max}
        },
    }
    (folder / "node.yaml").write_text(json.dumps(node), encoding="utf-8")
    return load_node_config(folder / "node.yaml")


def scenario(
    columns: Mapping[str, Any],
    questions: Mapping[str, Any],
    *,
    parties: Sequence[str] = ("a-site", "b-site"),
    where: str = "",
    rows_max: int = 1000,
) -> bytes:
    """A scenario file over the table ``cases`` (JSON, which is YAML too)."""
    entry = {"version": 1, "rows_max": rows_max, "rows_expected": min(10, rows_max)}
    return json.dumps(
        {
            "version": 1,
            "id": "cases",
            "title": "Cases",
            "purpose": "testing",
            "lead": {"name": "A", "organization": "B", "email": "a@b.example"},
            "parties": dict.fromkeys(parties, entry),
            "recipients": ["coordinator"],
            "table": {
                "name": TABLE,
                "unit": {"kind": "row", "rows_max": 1},
                "columns": dict(columns),
                "where": where,
            },
            "privacy": {"epsilon": 1, "delta": 0.000001, "adjacency": "add_or_remove_one"},
            "questions": dict(questions),
        },
        ensure_ascii=False,
    ).encode()


def planned(study: Study) -> Plan:
    """The plan of ``study`` among throw-away participants of its names."""
    randomness = SeededRandomness("owner tables")
    members = [
        Participant.make(name, Role.PARTY, randomness).member for name in study.parties
    ]  # fmt: skip
    members.append(Participant.make("coordinator", Role.COORDINATOR, randomness).member)
    return plan_study(study, Roster(tuple(members)))


def plan_text(text: bytes) -> Plan:
    """``text`` parsed and planned. Raises StudyFaults or PlanRefusal."""
    return planned(parse_study(text, "scenario.yaml"))


def open_version(version: RegisteredVersion, table: Table, temporary: Path) -> DuckTable:
    """A registered version as a worker opens it."""
    limits = EngineLimits(threads=1, memory_mb=512, temporary=temporary)
    return DuckTable(version, table, limits)


def bounded_cells(table: DuckTable, name: str, temporary: Path) -> list[int | str | None]:
    """What each row contributes to column ``name``, in the order of the files."""
    version, column = table._version, table._table.columns[name]
    with (
        readable(version.paths, version.schema.source, temporary) as files,
        sandboxed(files, temporary, 1, 512) as engine,
    ):
        found = rows(engine, table._bounded(engine, files, [name]))
    if isinstance(column, CategoryColumn):
        return [None if cell is None else column.levels[cell] for (cell,) in found]
    return [cell for (cell,) in found]


def answers_without_noise(plan: Plan, tables: Sequence[BoundedTable]) -> dict[str, Answer]:
    """What the study would release if nobody added noise, by question."""
    totals = [0] * plan.size
    for table in tables:
        own = local_sums(plan.questions, table)
        totals = [total + value for total, value in zip(totals, own, strict=True)]
    return {answer.question: answer for answer in decode_totals(plan, totals)}


def values(answer: Answer, name: str) -> dict[tuple[str, ...], Any]:
    """The estimates called ``name`` by the labels of their cells."""
    return {
        tuple(label for _column, label in cell.labels): cell.estimate(name).value
        for cell in answer.cells
    }
