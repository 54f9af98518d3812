"""What DuckDB may touch while it reads an owner's files, and what of its words gets out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dirty_tables import Dialect, requests, table
from owner_tables import TABLE, open_version, write_owner

from mpc.errors import EngineFailed, ParleyError
from parties.data.register import register_table
from parties.data.sandbox import identifier, literal, rows, sandboxed

CANARY = "Kassandra7391"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    allowed, other = tmp_path / "allowed.csv", tmp_path / "other.csv"
    allowed.write_text(f"x\n{CANARY}\n")
    other.write_text("x\n1\n")
    return allowed, other


def chain(error: BaseException | None) -> list[str]:
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(error.__dict__)]
        error = error.__cause__ or error.__context__
    return texts


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(x AS INTEGER) FROM {file}",
        "SELECT error(x) FROM {file}",
        "SELECT strptime(x, '%Y') FROM {file}",
        "SELECT x FROM read_csv('{path}', columns = {{'x': 'INTEGER'}}, header = true)",
        "SELECT no_such_function(x) FROM {file}",
    ],
)
def test_no_word_of_the_engine_gets_out(sql: str, files: tuple[Path, Path]) -> None:
    allowed, _other = files
    select = sql.format(file=f"read_csv('{allowed}', header = true)", path=allowed)
    with sandboxed([allowed], allowed.parent, 1, 512) as engine:
        with pytest.raises(EngineFailed) as failed:
            rows(engine, select)
        for text in chain(failed.value):
            assert CANARY not in text
            assert str(allowed) not in text
        assert "the owner's engine failed" in str(failed.value)
        assert rows(engine, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{other}')",
        "SELECT * FROM '{other}'",
        "SELECT * FROM read_text('{other}')",
        "SELECT * FROM read_blob('{folder}/*')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_csv('{allowed}/../other.csv')",
        "ATTACH '{folder}/new.db'",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "EXPORT DATABASE '{folder}/exported'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
        "SELECT * FROM secret_rows",
        "SET enable_external_access = true",
        "SET allowed_paths = ['{other}']",
        "SET temp_directory = '{folder}'",
        "SET memory_limit = '9GB'",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
    ],
)
def test_engine_reaches_nothing_but_the_files_of_its_table(
    sql: str, files: tuple[Path, Path]
) -> None:
    allowed, other = files
    secret_rows = [{"x": 1}]  # a name that the engine could look up in Python
    assert secret_rows
    spill = allowed.parent / "spill"
    spill.mkdir()
    before = {path: path.read_bytes() for path in (allowed, other)}
    filled = sql.format(allowed=allowed, other=other, folder=allowed.parent)
    with sandboxed([allowed], spill, 1, 512) as engine:
        with pytest.raises(ParleyError):
            rows(engine, filled)
        assert rows(engine, f"SELECT * FROM read_csv('{allowed}', header = true)") == [(CANARY,)]
    assert {path: path.read_bytes() for path in (allowed, other)} == before
    assert sorted(path.name for path in allowed.parent.iterdir()) == [
        "allowed.csv", "other.csv", "spill",
    ]  # fmt: skip


def test_link_in_place_of_a_file_opens_no_other_table(tmp_path: Path) -> None:
    """What was registered is what is read: a link that points elsewhere is a changed file."""
    config = write_owner(tmp_path, {"x": {"type": "number"}}, b"x\n1\n")
    version = register_table(config, TABLE).version
    other = tmp_path / "other.csv"
    other.write_bytes(b"x\n1234\n")
    (tmp_path / "data.csv").unlink()
    (tmp_path / "data.csv").symlink_to(other)
    assert not version.unchanged


def test_engine_spills_into_its_folder_and_leaves_nothing_there(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    seen: set[str] = set()
    with sandboxed([], spill, 1, 128) as engine:
        engine.execute(
            "CREATE TEMP TABLE big AS SELECT hash(i) AS h, i, CAST(hash(i) AS VARCHAR) AS s"
            " FROM range(4000000) r(i)"
        )
        seen |= {path.name for path in spill.rglob("*")}
        assert rows(engine, "SELECT count(s), sum(i) FROM big") == [
            (4_000_000, 4_000_000 * 3_999_999 // 2)
        ]
    assert any(name.startswith("duckdb_temp") for name in seen)
    assert list(spill.iterdir()) == []


class Listening:
    """An engine that notes what it is asked."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, asked: list[str]) -> None:
        self._engine = engine
        self._asked = asked

    def execute(self, sql: str, *values: Any) -> duckdb.DuckDBPyConnection:
        self._asked.append(sql)
        return self._engine.execute(sql, *values)

    def close(self) -> None:
        self._engine.close()


def test_only_generated_selects_are_run_on_an_owners_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda where: Listening(connect(where), asked))
    config = write_owner(tmp_path, Dialect().fields(), Dialect().write([]))
    version = register_table(config, TABLE).version
    open_version(version, table("halves > 1.3"), tmp_path).cell_sums(requests())
    statements = [sql for sql in asked if not sql.startswith("SET ")]
    assert statements
    for sql in statements:
        assert re.match(r"(SELECT|DESCRIBE SELECT|CREATE TEMP TABLE bounded AS SELECT) ", sql)
        assert ";" not in re.sub(r"'[^']*'", "", sql)


@pytest.mark.parametrize("text", ["it's", "''", "a\\'b", 'say "x"', "'; DROP TABLE t; --", "é\n\t"])
def test_texts_and_names_are_quoted(text: str) -> None:
    with duckdb.connect(":memory:") as engine:
        assert engine.execute(f"SELECT {literal(text)}").fetchone() == (text,)
        found = engine.execute(f"SELECT 1 AS {identifier(text)}")
        assert [column[0] for column in found.description] == [text]
