"""Hold results.json to the plain answers: every number is there, within six standard deviations.

Counts and sums are exact sums and discrete Gaussian noise, so each of them leaves that band less
often than once in 500 million times.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SDS = 6
SUMS = {"count": "n", "sum": "s1"}


def main() -> None:
    """Compare ``results.json`` with ``expected.json``; exit 1 with the first that differs."""
    results, expected = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    compared = 0
    for answer in results["answers"]:
        plain = expected[answer["question"]]
        if len(plain) != len(answer["cells"]):
            raise SystemExit(f"{answer['question']}: {len(answer['cells'])} groups")
        for cell, sums in zip(answer["cells"], plain, strict=True):
            for estimate in cell["estimates"]:
                if estimate["value"] is None:
                    raise SystemExit(f"{answer['question']} {cell['labels']}: no value")
                if estimate["name"] in SUMS:
                    off = abs(estimate["value"] - sums[SUMS[estimate["name"]]])
                    if off > SDS * estimate["noise_sd"]:
                        raise SystemExit(f"{answer['question']} {cell['labels']}: off by {off}")
                    compared += 1
    sys.stdout.write(f"{compared} counts and sums lie within {SDS} deviations of the plain ones\n")


if __name__ == "__main__":
    main()
