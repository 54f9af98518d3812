"""The files that studies are asked from: scenarios, and plan files, which name their digest too."""

from __future__ import annotations

import json
from pathlib import Path

from mpc.canonical import Plain, Record, canonical_bytes, from_canonical
from mpc.errors import IntegrityError, UsageError
from mpc.plan.model import Plan
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.study.model import Study
from mpc.study.parse import parse_study
from mpc.units import PlanDigest
from parties.file_reading import read_bounded

FILE_SIZE_MAX = 8 << 20
PLAN_FAMILY = "parley-plan/"
PLAN_FORMAT = f"{PLAN_FAMILY}1"
_PLAN_FIELDS = ("format", "plan_digest", "study")


def read_scenario(path: Path) -> tuple[Study, PlanDigest | None]:
    """The study in a scenario file or in a plan file (``parley plan -o``).

    A plan file also holds the digest that its plan must come out with; a scenario file has None.
    Raises UsageError if ``path`` ends in ``.json`` and is no plan file at all.
    """
    data = read_bounded(path, FILE_SIZE_MAX)
    if path.suffix != ".json":
        return parse_study(data, str(path)), None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    named = content.get("format") if isinstance(content, dict) else None
    if not str(named).startswith(PLAN_FAMILY):
        raise UsageError(f"{path} is no plan file", hint="parley plan -o writes one")
    return _read_plan_file(data)


def plan_file_bytes(plan: Plan) -> bytes:
    """A plan file: the study and the digest it must come out with."""
    plain: Plain = {
        "format": PLAN_FORMAT,
        "plan_digest": plan.digest,
        "study": study_to_plain(plan.study),
    }
    return canonical_bytes(plain) + b"\n"


def _read_plan_file(data: bytes) -> tuple[Study, PlanDigest]:
    plain, what = from_canonical(data.rstrip(b"\n")), "a plan file (parley plan -o writes one)"
    record = Record(plain, what, _PLAN_FIELDS)
    if record.text("format", 40) != PLAN_FORMAT:
        raise IntegrityError(f"the plan file is not in the format {PLAN_FORMAT}")
    return study_from_plain(record.plain("study")), PlanDigest(record.digest("plan_digest"))
