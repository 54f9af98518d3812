"""Writes plan.json: a study, a roster and the digest every machine must find for them."""

from __future__ import annotations

import json
from pathlib import Path

from mpc.plan.build import plan_study
from mpc.roster import Member, Roster
from mpc.study.parse import parse_study
from mpc.units import PartyId, Role

SCENARIO = b"""\
version: 1
id: golden
title: Golden plan
purpose: planning
lead: {name: A. Person, organization: Institute, email: a@example.org}
parties:
  north: {version: 1, rows_max: 10000, rows_expected: 6000}
  south: {version: 4, rows_max: 20000, rows_expected: 12000}
  west: {version: 2, rows_max: 5000, rows_expected: 2000}
recipients: [north, coordinator]
table:
  name: stays
  unit: {kind: row, rows_max: 2}
  columns:
    visits: {type: number, bounds: [0, 77], missing: exclude}
    balance: {type: number, bounds: [-500, 2000], step: 0.01, missing: {value: 0}}
    sex: {type: category, levels: [f, m], missing: exclude}
    area: {type: category, levels: [north, south, "other"], unknown_level: exclude}
    day: {type: date, bounds: [2020-01-01, 2020-12-31]}
  where: visits >= 1 and (sex = 'f' or balance between -20.5 and 1000) and not day is missing
privacy: {epsilon: 1.5, delta: 1e-7, adjacency: replace_one, coalition: 1}
questions:
  people: {kind: count, by: [sex, area], weight: 0.3}
  total: {kind: sum, column: balance, rho: 0.005}
  average: {kind: mean, column: visits, by: [area]}
  spread: {kind: variance, column: balance}
  bands: {kind: histogram, column: visits, bins: [0, 1, 10, 77], by: [sex]}
  months: {kind: histogram, column: day, bins: [2020-01-01, 2020-06-01, 2020-12-31]}
"""


def member(name: str, role: Role) -> Member:
    return Member(
        PartyId(name), role, f"{name} org", b"tls " + name.encode(), b"key " + name.encode()
    )


def main() -> None:
    study = parse_study(SCENARIO, "golden.yaml")
    parties = [member(name, Role.PARTY) for name in study.parties]
    plan = plan_study(study, Roster((*parties, member("hub", Role.COORDINATOR))))
    vector = plan.to_plain()
    wanted = {
        "source": "tests/vectors/make_plan.py",
        "study": vector["study"],
        "roster": vector["roster"],
        "event": vector["event"],
        "epsilon": vector["epsilon"],
        "digest": plan.digest,
    }
    path = Path(__file__).with_name("plan.json")
    path.write_text(json.dumps(wanted, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
