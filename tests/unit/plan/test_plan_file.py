"""Plan files: what ``parley plan -o`` wrote, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpc.canonical import Plain, canonical_bytes, from_canonical
from mpc.errors import IntegrityError, UsageError
from mpc.plan.build import plan_study
from mpc.roster import Roster
from mpc.study.model import Study
from parties.coordinator.scenarios import plan_file_bytes, read_scenario

MakeStudy = Callable[..., Study]
MakeRoster = Callable[[Study], Roster]


@pytest.fixture
def written(make_study: MakeStudy, make_roster: MakeRoster) -> bytes:
    study = make_study()
    return plan_file_bytes(plan_study(study, make_roster(study)))


def test_plan_file_comes_back_with_its_study_and_digest(
    written: bytes, tmp_path: Path, make_study: MakeStudy, make_roster: MakeRoster
) -> None:
    study, file = make_study(), tmp_path / "plan.json"
    file.write_bytes(written)
    assert read_scenario(file) == (study, plan_study(study, make_roster(study)).digest)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"format": "parley-plan/9"}, "not in the format parley-plan/1"),
        ({"plan_digest": "ab"}, "plan_digest is not 32 bytes"),
        ({"more": 1}, "does not have exactly the fields format, plan_digest, study"),
    ],
)
def test_file_of_another_form_is_refused(
    written: bytes, edit: dict[str, Plain], why: str, tmp_path: Path
) -> None:
    plain = from_canonical(written.rstrip(b"\n"))
    assert isinstance(plain, dict)
    file = tmp_path / "plan.json"
    file.write_bytes(canonical_bytes({**plain, **edit}))
    with pytest.raises(IntegrityError, match=why):
        read_scenario(file)


def test_plan_file_without_its_study_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(canonical_bytes({"format": "parley-plan/1", "plan_digest": "ab" * 32}))
    with pytest.raises(IntegrityError, match="a plan file"):
        read_scenario(file)


@pytest.mark.parametrize(
    "content", ["", "not JSON", "[]", '{"format": "parley-receipt/1"}', '{"study": {}}', "\x00"]
)
def test_another_kind_of_file_is_said_to_be_no_plan_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"receipt\.json is no plan file") as refused:
        read_scenario(file)
    assert refused.value.exit_code == 2
