"""Whatever is done to a scenario or a proposal: a study, or faults. Never another error."""

from __future__ import annotations

import copy
import random
import re
from pathlib import Path
from typing import Any

import pytest

from mpc.canonical import canonical_bytes
from mpc.errors import StudyFaults
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.model import Study
from mpc.study.parse import parse_study

SCENARIO = Path(__file__).parents[3] / "scenarios" / "visits" / "scenario.yaml"
TEXT = SCENARIO.read_text(encoding="utf-8")
WORDS = [
    "[]", "{}", "null", "~", "no", "-1", "1e400", ".inf", "'x'", "[1, 2]", "{a: 1}", "2020-01-01",
    "-", "|", "? ", "é", "9" * 60, "0.0000000000000000001", "!!int 3", "*a", "&a", "''", ": ", "#",
    "\t", "1_0", "exclude", "{value: 1}", "{level: a}", "mean", "'\\0'", '"\\ud800"', '"\\u202e"',
]  # fmt: skip
PLAIN: list[Any] = [
    None, True, 1, -1, 10**30, 1.5, "", "x", "1", "-0", "1e3", "2020-01-01", "\ud800", [], {},
    [[]], [["a", 1]], {"value": "1"}, {"level": "a"}, ["a", "b"],
]  # fmt: skip
VALUES = re.compile(r"(?<=: )[^\n#]+|(?<=[\[ ])[\w'%.]+(?=[,\]])|^\s*\w+(?=:)", re.MULTILINE)


def mutated_text(choose: random.Random) -> str:
    text = TEXT
    for _ in range(choose.randint(1, 4)):
        if choose.random() < 0.6:
            found = choose.choice(list(VALUES.finditer(text)))
            text = text[: found.start()] + choose.choice(WORDS) + text[found.end() :]
        else:
            lines = text.split("\n")
            lines.insert(choose.randrange(len(lines)), lines.pop(choose.randrange(len(lines))))
            text = "\n".join(lines)
    return text


def outcome_of(text: str) -> tuple[Study | None, StudyFaults | None]:
    try:
        return parse_study(text.encode(), "s.yaml"), None
    except StudyFaults as refusal:
        return None, refusal


def places(value: Any) -> list[tuple[Any, str | int]]:
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [(value, key) for key in keys] + [p for key in keys for p in places(value[key])]


@pytest.mark.parametrize("seed", range(10))
def test_a_mutated_file_is_a_study_or_faults_inside_the_file(seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(15):
        text = mutated_text(choose)
        study, refusal = outcome_of(text)
        if study is not None:
            assert study_from_plain(study_to_plain(study)) == study
        if refusal is not None:
            assert all(line.isprintable() for line in str(refusal).splitlines())
            assert all(1 <= fault.line <= text.count("\n") + 1 for fault in refusal.faults)


def test_a_mutated_proposal_is_the_study_it_spells_or_faults() -> None:
    choose = random.Random(5)
    base = study_to_plain(parse_study(TEXT.encode(), "s.yaml"))
    taken = 0
    for _ in range(1000):
        plain = copy.deepcopy(base)
        for _ in range(choose.randint(1, 2)):
            place, key = choose.choice(places(plain))
            place[key] = copy.deepcopy(choose.choice(PLAIN))
        try:
            study = study_from_plain(plain)
        except StudyFaults:
            continue
        assert canonical_bytes(study_to_plain(study)) == canonical_bytes(plain)
        taken += 1
    assert 0 < taken < 500
