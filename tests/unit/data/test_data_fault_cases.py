"""Faulty inputs that other tools swallow: the right value, or a clear error to whom it is for.

tests/cases/faults.json tells each story; the files lie in tests/cases/faults. Everything is found
when the owner registers or the author's study is parsed or planned: before anything is shared or
spent. No error carries what a cell holds.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from owner_tables import (
    TABLE,
    answers_without_noise,
    open_version,
    plan_text,
    scenario,
    values,
    write_owner,
)

from mpc.errors import DataFaults, PlanRefusal, StudyFaults
from mpc.questions.answer import Answer
from parties.data.catalogue import Catalogue
from parties.data.register import register_table

CASES = Path(__file__).resolve().parents[2] / "cases"
FOLDER = CASES / "faults"
EXPECTED = {
    case["id"]: case["expected"] for case in json.loads((CASES / "faults.json").read_text())
}

CSV = {"format": "csv", "files": ["data.csv"]}
NUMBER = {"type": "number"}
TEXT = {"type": "text"}


class Site:
    """One owner of a case: its file as the case has it, its schema as the test declares it."""

    def __init__(self, folder: Path, file: str, columns: Mapping[str, Any], **source: Any) -> None:
        self.folder = folder / file.replace("/", "-")
        self.source = {**CSV, **source}
        self.content = (FOLDER / file).read_bytes()
        self.config = write_owner(self.folder, columns, self.content, source=self.source)

    def register(self) -> Any:
        return register_table(self.config, TABLE)

    def refusal(self) -> str:
        """What the owner is told; nothing is announced, and no cell is quoted."""
        with pytest.raises(DataFaults) as refused:
            self.register()
        assert Catalogue(self.config).announced(TABLE) is None
        message = str(refused.value)
        # The folder of a test may have the number that a cell has.
        assert_quotes_no_cell(message.replace(str(self.config.file.parent), ""), self.content)
        return message


def assert_quotes_no_cell(message: str, content: bytes) -> None:
    """Cells of three characters and more are not in ``message``; the header may be."""
    rows = list(csv.reader(content.decode("latin-1").splitlines()))
    cells = {cell.strip() for row in rows[1:] for cell in row} - set(rows[0] if rows else ())
    for cell in cells:
        assert len(cell) < 3 or cell not in message


def joint(plan_of: bytes, sites: list[Site]) -> dict[str, Answer]:
    plan = plan_text(plan_of)
    tables = [
        open_version(site.register().version, plan.study.table, site.folder) for site in sites
    ]
    return answers_without_noise(plan, tables)


def number(low: float, high: float, **rules: Any) -> dict[str, Any]:
    return {"type": "number", "bounds": [low, high], **rules}


def category(*levels: str, **rules: Any) -> dict[str, Any]:
    return {"type": "category", "levels": list(levels), **rules}


MEAN_X = {"m": {"kind": "mean", "column": "x"}}
COUNT = {"n": {"kind": "count"}}


def test_every_case_has_its_files_and_a_test() -> None:
    others = ("security/test_certificates.py", "unit/data/test_small_cell_cases.py")
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__), *(CASES.parent / other for other in others))
    )
    for case in json.loads((CASES / "faults.json").read_text()):
        for file in case["files"]:
            assert (FOLDER / case["id"] / file).is_file()
        assert f"def test_{case['id'].lower()}_" in tests or f"Case {case['id']}" in tests


def test_s01_order_of_levels_at_a_site_changes_nothing_and_other_levels_are_misfits(
    tmp_path: Path,
) -> None:
    study = scenario(
        {"y": number(0, 1), "sex": category("f", "m"), "age": number(0, 120)},
        {
            "events": {"kind": "sum", "column": "y"},
            "ages": {"kind": "mean", "column": "age", "by": ["sex"]},
        },
        parties=("a-site", "b-site", "c-site"),
    )
    sites = []
    for name in ("a", "b", "c"):
        levels = json.loads(
            (FOLDER / "S01" / f"schema_{'b' if name == 'b' else 'ac'}.json").read_text()
        )["sex"]
        columns = {"y": NUMBER, "sex": {"type": "text", "levels": levels}, "age": NUMBER}
        sites.append(Site(tmp_path, f"S01/{name}.csv", columns))
    rows = [
        row
        for site in sites
        for row in csv.DictReader(site.content.decode().splitlines())
    ]  # fmt: skip
    answers = joint(study, sites)
    for sex in ("f", "m"):
        ages = [int(row["age"]) for row in rows if row["sex"] == sex]
        assert values(answers["ages"], "count")[(sex,)] == len(ages)
        assert values(answers["ages"], "mean")[(sex,)] == pytest.approx(
            sum(ages) / len(ages), rel=1e-12
        )
    assert values(answers["events"], "sum") == {(): sum(int(row["y"]) for row in rows)}

    other = Site(tmp_path / "other", "S01/b.csv", {
        "y": NUMBER, "sex": {"type": "text", "levels": ["male", "female"]}, "age": NUMBER,
    })  # fmt: skip
    message = other.refusal()
    assert "data.csv:2" in message
    assert "sex: no declared level; male, female" in message
    misfits = list(Catalogue(other.config).misfits(plan_text(study).study.table))
    assert misfits == ["column sex has no level f, m here"]


def test_s02_levels_are_counted_on_the_declared_list_and_a_stranger_is_told_its_owner(
    tmp_path: Path,
) -> None:
    parties = ("a-site", "b-site", "c-site")
    columns = {"g": category("1", "2", "3", "9")}
    question = {"groups": {"kind": "count", "by": ["g"]}}
    sites = [Site(tmp_path, f"S02/{name}.csv", {"g": TEXT}) for name in ("a", "b", "c")]
    answers = joint(scenario(columns, question, parties=parties), sites)
    assert values(answers["groups"], "count") == {
        (level,): count for level, count in EXPECTED["S02"]["counts"].items()
    }
    known = scenario({"g": category("1", "2", "3")}, question, parties=parties)
    assert values(joint(known, sites)["groups"], "count") == {("1",): 2, ("2",): 2, ("3",): 2}

    strict = Site(
        tmp_path / "strict", "S02/c.csv", {"g": {"type": "text", "levels": ["1", "2", "3"]}}
    )
    assert "data.csv:3:1 PLY-D214 g: no declared level; 1, 2, 3" in strict.refusal()


def test_s04_a_column_has_the_declared_type_at_every_site(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"S04/{name}.csv", {"x": NUMBER}) for name in ("a", "b", "c")]
    parties = ("a-site", "b-site", "c-site")
    columns = {"x": number(0, 10, step=0.5)}
    answers = joint(scenario(columns, MEAN_X, parties=parties), sites)
    assert values(answers["m"], "mean") == {(): EXPECTED["S04"]["mean"]}
    assert values(answers["m"], "count") == {(): EXPECTED["S04"]["n"]}
    missing = joint(scenario(columns, COUNT, parties=parties, where="x is missing"), sites)
    assert values(missing["n"], "count") == {(): EXPECTED["S04"]["missing"]}


def test_s05_site_without_rows_counts_nothing_and_zero_bytes_are_told(tmp_path: Path) -> None:
    full = Site(tmp_path, "S05/a.csv", {"x": NUMBER})
    empty = Site(tmp_path, "S05/b.csv", {"x": NUMBER})
    study = scenario({"x": number(0, 10)}, {**MEAN_X, **COUNT})
    answers = joint(study, [full, empty])
    assert values(answers["m"], "mean") == {(): EXPECTED["S05"]["mean"]}
    assert values(answers["n"], "count") == {(): EXPECTED["S05"]["n"]}

    nobody = joint(study, [empty, empty])
    (cell,) = nobody["m"].cells
    assert cell.estimate("mean").value is None
    assert cell.estimate("mean").reason
    assert values(nobody["n"], "count") == {(): 0}

    nothing = Site(tmp_path, "S05/c_zero_bytes.csv", {"x": NUMBER})
    assert "data.csv:1:1 PLY-D201 file: no header: the file is empty" in nothing.refusal()


def test_s06_na_is_a_country_unless_its_owner_declares_it_missing(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"S06/{name}.csv", {"country": TEXT}) for name in ("a", "b")]
    columns = {"country": category("NA", "DE")}
    question = {"countries": {"kind": "count", "by": ["country"]}}
    answers = joint(scenario(columns, question), sites)
    assert values(answers["countries"], "count") == {
        (level,): count for level, count in EXPECTED["S06"]["counts"].items()
    }
    missing = joint(scenario(columns, COUNT, where="country is missing"), sites)
    assert values(missing["n"], "count") == {(): EXPECTED["S06"]["missing"]}

    marked = [
        Site(tmp_path / "marked", f"S06/{name}.csv", {"country": TEXT}, null=["NA"])
        for name in ("a", "b")
    ]
    counted = joint(scenario(columns, question), marked)
    assert values(counted["countries"], "count") == {("NA",): 0, ("DE",): 1}


def test_s08_site_without_a_value_in_a_column_leaves_the_others_alone(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"S08/{name}.csv", {"x": NUMBER}) for name in ("a", "b")]
    columns = {"x": number(0, 100)}
    answers = joint(scenario(columns, MEAN_X), sites)
    assert values(answers["m"], "mean") == {(): EXPECTED["S08"]["mean"]}
    assert values(answers["m"], "count") == {(): EXPECTED["S08"]["n"]}
    missing = joint(scenario(columns, COUNT, where="x is missing"), sites)
    assert values(missing["n"], "count") == {(): EXPECTED["S08"]["missing"]}


def test_s09_each_owner_declares_its_own_spelling_of_a_file(tmp_path: Path) -> None:
    columns = {"x": NUMBER, "city": TEXT}
    semicolons = {"delimiter": ";", "decimal": ","}
    sites = [
        Site(tmp_path, "S09/a.csv", columns),
        Site(tmp_path, "S09/b.csv", columns, **semicolons),
        Site(tmp_path, "S09/c_latin1.csv", columns, encoding="latin-1"),
    ]
    study = scenario(
        {"x": number(0, 100, step=0.5), "city": category("Bern", "Genf", "Zürich")},
        {"total": {"kind": "sum", "column": "x"}, "cities": {"kind": "count", "by": ["city"]}},
        parties=("a-site", "b-site", "c-site"),
    )
    answers = joint(study, sites)
    assert values(answers["total"], "sum") == {(): EXPECTED["S09"]["sum"]}
    assert values(answers["cities"], "count") == {("Bern",): 1, ("Genf",): 1, ("Zürich",): 1}

    undeclared = Site(tmp_path / "undeclared", "S09/c_latin1.csv", columns)
    assert "PLY-D205 file: bytes that are not utf-8" in undeclared.refusal()
    commas = Site(tmp_path / "commas", "S09/b.csv", columns, delimiter=";")
    assert (
        "data.csv:2:2 PLY-D211 x: a number with ',', which the schema does not declare"
        in commas.refusal()
    )
    one_column = Site(tmp_path / "one", "S09/b.csv", columns)
    assert "data.csv:1" in one_column.refusal()


def test_s11_codes_that_look_like_numbers_or_dates_stay_text(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"S11/{name}.csv", {"icd": TEXT}) for name in ("a", "b")]
    study = scenario(
        {"icd": category("1E10", "2E05", "1-1-1", "1-2-1")},
        {"codes": {"kind": "count", "by": ["icd"]}},
    )
    assert values(joint(study, sites)["codes"], "count") == {
        (level,): count for level, count in EXPECTED["S11"]["counts"].items()
    }


def test_s12_dates_are_read_as_declared_or_not_at_all(tmp_path: Path) -> None:
    american = {"d": {"type": "date", "format": "%m/%d/%Y"}}
    sites = [Site(tmp_path, f"S12/{name}.csv", american) for name in ("a", "b")]
    days = sorted(set(EXPECTED["S12"]["declared_mdy"]))
    study = scenario(
        {"d": {"type": "date", "bounds": ["2024-01-01", "2025-01-01"]}},
        {day.replace("-", "_").join(("on_", "")): {"kind": "count"} for day in days[:1]},
        where="d = '2024-03-04'",
    )
    assert values(joint(study, sites)[f"on_{days[0].replace('-', '_')}"], "count") == {(): 2}
    for day in days[1:]:
        other = scenario(
            {"d": {"type": "date", "bounds": ["2024-01-01", "2025-01-01"]}},
            COUNT,
            where=f"d = '{day}'",
        )
        assert values(joint(other, sites)["n"], "count") == {(): 1}

    undeclared = Site(tmp_path / "undeclared", "S12/a.csv", {"d": {"type": "date"}})
    assert "data.csv:2:2 PLY-D216 d: not a date of the declared format" in undeclared.refusal()
    swapped = {"d": {"type": "date", "format": "%d/%m/%Y"}}
    wrong = Site(tmp_path / "swapped", "S12/b.csv", swapped)
    assert "data.csv:3:2 PLY-D216 d: not a date of the declared format" in wrong.refusal()


def test_s14_ragged_row_and_repeated_header_are_told_with_their_line(tmp_path: Path) -> None:
    ragged = Site(tmp_path, "S14/a.csv", {"x": NUMBER, "y": NUMBER})
    assert "data.csv:3:0 PLY-D204 row: 2 fields, 3 expected" in ragged.refusal()
    repeated = Site(tmp_path, "S14/b.csv", {"x": NUMBER})
    assert "data.csv:1:3 PLY-D203 header: duplicate column 'x'" in repeated.refusal()


def test_s16_blank_answers_are_no_zeros(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"S16/{name}.csv", {"bonus": NUMBER}) for name in ("a", "b")]
    columns = {"bonus": number(0, 1000)}
    answers = joint(scenario(columns, {"m": {"kind": "mean", "column": "bonus"}}), sites)
    assert values(answers["m"], "mean") == {(): EXPECTED["S16"]["mean"]}
    assert values(answers["m"], "count") == {(): EXPECTED["S16"]["n"]}
    missing = joint(scenario(columns, COUNT, where="bonus is missing"), sites)
    assert values(missing["n"], "count") == {(): EXPECTED["S16"]["missing"]}


def test_s17_columns_are_found_by_name_and_a_missing_one_is_told(tmp_path: Path) -> None:
    columns = {"x1": NUMBER, "x2": NUMBER}
    sites = [Site(tmp_path, f"S17/{name}.csv", columns) for name in ("train", "predict")]
    study = scenario(
        {"x1": number(0, 10), "x2": number(0, 10)},
        {"one": {"kind": "sum", "column": "x1"}, "two": {"kind": "sum", "column": "x2"}},
    )
    answers = joint(study, sites)
    assert values(answers["one"], "sum") == {(): 3 + 2}
    assert values(answers["two"], "sum") == {(): 4 + 1}
    lacking = Site(tmp_path, "S17/predict_bad.csv", columns)
    assert "data.csv:1:1 PLY-D202 x2: column 'x2' is missing" in lacking.refusal()


def test_n11_large_income_is_exact_clipped_as_declared_or_refused_by_the_planner(
    tmp_path: Path,
) -> None:
    sites = [Site(tmp_path, f"N11/{name}.csv", {"income": NUMBER}) for name in ("a", "b")]
    question = {"total": {"kind": "sum", "column": "income"}}
    wide = scenario({"income": number(0, 150_000_000_000_000)}, question)
    assert values(joint(wide, sites)["total"], "sum") == {(): 150_000_000_113_000}
    narrow = scenario({"income": number(0, 100_000)}, question)
    assert values(joint(narrow, sites)["total"], "sum") == {(): 100_000 + 52_000 + 61_000}

    with pytest.raises(PlanRefusal) as refused:
        plan_text(scenario({"income": number(0, 150_000_000_000_000)}, question, rows_max=10**6))
    assert refused.value.question == "total"
    assert "2^62" in str(refused.value)

    bounded = {"income": {"type": "number", "bounds": [0, 1_000_000]}}
    strict = Site(tmp_path / "strict", "N11/a.csv", bounded)
    assert "data.csv:2:2 PLY-D213 income: value out of range; [0, 1000000]" in strict.refusal()


def test_n12_what_is_no_finite_number_is_told_its_owner_or_declared_missing(tmp_path: Path) -> None:
    """1e309 is infinite as a double: an exponent so large is no number."""
    message = Site(tmp_path, "N12/a.csv", {"x": NUMBER}).refusal()
    assert "data.csv:3:1 PLY-D212 x: not a finite number" in message
    assert "data.csv:4:1 PLY-D212 x: not a finite number" in message
    assert "data.csv:5:1 PLY-D211 x: not a number" in message

    declared = [
        Site(tmp_path / "declared", f"N12/{name}.csv", {"x": NUMBER}, null=["NaN", "inf", "1e309"])
        for name in ("a", "b")
    ]
    columns = {"x": number(0, 100, outside="exclude")}
    answers = joint(scenario(columns, MEAN_X), declared)
    assert values(answers["m"], "mean") == {(): EXPECTED["N12"]["mean_of_valid"]}
    assert values(answers["m"], "count") == {(): EXPECTED["N12"]["valid"]}
    excluded = joint(scenario(columns, COUNT, where="x is missing"), declared)
    assert values(excluded["n"], "count") == {
        (): EXPECTED["N12"]["missing"] + EXPECTED["N12"]["non_finite"]
    }


def test_n13_large_sums_of_small_steps_are_exact(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"N13/{name}.csv", {"x": NUMBER}) for name in ("a", "b")]
    study = scenario(
        {"x": number(0, 10_000_000_000, step=0.001)}, {"total": {"kind": "sum", "column": "x"}}
    )
    (cell,) = joint(study, sites)["total"].cells
    estimate = cell.estimate("sum")
    assert estimate.value == EXPECTED["N13"]["sum"]
    assert estimate.exact is not None
    assert Decimal(estimate.exact) == Decimal("2354193718.910")


def test_n15_study_of_a_single_party_is_refused_when_parsed() -> None:
    parties = json.loads((FOLDER / "N15" / "config.json").read_text())["parties"]
    with pytest.raises(StudyFaults) as refused:
        plan_text(scenario({"x": number(0, 1)}, COUNT, parties=parties))
    assert "PLY-S030 parties: one party; at least two parties" in str(refused.value)


def test_n17_negative_numbers_and_negative_zero_add_up(tmp_path: Path) -> None:
    sites = [Site(tmp_path, f"N17/{name}.csv", {"x": NUMBER}) for name in ("a", "b", "c")]
    columns = {"x": number(-100, 100)}
    question = {"total": {"kind": "sum", "column": "x"}}
    study = scenario(columns, question, parties=("a-site", "b-site", "c-site"))
    assert values(joint(study, sites)["total"], "sum") == {(): EXPECTED["N17"]["sum"]}
    (cell,) = joint(scenario(columns, question), [sites[2], sites[2]])["total"].cells
    assert cell.estimate("sum").exact == "0"
    assert "-0" not in json.dumps(cell.estimate("sum").value)


def test_j05_ids_of_another_width_are_told_and_leading_zeros_are_kept(tmp_path: Path) -> None:
    column = {"id": {"type": "text", "width": 5}}
    right = Site(tmp_path, "J05/a.csv", column)
    wrong = Site(tmp_path, "J05/b.csv", column)
    assert "data.csv:2:1 PLY-D215 id: another width; 5 characters" in wrong.refusal()
    study = scenario(
        {"id": category("00123", "123", "00045")}, {"ids": {"kind": "count", "by": ["id"]}}
    )
    loose = Site(tmp_path / "loose", "J05/b.csv", {"id": TEXT})
    assert values(joint(study, [right, loose])["ids"], "count") == {
        ("00123",): 1, ("123",): 1, ("00045",): 2,
    }  # fmt: skip


def test_d01_number_without_bounds_is_refused_when_parsed() -> None:
    asked = json.loads((FOLDER / "D01" / "query.json").read_text())
    with pytest.raises(StudyFaults) as refused:
        plan_text(
            scenario(
                {asked["column"]: {"type": "number"}},
                {"q": {"kind": asked["op"], "column": asked["column"]}},
            )
        )
    assert "PLY-S012 table.columns.pay: bounds required" in str(refused.value)


@pytest.mark.parametrize("bounds", [[0, 0], [5, 1]])
def test_d02_bounds_without_room_are_refused_when_parsed(bounds: list[int]) -> None:
    assert json.loads((FOLDER / "D02" / "query.json").read_text())["bounds"] == [0, 0]
    with pytest.raises(StudyFaults, match="lower < upper"):
        plan_text(
            scenario(
                {"pay": {"type": "number", "bounds": bounds}},
                {"q": {"kind": "sum", "column": "pay"}},
            )
        )


def test_d09_large_offsets_are_exact_where_bounds_fit_and_refused_where_not(
    tmp_path: Path,
) -> None:
    """The case's values are 2^50 and a bit; a study may declare bounds of 15 digits, below that."""
    sites = [Site(tmp_path, f"D09/{name}.csv", {"x": NUMBER}) for name in ("a", "b")]
    question = {"total": {"kind": "sum", "column": "x"}}
    top = 999_999_999_999_999
    clipped = scenario({"x": number(0, top)}, question, rows_max=10)
    assert values(joint(clipped, sites)["total"], "sum") == {(): 3 * top}
    for bounds in (number(0, 2**50 + 1), number(0, 2**49 + 1, step=0.0625)):
        with pytest.raises(StudyFaults, match=r"beyond the exact range|exceed the exact range"):
            plan_text(scenario({"x": bounds}, question, rows_max=10))
    with pytest.raises(PlanRefusal) as refused:
        plan_text(scenario({"x": number(0, top)}, question, rows_max=10**6))
    assert refused.value.question == "total"


def test_d09_large_offsets_are_rounded_exactly(tmp_path: Path) -> None:
    """What fits: 2^49 and a quarter, where a sum of doubles already drops quarters."""
    folder = tmp_path / "fits"
    config = write_owner(folder, {"x": NUMBER}, b"x\n562949953421312.25\n562949953421312.75\n")
    version = register_table(config, TABLE).version
    plan = plan_text(
        scenario(
            {"x": number(0, 600_000_000_000_000, step=0.25)},
            {"total": {"kind": "sum", "column": "x"}},
            rows_max=10,
        )
    )
    answers = answers_without_noise(plan, [open_version(version, plan.study.table, folder)])
    assert answers["total"].cells[0].estimate("sum").exact == "1125899906842625"
