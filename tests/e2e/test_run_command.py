"""``parley run`` into a folder it cannot use: refused before any party hears of the study."""

from __future__ import annotations

import json
from pathlib import Path

from federation import Consortium

from parties.coordinator.office import plan_file_bytes


def test_run_into_a_file_or_over_another_run_proposes_and_charges_nothing(
    consortium: Consortium, tmp_path: Path
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    (tmp_path / "plan.json").write_bytes(plan_file_bytes(plan))
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "receipt.json").write_text("{}")
    config = consortium.federation.coordinator_config
    for name, why in (("file", "no folder to write into"), ("folder", "of another run")):
        done = consortium.command(
            "run", tmp_path / "plan.json", "--config", config, "--out", tmp_path / name, "--json"
        )
        assert done.returncode == 2, done.stdout
        assert why in json.loads(done.stdout)["message"]
    assert consortium.ledgers() == before
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, ())
    assert consortium.office.state.runs(plan.digest) == ()
    assert (tmp_path / "file").read_text() == "kept"
