"""Writes the three insurers' tables of the visits scenario, and the plain answers to it.

The data are 20,190 person-years of the RAND Health Insurance Experiment as shipped in
statsmodels (``statsmodels.datasets.randhie``). Rows are given out in blocks, in their order, so
the same files come out everywhere::

    python scenarios/visits/recipe.py --out DIR

Columns: ``mdvis`` outpatient visits in the year; ``coinsurance`` from ``lncoins``, ln(1 + percent);
``health`` from the dummies ``hlthg``, ``hlthf``, ``hlthp`` (none set: excellent); ``idp`` whether
the plan has an individual deductible; ``disea`` index of chronic diseases.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROWS = 20_190
SHARES = {"insurer-north": 9_086, "insurer-south": 7_066, "insurer-west": 4_038}
COINSURANCE = ("0%", "25%", "50%", "95%", "100%")
HEALTH = ("excellent", "good", "fair", "poor")
IDP = ("no", "yes")
BINS = (0, 1, 2, 3, 5, 10, 20, 77)
DISEA_STEP = Decimal("0.1")


class Row(NamedTuple):
    """One person in one year, every cell as the text of the file."""

    mdvis: str
    coinsurance: str
    health: str
    idp: str
    disea: str


def rows() -> list[Row]:
    """All rows in the order of the source. Needs statsmodels."""
    from statsmodels.datasets import randhie

    frame = randhie.load_pandas().data
    if len(frame) != ROWS:
        raise SystemExit(f"statsmodels ships {len(frame)} rows of randhie; {ROWS} are expected")
    return [
        Row(
            mdvis=str(int(source.mdvis)),
            coinsurance=_coinsurance(float(source.lncoins)),
            health=_health(int(source.hlthg), int(source.hlthf), int(source.hlthp)),
            idp=IDP[int(source.idp)],
            disea=repr(float(source.disea)),
        )
        for source in frame.itertuples(index=False)
    ]


def write(directory: Path) -> dict[str, Path]:
    """The table of each party as ``DIRECTORY/<party>.csv``; party id to path."""
    directory.mkdir(parents=True, exist_ok=True)
    every = rows()
    paths: dict[str, Path] = {}
    start = 0
    for party, count in SHARES.items():
        path = directory / f"{party}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(every[start : start + count])
        paths[party] = path
        start += count
    return paths


def expected() -> dict[str, list[dict[str, int | str]]]:
    """The answers without noise, as exact sums: visits in ones, ``disea`` in steps of 0.1."""
    every = rows()
    visits = [int(row.mdvis) for row in every]
    disea = [
        int((Decimal(row.disea) / DISEA_STEP).quantize(Decimal(1), ROUND_HALF_EVEN))
        for row in every
    ]
    bins = [f"[{low}, {high})" for low, high in pairwise(BINS)]
    bins[-1] = bins[-1][:-1] + "]"
    return {
        "people_by_plan": [
            {"coinsurance": plan, "idp": idp}
            | {"n": sum(row.coinsurance == plan and row.idp == idp for row in every)}
            for plan in COINSURANCE
            for idp in IDP
        ],
        "visits_total": [{"s1": sum(visits)}],
        "visits_by_coinsurance": _means(every, "coinsurance", COINSURANCE),
        "visits_by_health": _means(every, "health", HEALTH),
        "disease_spread": [
            {"n": len(disea), "s1": sum(disea), "s2": sum(value * value for value in disea)}
        ],
        "visits_histogram": [
            {"mdvis": label, "n": sum(low <= x < high or x == high == BINS[-1] for x in visits)}
            for label, (low, high) in zip(bins, pairwise(BINS), strict=True)
        ],
    }


def _means(every: list[Row], column: str, levels: tuple[str, ...]) -> list[dict[str, int | str]]:
    answer: list[dict[str, int | str]] = []
    for level in levels:
        group = [int(row.mdvis) for row in every if getattr(row, column) == level]
        answer.append({column: level, "n": len(group), "s1": sum(group)})
    return answer


def _coinsurance(lncoins: float) -> str:
    label = f"{round(math.expm1(lncoins))}%"
    if label not in COINSURANCE:
        raise SystemExit("randhie holds a coinsurance that this recipe does not know")
    return label


def _health(good: int, fair: int, poor: int) -> str:
    return HEALTH[good + 2 * fair + 3 * poor]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the CSV files")
    parser.add_argument("--expected", type=Path, help="write the answers without noise here")
    asked = parser.parse_args()
    for party, path in write(asked.out).items():
        print(f"{party}: {path}")  # noqa: T201
    if asked.expected is not None:
        asked.expected.write_text(json.dumps(expected(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
