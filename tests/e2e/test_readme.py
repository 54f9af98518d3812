"""Every command of README.md runs as written, in order, as a reader would type it.

A block fenced as ``sh`` is run; one fenced with nothing is not (make and what it does are tested
by running it). A block after a line ``<!-- terminal -->`` is a terminal of its own: it runs in the
background, in the folder where the reader is by then, until it prints that it listens. Ports are
the only thing that is put in: the README's may be taken.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from parties.simulated_files import free_ports

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"(<!-- terminal -->\n)?```(\w*)\n(.*?)```", re.DOTALL)
PORTS = ("7100", "7200", "7300")
PORTS_EACH = 17
READY = '"listening"'
PRELUDE = f"""\
set -euo pipefail
export COLUMNS=80
ready() {{
    for _ in $(seq 600); do
        grep -q '{READY}' "$1" && return
        sleep 0.1
    done
    echo "a terminal did not start:"; cat "$1" "$1.errors"; exit 1
}}
"""


@dataclass(frozen=True)
class Block:
    """Commands of the README, and whether they have a terminal of their own."""

    text: str
    terminal: bool


def blocks(readme: str) -> list[Block]:
    """The blocks that are run, in order."""
    found = BLOCK.findall(readme)
    return [Block(text, bool(own)) for own, language, text in found if language == "sh"]


def script(parts: list[Block], logs: Path) -> str:
    """One script of all blocks; each says its number before it runs."""
    lines = [PRELUDE]
    for number, block in enumerate(parts):
        lines.append(f'echo "== block {number} after $SECONDS s"')
        if not block.terminal:
            lines.append(block.text)
            continue
        log = logs / f"terminal-{number}"
        lines.append(f"(\n{block.text}\n) >{log} 2>{log}.errors &")
        if number + 1 == len(parts) or not parts[number + 1].terminal:
            waited = [i for i, each in enumerate(parts[: number + 1]) if each.terminal]
            lines.extend(f"ready {logs / f'terminal-{i}'}" for i in waited)
    return "\n".join(lines)


def with_free_ports(text: str) -> str:
    """The same commands on ports that are free now."""
    first = free_ports(PORTS_EACH * len(PORTS))
    text = text.replace("port=$((port + 100))", f"port=$((port + {PORTS_EACH}))")
    for place, port in enumerate(PORTS):
        text = text.replace(port, str(first + PORTS_EACH * place))
    return text


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Path]:
    """A home for the reader; whatever was started there is ended afterwards."""
    home = tmp_path / "home"
    home.mkdir()
    yield home
    pid = tmp_path / "pid"
    if pid.exists():
        try:
            os.killpg(int(pid.read_text()), signal.SIGTERM)
        except ProcessLookupError:
            return


@pytest.mark.timeout(600)
def test_readme_commands_run_in_order(session: Path, tmp_path: Path) -> None:
    commands = tmp_path / "readme.sh"
    commands.write_text(with_free_ports(script(blocks(README.read_text()), tmp_path)))
    binaries = Path(sys.executable).parent
    path = f"{binaries}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(session)}
    with (tmp_path / "output").open("w+") as output:
        process = subprocess.Popen(
            ["bash", commands],
            cwd=session,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        (tmp_path / "pid").write_text(str(process.pid))
        code = process.wait(580)
        output.seek(0)
        told = output.read()
    assert code == 0, told[-6000:]
    tour = session / "parley-tour"
    for results in ("simulated", "results"):
        found = json.loads((tour / results / "results.json").read_text())
        assert found["study"] == "length-of-stay"
        assert len(found["answers"]) == 3
        for name in ("report.html", "results.csv", "receipt.json", "receipt-fingerprints.json"):
            assert (tour / results / name).stat().st_size > 100
    assert "has yet to decide" in told
    assert "Nothing was computed or spent" not in told
    assert "the receipt holds" in told


def test_readme_names_every_command_and_links_to_files_that_exist() -> None:
    from parties.commands.lazily import COMMANDS

    text = README.read_text()
    for command in COMMANDS:
        assert f"parley {command}" in text, command
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (README.parent / target).exists(), target
