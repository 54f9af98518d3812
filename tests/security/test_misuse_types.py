"""The type checker refuses each way around the noise; the product itself passes it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = ROOT / "tests" / "security" / "types"
MARK = re.compile(r"# refused: ([a-z-]+(?:, [a-z-]+)*)")
FOUND = re.compile(r"^([^:]+):(\d+): error: .*\[([a-z-]+)\]$")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], set[str]]:
    cache = tmp_path_factory.mktemp("mypy")
    command = [
        sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache),
        "--no-error-summary", "--hide-error-context", "--no-pretty",
        *(str(path.relative_to(ROOT)) for path in sorted(SNIPPETS.glob("*.py"))),
    ]  # fmt: skip
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    found: dict[tuple[str, int], set[str]] = {}
    for line in result.stdout.splitlines():
        match = FOUND.match(line)
        if match:
            place = (Path(match[1]).name, int(match[2]))
            found.setdefault(place, set()).add(match[3])
    return found


def marked(path: Path) -> dict[tuple[str, int], set[str]]:
    return {
        (path.name, number): set(match[1].split(", "))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := MARK.search(line))
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", sorted(SNIPPETS.glob("*.py")), ids=lambda path: path.stem)
def test_every_marked_line_fails_the_type_checker_and_no_other(
    path: Path, findings: dict[tuple[str, int], set[str]]
) -> None:
    expected = marked(path)
    assert len(expected) >= 15
    found = {place: codes for place, codes in findings.items() if place[0] == path.name}
    assert found == expected
