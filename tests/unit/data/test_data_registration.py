"""``parley data register``: what its owner is told, what is announced, and under which number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from owner_tables import (
    CSV,
    TABLE,
    answers_without_noise,
    bounded_cells,
    open_version,
    plan_text,
    scenario,
    values,
    write_owner,
)
from typer.testing import CliRunner

from mpc.errors import DataFaults, UsageError
from parties.cli import app
from parties.config import NodeConfig
from parties.data.catalogue import Catalogue
from parties.data.faults import GROUPS_MAX, LISTED_MAX
from parties.data.register import check_data, register_table
from parties.data.schema import load_schema

X = {"x": {"type": "number"}}
XT = {"x": {"type": "number"}, "t": {"type": "text"}}


def announced(config: NodeConfig) -> int | None:
    return Catalogue(config).announced(TABLE)


def refusal(config: NodeConfig, **accepted: bool) -> str:
    """What the owner is told; nothing is announced that was not before."""
    before = announced(config)
    with pytest.raises(DataFaults) as refused:
        register_table(config, TABLE, **accepted)
    assert announced(config) == before
    return str(refused.value)


def test_first_registration_is_version_1_and_the_same_again_stays_1(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n")
    assert announced(config) is None
    first = register_table(config, TABLE)
    assert (first.version.number, first.rows) == (1, 2)
    assert announced(config) == 1
    assert register_table(config, TABLE).version.number == 1
    assert announced(config) == 1


def test_file_written_anew_with_the_same_bytes_keeps_its_number(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n")
    register_table(config, TABLE)
    os.utime(tmp_path / "data.csv", ns=(1, 1))
    assert announced(config) is None
    assert register_table(config, TABLE).version.number == 1
    assert announced(config) == 1


def test_changed_bytes_are_not_announced_until_registered_and_get_the_next_number(
    tmp_path: Path,
) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n")
    register_table(config, TABLE)
    (tmp_path / "data.csv").write_bytes(b"x\n1\n3\n")
    assert announced(config) is None
    assert register_table(config, TABLE).version.number == 2
    (tmp_path / "data.csv").write_bytes(b"x\n1\n2\n")
    assert register_table(config, TABLE).version.number == 3


def test_another_schema_gets_the_next_number(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n")
    register_table(config, TABLE)
    write_owner(tmp_path, {"x": {"type": "number", "bounds": [0, 9]}}, None)
    assert register_table(config, TABLE).version.number == 2
    write_owner(tmp_path, {"x": {"type": "number", "bounds": [0, 9]}}, None, source={
        **CSV, "null": ["-"],
    })  # fmt: skip
    assert register_table(config, TABLE).version.number == 3


def test_file_that_is_gone_is_not_announced(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n")
    register_table(config, TABLE)
    (tmp_path / "data.csv").unlink()
    assert announced(config) is None
    with pytest.raises(UsageError, match="cannot be read"):
        register_table(config, TABLE)


def test_processes_that_register_at_once_agree_on_one_number(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n")
    code = (
        "import sys; from pathlib import Path; from parties.config import load_node_config;"
        " from parties.data.register import register_table;"
        " print(register_table(load_node_config(Path(sys.argv[1])), 'cases').version.number)"
    )
    command = [sys.executable, "-c", code, str(config.file)]
    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(
                lambda _: subprocess.run(command, capture_output=True, text=True, check=True),
                range(3),
            )
        )
    assert {run.stdout for run in runs} == {"1\n"}
    assert announced(config) == 1


def test_more_rows_than_the_published_capacity_are_refused(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n3\n", rows_max=2)
    with pytest.raises(UsageError, match="rows_max of 2"):
        register_table(config, TABLE)
    assert announced(config) is None


def test_table_that_the_node_does_not_offer_is_refused(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n")
    with pytest.raises(UsageError, match="offers no table others"):
        register_table(config, "others")


def test_every_fault_is_told_at_once_and_beyond_a_limit_counted(tmp_path: Path) -> None:
    bad = LISTED_MAX + 50
    content = "x,t\n" + "".join(f"oops{row},a\n" for row in range(bad))
    config = write_owner(tmp_path, XT, content.encode())
    with pytest.raises(DataFaults) as refused:
        register_table(config, TABLE)
    faults = refused.value.faults
    assert [fault.line for fault in faults[:LISTED_MAX]] == list(range(2, LISTED_MAX + 2))
    assert len(faults) == LISTED_MAX + 1
    assert faults[-1].what == "50 more cells or rows"
    assert "oops" not in str(refused.value)


def test_faults_of_cells_may_be_accepted_and_are_told_all_the_same(tmp_path: Path) -> None:
    columns = {"x": {"type": "number", "bounds": [0, 10]}, "t": {"type": "text", "levels": ["a"]}}
    config = write_owner(tmp_path, columns, b"x,t\n1,a\nnone,a\n99,b\n")
    assert "data.csv:3:1 PLY-D211" in refusal(config)
    registered = register_table(config, TABLE, accept_cells=True)
    assert registered.version.number == 1
    assert registered.accepted is not None
    assert [fault.code for fault in registered.accepted.faults] == [
        "PLY-D211", "PLY-D213", "PLY-D214",
    ]  # fmt: skip
    plan = plan_text(
        scenario(
            {"x": {"type": "number", "bounds": [0, 10]}}, {"s": {"kind": "sum", "column": "x"}}
        )
    )
    opened = open_version(registered.version, plan.study.table, tmp_path)
    assert values(answers_without_noise(plan, [opened])["s"], "sum") == {(): 1 + 10}


STRUCTURE: dict[str, tuple[bytes, str]] = {
    "one cell too many": (b"x,t\n1,a\n2,b,c\n3,d\n", "data.csv:3:0 PLY-D204 row: 3 fields, 2"),
    "one cell too few": (b"x,t\n1,a\n2\n3,d\n", "data.csv:3:0 PLY-D204 row: 1 fields, 2 expected"),
    "open quote": (b'x,t\n1,a\n2,"b\n3,d\n', "data.csv:3:0 PLY-D206 file"),
    "text behind a quote": (b'x,t\n1,"a"b\n', "data.csv:2:0 PLY-D206 file"),
    "NUL byte": (b"x,t\n1,a\n2,b\0c\n", "PLY-D206 file"),
    "mixed line ends": (b"x,t\n1,a\r\n2,b\r3,c\n", "PLY-D2"),
    "wrong bytes": (b"x,t\n1,a\n2,\xff\n", "data.csv:3:0 PLY-D205 file: bytes that are not utf-8"),
    "zero bytes": (b"", "data.csv:1:1 PLY-D201 file: no header: the file is empty"),
    "blank header": (b"\n1,a\n", "data.csv:1:1 PLY-D201 file: no header: a blank line"),
    "column missing": (b"x,T\n1,a\n", "data.csv:1:1 PLY-D202 t: column 't' is missing"),
    "column twice": (b"x,t,t\n1,a,b\n", "data.csv:1:3 PLY-D203 header: duplicate column 't'"),
    "huge line": (b"x,t\n1," + b"a" * (11 << 20) + b"\n", "PLY-D206 file"),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_file_that_readers_understand_differently_is_refused(name: str, tmp_path: Path) -> None:
    """Accepting faults of cells does not help: these are none of cells."""
    content, message = STRUCTURE[name]
    config = write_owner(tmp_path, XT, content)
    assert message in refusal(config)
    assert message in refusal(config, accept_cells=True)


def test_bad_bytes_late_in_a_text_without_levels_are_found(tmp_path: Path) -> None:
    content = b"x,t\n" + b"1,abcdefgh\n" * 40_000 + b"2,Z\xfcrich\n" + b"1,abcdefgh\n" * 40_000
    config = write_owner(tmp_path, XT, content, rows_max=10**6)
    assert "data.csv:40002:0 PLY-D205 file: bytes that are not utf-8" in refusal(config)


def test_every_kind_of_cell_fault_is_told_with_line_and_field(tmp_path: Path) -> None:
    columns = {
        "n": {"type": "number", "bounds": [0, 9.5]},
        "i": {"type": "integer", "required": True},
        "t": {"type": "text", "levels": ["a", "é"]},
        "w": {"type": "text", "width": 3},
        "d": {"type": "date"},
    }
    rows = [
        "n,i,t,w,d",
        "1,1,a,abc,2020-01-31",
        "9.51,1,a,abc,2020-01-31",
        "nan,1,a,abc,2020-01-31",
        "1,1.0,a,abc,2020-01-31",
        "1,,a,abc,2020-01-31",
        "1,1,b,abc,2020-01-31",
        "1,1,e\u0301,ab,2020-01-31",
        "1,1, a ,abc,2020-02-30",
        ",1,,,",
    ]
    config = write_owner(tmp_path, columns, "\n".join(rows).encode())
    with pytest.raises(DataFaults) as refused:
        register_table(config, TABLE)
    assert [(f.line, f.column, f.code) for f in refused.value.faults] == [
        (3, 1, "PLY-D213"),
        (4, 1, "PLY-D212"),
        (5, 2, "PLY-D211"),
        (6, 2, "PLY-D210"),
        (7, 3, "PLY-D214"),
        (8, 4, "PLY-D215"),
        (9, 5, "PLY-D216"),
    ]


def test_lines_are_those_of_the_file_also_behind_line_breaks_in_quotes(tmp_path: Path) -> None:
    config = write_owner(tmp_path, XT, b'x,t\n1,"a\nb\nc"\noops,d\n')
    assert "data.csv:5:1 PLY-D211 x" in refusal(config)


def test_blank_lines_are_no_rows_but_missing_cells_of_a_single_column(tmp_path: Path) -> None:
    assert (
        register_table(write_owner(tmp_path / "two", XT, b"x,t\n1,a\n\n2,b\n\n"), TABLE).rows == 2
    )
    single = register_table(write_owner(tmp_path / "one", X, b"x\n1\n\n2\n"), TABLE)
    assert single.rows == 3
    plan = plan_text(
        scenario(
            {"x": {"type": "number", "bounds": [0, 9], "missing": {"value": 5}}},
            {"n": {"kind": "count"}, "s": {"kind": "sum", "column": "x"}},
        )
    )
    opened = open_version(single.version, plan.study.table, tmp_path)
    answers = answers_without_noise(plan, [opened])
    assert values(answers["n"], "count") == {(): 3}
    assert values(answers["s"], "sum") == {(): 8}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_usual_line_end_is_read(line_end: str, tmp_path: Path) -> None:
    content = line_end.join(["x,t", "1,a", "2,b", ""]).encode()
    assert register_table(write_owner(tmp_path, XT, content), TABLE).rows == 2


def test_large_file_with_line_breaks_in_quotes_is_read_whole_by_several_threads(
    tmp_path: Path,
) -> None:
    """Readers that cut a file into pieces have lost rows of such files."""
    row = '{},"first ""line""\nsecond, line\r\nthird {}"\n'
    content = "x,t\n" + "".join(row.format(i % 10, "x" * (i % 90)) for i in range(60_000))
    config = write_owner(tmp_path, XT, content.encode(), rows_max=10**6)
    registered = register_table(config, TABLE)
    assert registered.rows == 60_000
    plan = plan_text(
        scenario(
            {"x": {"type": "number", "bounds": [0, 9]}},
            {"n": {"kind": "count"}, "s": {"kind": "sum", "column": "x"}},
            rows_max=10**6,
        )
    )
    opened = open_version(registered.version, plan.study.table, tmp_path)
    answers = answers_without_noise(plan, [opened])
    assert values(answers["n"], "count") == {(): 60_000}
    assert values(answers["s"], "sum") == {(): sum(i % 10 for i in range(60_000))}


def test_several_files_are_one_table(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, None, source={**CSV, "files": ["b.csv", "a.csv"]})
    (tmp_path / "a.csv").write_bytes(b"id,x\n1,2\n")
    (tmp_path / "b.csv").write_bytes(b"id,x\n2,3\n3,4\n")
    registered = register_table(config, TABLE)
    assert registered.rows == 3
    table = plan_text(
        scenario({"x": {"type": "number", "bounds": [0, 9]}}, {"n": {"kind": "count"}})
    ).study.table
    opened = open_version(registered.version, table, tmp_path)
    assert sorted(map(int, filter(None, bounded_cells(opened, "x", tmp_path)))) == [2, 3, 4]
    (tmp_path / "a.csv").write_bytes(b"x,id\n2,1\n")
    assert announced(config) is None
    assert "another header than b.csv" in refusal(config)


@pytest.mark.parametrize("name", ["data*.csv", "data[1].csv", "data?.csv"])
def test_file_names_that_an_engine_takes_for_patterns_are_refused(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "data1.csv").write_bytes(b"x\n1\n")
    config = write_owner(tmp_path, X, b"x\n1\n", source={**CSV, "files": [name]})
    with pytest.raises(UsageError, match="rename it"):
        register_table(config, TABLE)


def test_odd_names_of_files_folders_and_columns_are_read_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "it's a 'folder' ü; x=1"
    columns = {"x": {"type": "number", "header": 'it\'s "the" x; DROP'}}
    content = b'"it\'s ""the"" x; DROP","select"\n4,a\n'
    config = write_owner(folder, columns, content, source={**CSV, "files": ["a 'b' ü.csv"]})
    registered = register_table(config, TABLE)
    table = plan_text(
        scenario({"x": {"type": "number", "bounds": [0, 9]}}, {"n": {"kind": "count"}})
    ).study.table
    assert bounded_cells(open_version(registered.version, table, folder), "x", folder) == [4]


def test_check_alone_announces_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    config = write_owner(tmp_path, X, b"x\n1\n2\n")
    before = sorted(tmp_path.rglob("*"))
    _states, header, rows = check_data(load_schema(config.tables[TABLE].schema_file))
    assert (header, rows) == (("x",), 2)
    assert sorted(tmp_path.rglob("*")) == before
    assert announced(config) is None


CANARY = "Kassandra7391"
CANARIES: dict[str, Callable[[Path], tuple[dict[str, Any], dict[str, Any], bytes]]] = {
    "number": lambda _: (X, CSV, f"x\n{CANARY}\n".encode()),
    "integer": lambda _: ({"x": {"type": "integer"}}, CSV, f"x\n{CANARY}\n".encode()),
    "date": lambda _: ({"x": {"type": "date"}}, CSV, f"x\n{CANARY}\n".encode()),
    "level": lambda _: ({"x": {"type": "text", "levels": ["a"]}}, CSV, f"x\n{CANARY}\n".encode()),
    "width": lambda _: ({"x": {"type": "text", "width": 2}}, CSV, f"x\n{CANARY}\n".encode()),
    "ragged": lambda _: (X, CSV, f"x,y\n1,2\n{CANARY}\n".encode()),
    "quote": lambda _: (X, CSV, f'x,y\n1,2\n1,"{CANARY}\n'.encode()),
    "bytes": lambda _: (X, CSV, f"x,y\n1,2\n1,{CANARY}".encode() + b"\xff\n"),
    "other encoding": lambda _: (
        X, {**CSV, "encoding": "utf-16"}, f"x,y\n1,{CANARY}\n".encode() + b"x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CANARIES)
def test_no_fault_quotes_a_cell(name: str, tmp_path: Path) -> None:
    columns, source, content = CANARIES[name](tmp_path)
    config = write_owner(tmp_path, columns, content, source=source)
    with pytest.raises(DataFaults) as refused:
        register_table(config, TABLE)
    error: BaseException | None = refused.value
    while error is not None:
        assert CANARY not in str(error)
        assert CANARY not in repr(error)
        error = error.__cause__ or error.__context__
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "data.csv"]
    assert left
    for path in left:
        assert CANARY.encode() not in path.read_bytes()


LEVELS = {"x": {"type": "number"}, "t": {"type": "text", "levels": ["a", "b"]}}


def told(config: NodeConfig, *options: str) -> str:
    """What an owner reads of its table, and that it is refused."""
    done = CliRunner().invoke(
        app, ["data", "register", TABLE, "--config", str(config.file), *options]
    )
    assert done.exit_code == 2
    return done.output


def test_owner_is_told_each_kind_of_fault_of_a_column_once_with_its_lines(tmp_path: Path) -> None:
    rows = ["1,a"] * 1000
    for row in range(2, 302, 2):
        rows[row] = "oops,c"
    rows[900] = "1;5,a"
    rows[901] = "1,a,extra"
    config = write_owner(tmp_path, LEVELS, "\n".join(["x,t", *rows]).encode())
    lines = [line for line in told(config).splitlines() if "PLY-D2" in line]
    assert len(lines) == 3
    assert (
        "PLY-D211 x: 151 cells are not a number as the schema spells them (lines 4, 6, 8,"
        in (lines[0])
    )
    assert "decimal '.', no sign between thousands" in lines[0]
    assert (
        "PLY-D214 t: 150 cells are none of a, b (lines 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, …)"
        in (lines[1])
    )
    assert "data.csv:903:0 PLY-D204 row: 3 fields, 2 expected" in lines[2]
    every = [line for line in told(config, "--all").splitlines() if "PLY-D2" in line]
    assert len(every) == 151 + 150 + 1


def test_many_kinds_of_fault_are_cut_and_counted(tmp_path: Path) -> None:
    columns = {f"c{i}": {"type": "number"} for i in range(30)}
    content = ",".join(columns) + "\n" + ",".join(["oops"] * 30) + "\n"
    said = told(write_owner(tmp_path, columns, content.encode()))
    assert said.count("PLY-D211") == GROUPS_MAX
    assert "10 more kinds of fault" in said


@pytest.mark.parametrize("content", [b"x;t\n1;a\n", b'"x";"t"\n"1";"a"\n'])
def test_wrong_delimiter_is_asked_for_and_told_as_nothing_else(
    tmp_path: Path, content: bytes
) -> None:
    said = told(write_owner(tmp_path, LEVELS, content))
    assert "one column found; is the delimiter ';'? the schema says ','" in said
    assert said.count("PLY-D2") == 1


def test_accepted_cells_are_told_behind_the_announcement_with_what_becomes_of_them(
    tmp_path: Path,
) -> None:
    config = write_owner(tmp_path, LEVELS, b"x,t\n1,c\n2,c\n")
    assert "--accept-cells" in told(config)
    done = CliRunner().invoke(
        app, ["data", "register", TABLE, "--config", str(config.file), "--accept-cells"]
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{TABLE}: version 1 is announced")
    assert "rule for missing" in lines[1]
    assert "2 cells are none of a, b (lines 2, 3)" in lines[2]
