"""Which lane a study takes: all parties the same, and the direct one only if all announce it."""

from __future__ import annotations

from pathlib import Path

import pytest
from running_federation import finish, office_of, started
from visits_study import visits, write_visits

from parties.simulation import Federation


@pytest.mark.parametrize(
    ("without", "lane"), [((), "direct"), (("insurer-south",), "gRPC")], ids=["all", "not one"]
)
def test_all_parties_take_the_direct_lane_if_each_of_them_announces_it(
    tmp_path: Path, without: tuple[str, ...], lane: str
) -> None:
    study = visits()
    federation = Federation(tmp_path / "federation", study)
    federation.build(write_visits(tmp_path / "data"))
    for party in without:
        file = federation.nodes[party].config
        file.write_text(file.read_text().replace("exchange:\n", "exchange:\n  direct: false\n"))
    with started(federation):
        office = office_of(federation)
        finished = finish(office, office.plan(study))
    assert len(finished.verified.shares) == len(federation.nodes)
    for node in federation.nodes.values():
        log = (node.directory / "node.log").read_text()
        assert f"meets its peers on the {lane} lane" in log
