"""What others may know of an owner's tables, and what a worker refuses to open."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from owner_tables import CSV, TABLE, open_version, plan_text, scenario, write_owner
from typer.testing import CliRunner

from mpc.errors import ConfigFaults, DataFaults, IntegrityError, StudyAborted
from mpc.layout import Term
from mpc.study.model import Table
from mpc.table.model import CellSums
from parties.cli import app
from parties.config import NodeConfig, load_node_config
from parties.data.catalogue import Catalogue
from parties.data.register import register_table
from parties.data.versions import RegisteredVersion
from parties.system import SystemRandomness

COLUMNS = {
    "age": {"type": "integer", "bounds": [0, 120]},
    "pay": {"type": "number", "bounds": [0, 99.5], "required": True},
    "sex": {"type": "text", "levels": ["f", "m"]},
    "note": {"type": "text"},
    "day": {"type": "date", "format": "%d.%m.%Y"},
}
CONTENT = b"age,pay,sex,note,day\n33,1.5,f,Kassandra7391,01.02.2020\n34,2,m,x,02.02.2020\n"


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return write_owner(tmp_path, COLUMNS, CONTENT, rows_max=777)


def study_table(**columns: object) -> Table:
    return plan_text(scenario(columns, {"n": {"kind": "count"}})).study.table


def test_published_are_columns_version_and_capacity_and_nothing_of_rows(
    config: NodeConfig,
) -> None:
    registered = register_table(config, TABLE)
    published = Catalogue(config).published()
    assert published == {
        TABLE: {
            "version": 1,
            "rows_max": 777,
            "columns": {
                "age": {"type": "integer", "bounds": ["0", "120"], "required": False},
                "pay": {"type": "number", "bounds": ["0", "99.5"], "required": True},
                "sex": {"type": "text", "levels": ["f", "m"], "required": False},
                "note": {"type": "text", "levels": None, "required": False},
                "day": {"type": "date", "required": False},
            },
        }
    }
    text = json.dumps(published)
    for secret in ("Kassandra7391", "data.csv", str(registered.version.files[0].size)):
        assert secret not in text


def test_unregistered_table_is_published_without_version(config: NodeConfig) -> None:
    catalogue = Catalogue(config)
    assert catalogue.announced(TABLE) is None
    published = catalogue.published()[TABLE]
    assert isinstance(published, dict)
    assert published["version"] is None
    with pytest.raises(StudyAborted, match="no version of table cases is registered"):
        catalogue.for_worker(TABLE)


def test_lowered_capacity_needs_another_registration(config: NodeConfig, tmp_path: Path) -> None:
    register_table(config, TABLE)
    lower = write_owner(tmp_path, COLUMNS, None, rows_max=10)
    assert Catalogue(lower).announced(TABLE) is None
    register_table(lower, TABLE)
    assert Catalogue(lower).announced(TABLE) == 1
    assert Catalogue(config).announced(TABLE) == 1


def test_schema_edited_since_says_nothing_until_registered(
    config: NodeConfig, tmp_path: Path
) -> None:
    register_table(config, TABLE)
    write_owner(tmp_path, {"age": {"type": "number"}}, None)
    published = Catalogue(config).published()[TABLE]
    assert isinstance(published, dict)
    assert list(published["columns"]) == list(COLUMNS)  # type: ignore[call-overload]
    assert Catalogue(config).announced(TABLE) == 1


def test_schema_file_of_another_table_is_refused(config: NodeConfig) -> None:
    file = config.tables[TABLE].schema_file
    file.write_text(file.read_text().replace('"table": "cases"', '"table": "others"'))
    with pytest.raises(ConfigFaults, match=r"PLY-C107 tables\.cases\.schema_file: .* table others"):
        Catalogue(config)


def test_misfits_of_a_study_are_told_by_the_schema_alone(
    config: NodeConfig, tmp_path: Path
) -> None:
    register_table(config, TABLE)
    (tmp_path / "data.csv").unlink()
    asked = study_table(
        age={"type": "number", "bounds": [200, 300]},
        pay={"type": "category", "levels": ["1"]},
        sex={"type": "category", "levels": ["f", "x"]},
        day={"type": "number", "bounds": [0, 1]},
        income={"type": "number", "bounds": [0, 1]},
        note={"type": "category", "levels": ["x"]},
    )
    assert list(Catalogue(config).misfits(asked)) == [
        "column age lies within [0, 120] here, which the study's bounds miss",
        "column pay is of type number here, not text",
        "column sex has no level x here",
        "column day is of type date here, not number or integer",
        "table cases has no column income",
    ]


AGE = {"type": "number", "bounds": [0, 120]}
ASKED = (CellSums((), Term("age", 0), (1,)),)


def test_worker_refuses_files_that_changed_since_they_were_announced(
    config: NodeConfig, tmp_path: Path
) -> None:
    register_table(config, TABLE)
    version = RegisteredVersion.from_plain(Catalogue(config).for_worker(TABLE))
    opened = open_version(version, study_table(age=AGE), tmp_path)
    (sums,) = opened.cell_sums(ASKED)
    assert sums.tolist() == [[67]]
    (tmp_path / "data.csv").write_bytes(CONTENT.replace(b"33", b"35"))
    with pytest.raises(StudyAborted) as refused:
        opened.cell_sums(ASKED)
    assert "changed since its version was announced" in str(refused.value)
    assert "data.csv" not in str(refused.value)
    with pytest.raises(StudyAborted):
        Catalogue(config).for_worker(TABLE)


def test_commitment_refuses_other_bytes_even_of_the_same_size_and_time(
    config: NodeConfig, tmp_path: Path
) -> None:
    register_table(config, TABLE)
    version = RegisteredVersion.from_plain(Catalogue(config).for_worker(TABLE))
    version.commit(SystemRandomness())
    path = tmp_path / "data.csv"
    before = path.stat()
    path.write_bytes(CONTENT.replace(b"33", b"35"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert version.unchanged
    with pytest.raises(StudyAborted, match="changed since its version was announced"):
        version.commit(SystemRandomness())


def test_version_that_a_node_hands_to_its_worker_comes_back_the_same(config: NodeConfig) -> None:
    version = register_table(config, TABLE).version
    assert RegisteredVersion.from_plain(version.to_plain()) == version


@pytest.mark.parametrize("key", ["number", "schema", "files", "header", "rows_max"])
def test_broken_record_of_a_version_is_refused(key: str, config: NodeConfig) -> None:
    plain = register_table(config, TABLE).version.to_plain()
    with pytest.raises(IntegrityError, match="record of a registered version is broken"):
        RegisteredVersion.from_plain({**plain, key: {"odd": []}})
    del plain[key]
    with pytest.raises(IntegrityError):
        RegisteredVersion.from_plain(plain)


def test_node_without_a_readable_schema_does_not_start(config: NodeConfig) -> None:
    config.tables[TABLE].schema_file.write_text("version: 1\n")
    with pytest.raises(DataFaults):
        Catalogue(config)


def test_table_of_another_encoding_leaves_no_copy_behind(tmp_path: Path) -> None:
    source = {**CSV, "encoding": "utf-16", "delimiter": ";"}
    config = write_owner(
        tmp_path, {"age": {"type": "integer"}}, "age\n5\n6\n".encode("utf-16"), source=source
    )
    version = register_table(config, TABLE).version
    folder = tmp_path / "spill"
    folder.mkdir()
    opened = open_version(version, study_table(age=AGE), folder)
    (sums,) = opened.cell_sums(ASKED)
    assert sums.tolist() == [[11]]
    assert list(folder.iterdir()) == []
    assert not [path for path in (tmp_path / "state").rglob("*") if path.suffix == ".csv"]


def shown(config: NodeConfig) -> str:
    done = CliRunner().invoke(app, ["data", "show", "--config", str(config.file)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_owner_is_told_why_its_table_is_offline_and_nobody_else_is(
    config: NodeConfig, tmp_path: Path
) -> None:
    assert f"no version is registered: parley data register {TABLE}" in shown(config)
    assert f"{TABLE}: offline, at most 777 rows" in shown(config)
    register_table(config, TABLE)
    assert "told you only" not in shown(config)
    assert f"{TABLE}: version 1, at most 777 rows" in shown(config)
    os.utime(tmp_path / "data.csv", ns=(1, 1))
    assert "version 1 was registered; data.csv changed since (or was written anew)" in shown(config)
    assert f"parley data register {TABLE}" in shown(config)
    assert "data.csv" not in json.dumps(Catalogue(config).published())
    register_table(config, TABLE)
    assert Catalogue(config).why_offline(TABLE) is None
    (tmp_path / "data.csv").unlink()
    assert "data.csv is gone" in shown(config)


def test_owner_is_told_of_a_lowered_capacity_with_its_line(
    config: NodeConfig, tmp_path: Path
) -> None:
    register_table(config, TABLE)
    lower = load_node_config(write_owner(tmp_path, COLUMNS, None, rows_max=10).file)
    line = lower.file.read_text().splitlines()[lower.tables[TABLE].line - 1]
    assert '"rows_max": 10' in line
    why = Catalogue(lower).why_offline(TABLE)
    assert why is not None
    assert (
        f"rows_max is 10 ({lower.file.name}:{lower.tables[TABLE].line}), lower than the 777" in why
    )
