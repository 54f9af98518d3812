"""CrypTen bound to a session: each party a process, over the lane, with real keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lane_federation import LANES

from mpc.ring.words import MODULUS

TESTS = Path(__file__).parents[1]
SUMS = {2: [5, -6, -1], 3: [-4, 2**40 - 6, 2]}
NOISE = [index * index - 10 for index in range(7)]


@pytest.fixture(scope="module", params=sorted(LANES))
def ran(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Every scenario of :mod:`backend_worker`, in one process tree: torch is imported once."""
    scenarios = ["linear:2", "linear:3", "linear:5", "collectives:3", "misuse:3",
                 "desynchronised:3", "inputs:3", "lost:3"]  # fmt: skip
    process = subprocess.run(
        [sys.executable, TESTS / "backend_worker.py", request.param, *scenarios],
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    outcomes: Mapping[str, Any] = json.loads(process.stdout)
    for outcome in outcomes.values():
        for party in outcome:
            assert not isinstance(party, dict) or "failed" not in party, party
    return outcomes


def signed(words: list[int]) -> int:
    total = sum(words) % MODULUS
    return total - MODULUS if total >= MODULUS // 2 else total


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_every_share_is_bit_identical_to_the_reference_engines(
    ran: Mapping[str, Any], parties: int
) -> None:
    outcome = ran[f"linear:{parties}"]
    crypten, reference = outcome[:parties], outcome[parties:]
    assert [party["words"] for party in crypten] == reference


@pytest.mark.parametrize("parties", [2, 3])
def test_shares_add_up_to_the_noised_sums_and_no_share_is_a_sum(
    ran: Mapping[str, Any], parties: int
) -> None:
    shares = [party["words"] for party in ran[f"linear:{parties}"][:parties]]
    totals = [signed([share[place] for share in shares]) for place in range(7)]
    assert totals[:3] == [
        total + parties * noise for total, noise in zip(SUMS[parties], NOISE, strict=False)
    ]
    # False alarm: 2^-22 a word that a uniform one is this small.
    assert all(abs(word) >= 2**40 for share in shares for word in share)


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_a_linear_study_sends_nothing_through_crypten(ran: Mapping[str, Any], parties: int) -> None:
    assert [party["sent"] for party in ran[f"linear:{parties}"][:parties]] == [0] * parties


def test_a_process_holds_one_session(ran: Mapping[str, Any]) -> None:
    for party in ran["linear:3"][:3]:
        assert party["second session"].startswith("SecretMisuseError")
        assert "one process, one session" in party["second session"]


COLLECTIVES = {
    "sum": [[6, -3], [-(2**62), -(2**63)]],  # modulo 2^64
    "kept": True,
    "xor": [7],
    "batched": [[[6, -3], [-(2**62), -(2**63)]], 6],
    "strides": [[0, 9], [3, 12], [6, 15]],
    "scalar": 3,
    "empty": [0, 3],
    "broadcast": [True, [1, 1, 1], [[0, 0], [[7]]]],
    "all_gather": [[0], [1], [2]],
    "objects": [[2, 5], -5, None],
}
ONE_SIDED: dict[str, list[object]] = {
    "ring": [[102], [100], [101]],
    "pair": [None, [[[0, 1], [2, 3]], [[0, 0], [0, 0]], [3, 4]], None],
    "reduce": [None, [3], None],
    "reduce batched": [[[3], 3], None, None],
    "gather": [[[0, -1], [1, -1], [2, -1]], [None], [None]],
    "scatter": [[[0], [0]], [[10], [10]], [[20], [20]]],
    "name": ["party-1", "party-2", "party-3"],
}


@pytest.mark.parametrize("operation", COLLECTIVES)
def test_every_rank_gets_the_result_of(ran: Mapping[str, Any], operation: str) -> None:
    assert [party[operation] for party in ran["collectives:3"]] == [COLLECTIVES[operation]] * 3


@pytest.mark.parametrize("operation", ONE_SIDED)
def test_each_rank_gets_its_own_of(ran: Mapping[str, Any], operation: str) -> None:
    assert [party[operation] for party in ran["collectives:3"]] == ONE_SIDED[operation]


def test_all_parties_keep_one_transcript_of_what_was_opened(ran: Mapping[str, Any]) -> None:
    assert len({party["opened"] for party in ran["collectives:3"]}) == 1


@pytest.mark.parametrize(
    ("misuse", "said"),
    [
        ("float", "only int64"),
        ("bool", "only int64"),
        ("product", "SUM or BXOR"),
        ("list unbatched", "a batch is a list"),
        ("batched tensor", "a batch is a list"),
        ("rank", "no rank 3"),
        ("negative rank", "no rank -1"),
        ("own rank", "no peer"),
        ("any source", "named rank"),
        ("object", "dict is not sent"),
        ("string", "str is not sent"),
        ("group", "no groups"),
        ("name", "its certificate"),
    ],
)
def test_the_communicator_refuses(ran: Mapping[str, Any], misuse: str, said: str) -> None:
    for party in ran["misuse:3"]:
        assert said in party[misuse]


def test_a_party_that_took_another_turn_is_stopped_naming_party_and_step(
    ran: Mapping[str, Any],
) -> None:
    """Who is named and how far each came depends on who notices first; that all stop does not."""
    parties = ran["desynchronised:3"]
    for own, party in zip(("party-1", "party-2", "party-3"), parties, strict=True):
        assert party["party"] != own
        assert "; here: step " in party["error"]
    found = [party["error"] for party in parties if "another step" in party["error"]]
    assert found
    assert all(("all_gather" in error) or ("step 4, all_reduce/sum" in error) for error in found)


def test_a_party_that_dies_is_named_and_crypten_does_not_retry(ran: Mapping[str, Any]) -> None:
    first, dead, third = ran["lost:3"]
    assert dead is None
    for party in (first, third):
        assert party["party"] == "party-2"
        assert not party["retried"]


def test_inputs_shared_by_crypten_itself_add_up(ran: Mapping[str, Any]) -> None:
    parties = ran["inputs:3"]

    def total(name: str) -> list[int]:
        return [signed(list(words)) for words in zip(*(p[name] for p in parties), strict=True)]

    scale = 1 << 16
    assert total("x") == [round(v * scale) for v in (1.25, -3.5, -9.99998, 123456.0)]
    assert total("total") == [
        round(v * scale) for v in (123456790.0, -4.75, -10.24998, 16900672.75)
    ]
    assert total("sized") == [0, scale, 2 * scale]
    bits = [0, 0, 0, 0]
    for party in parties:
        bits = [own ^ word for own, word in zip(bits, party["bits"], strict=True)]
    assert bits == [6 ^ 5, 12 ^ 5, 5, -1 ^ 5]


def test_a_share_of_crypten_shows_its_shape_alone(ran: Mapping[str, Any]) -> None:
    for party in ran["inputs:3"]:
        assert party["shown"] == [
            "<ArithmeticSharedTensor of shape (4,)>",
            "<BinarySharedTensor of shape (4,)>",
            "<MPCTensor of shape (1,)>",
        ]


@pytest.mark.parametrize(
    ("step", "request_"),
    [("product", "Product("), ("comparison", "MaskBits(")],
)
def test_correlated_randomness_is_refused_by_name(
    ran: Mapping[str, Any], step: str, request_: str
) -> None:
    for party in ran["inputs:3"]:
        assert party[step].startswith("SecretMisuseError")
        assert request_ in party[step]
