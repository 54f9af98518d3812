"""Studies whose unit is the person, run as processes: few rows of each count, and no id gets out.

The nodes add no noise, so that what is released can be compared with plain Python, to the row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from joint_release import SilentSource
from running_federation import balances, finish, office_of, running

from mpc.errors import PolicyRefusal
from mpc.study.model import Study
from mpc.study.parse import parse_study
from mpc.units import ProtectedUnit
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.node.parts import LEDGER
from parties.simulated_files import DOMAIN
from parties.simulation import Federation
from parties.system import SystemClock

PARTIES = ("north", "south")
CANARY = "Kassandra7391"
FIRST = "{kind: person, column: card, rows_max: 3, group_rows_max: 1, across_parties: true, "
SCENARIO = """\
version: 1
id: {id}
title: Visits of people
purpose: research
lead: {{name: J, organization: O, email: j@o.example}}
parties:
  north: {{version: 1, rows_max: 1000, rows_expected: 300}}
  south: {{version: 1, rows_max: 1000, rows_expected: 300}}
recipients: [coordinator]
table:
  name: visits
  unit: {unit}
  columns:
    {card}day: {{type: date, bounds: [2020-01-01, 2020-12-31]}}
    ward: {{type: category, levels: [a, b, c]}}
privacy: {{epsilon: 1, delta: 1e-6, adjacency: add_or_remove_one}}
questions:
  people: {{kind: count}}
  wards: {{kind: count, by: [ward]}}
"""

Rows = list[tuple[str, str, str]]


def study(name: str, unit: str) -> Study:
    card = "card: {type: id}\n    " if "person" in unit else ""
    return parse_study(SCENARIO.format(id=name, unit=unit, card=card).encode(), f"{name}.yaml")


def rows_of(party: str) -> Rows:
    """Some persons with many rows, some with one, some at both owners, and rows of nobody."""
    start = len(party) + party.index("o")
    return [
        (
            ("", CANARY, f"p{i * i % 41}", f"p{i % 7}", f"{party}{i % 30}")[i % 5],
            f"2020-{1 + (i * 5 + start) % 12:02d}-{1 + i % 28:02d}",
            "abc"[(i * 7 + i // 5 + start) % 3],
        )
        for i in range(300)
    ]


def counted(rows: Rows, rows_max: int) -> Mapping[str, int]:
    """How many (person, ward) there are among everybody's first rows by day."""
    of: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for card, day, ward in rows:
        if card:
            of[card].append((day, ward))
    found: dict[str, int] = dict.fromkeys("abc", 0)
    for mine in of.values():
        for ward in {ward for _day, ward in sorted(mine)[:rows_max]}:
            found[ward] += 1
    return {"people": len(of), **found}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    root = tmp_path_factory.mktemp("people")
    data = {}
    for party in PARTIES:
        data[party] = root / f"{party}.csv"
        lines = ["card,day,ward", *(",".join(row) for row in rows_of(party))]
        data[party].write_text("\n".join(lines) + "\n")
    asked = study("first", FIRST + "keep: {first_by: day}}")
    with running(root / "federation", asked, data, module="silent_node") as started:
        yield started


def test_few_rows_of_each_person_count_and_no_id_gets_out(federation: Federation) -> None:
    office = office_of(federation, SilentSource.build)
    finished = finish(office, office.plan(federation.study))

    expected = [counted(rows_of(party), 3) for party in PARTIES]
    assert list(finished.verified.released) == [
        sum(each[name] for each in expected) for name in ("people", "a", "b", "c")
    ]
    assert sum(len(rows_of(party)) for party in PARTIES) > 3 * finished.verified.released[0]
    office_files = [path for path in office.config.state.rglob("*") if path.is_file()]
    assert office_files
    assert not [path for path in office_files if CANARY.encode() in path.read_bytes()]


def test_rows_kept_by_lot_are_as_many_and_charged_to_whole_persons(federation: Federation) -> None:
    office = office_of(federation, SilentSource.build)
    before = balances(federation)
    plan = office.plan(study("lot", FIRST + "keep: hashed}"))
    finished = finish(office, plan)

    assert finished.verified.released[0] == sum(
        counted(rows_of(party), 3)["people"] for party in PARTIES
    )
    for party, balance in balances(federation).items():
        assert balance.rho_spent == before[party].rho_spent + plan.rho_total
        ledger = ledger_of(federation, party)
        assert ledger.unit(DOMAIN) == ProtectedUnit.person(plan.study.privacy.adjacency)


def test_a_study_of_rows_is_refused_by_every_owner_that_protects_persons(
    federation: Federation,
) -> None:
    office = office_of(federation, SilentSource.build)
    before = balances(federation)
    with pytest.raises(PolicyRefusal) as refusal:
        finish(office, office.plan(study("rows", "{kind: row, rows_max: 1000}")))

    said = str(refusal.value)
    assert "PLY-R027" in said
    assert "1000 of a person's rows" in said
    assert balances(federation) == before


def ledger_of(federation: Federation, party: str) -> SqliteLedger:
    limits = PartnerLimits(reserved_max=1, aborts_max=1, reserve_s=1)
    file: Path = federation.nodes[party].node_config.state / LEDGER
    return SqliteLedger(file, SystemClock(), limits)
