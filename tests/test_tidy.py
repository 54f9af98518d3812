"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"utils", "helpers", "common", "misc", "manager"}
BANNED_IMPORTS = {"pickle", "random", "marshal", "shelve"}


def product_files() -> list[Path]:
    files = [
        path
        for folder in ("mpc", "parties", "scenarios")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    assert len(files) > 50
    return files


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", product_files(), ids=name_of)
def test_file_is_small_and_its_functions_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LINES_MAX
    assert path.stem not in BANNED_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", product_files(), ids=name_of)
def test_no_foreign_randomness_and_no_pickle(path: Path) -> None:
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & BANNED_IMPORTS
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.split(".")[0] not in BANNED_IMPORTS
    assert not re.search(r"np\.random|numpy\.random|torch\.(rand|randn|randint|manual_seed)", text)


@pytest.mark.parametrize("path", product_files(), ids=name_of)
def test_no_import_hides_from_the_import_contracts(path: Path) -> None:
    """They read imports, not calls: two files of the backend and one of the commands may call."""
    allowed = {"mpc/backend/hardened.py", "mpc/backend/shim.py", "parties/commands/lazily.py"}
    called = re.search(r"\bimportlib\b|\b__import__\b|\bimport_module\b", path.read_text())
    assert called is None or name_of(path) in allowed


def test_no_file_names_this_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(?<![\w.])/(work|farm|root)/|extra-index-url\s*=?\s*http|https?://10\.")
    for name in listed:
        path = ROOT / name
        if path == Path(__file__) or not path.is_file() or path.suffix in {".png", ".parquet"}:
            continue
        found = pattern.search(path.read_text(errors="replace"))
        assert found is None, f"{name}: {found.group() if found else ''}"


def test_top_level_holds_only_what_belongs_there() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    allowed = {
        "pyproject.toml", "mpc", "protos", "parties", "scenarios", "tests", "docker", "README.md",
        "Makefile", ".ci", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE",
        ".gitignore", ".importlinter", ".dockerignore",
    }  # fmt: skip
    assert {name.split("/")[0] for name in listed} <= allowed


def test_generated_protocol_code_is_what_the_proto_gives(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    command = [ROOT / "protos" / "generate.sh", tmp_path]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    for fresh in sorted((tmp_path / "protos").iterdir()):
        assert fresh.read_text() == (ROOT / "protos" / fresh.name).read_text(), fresh.name


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:]
