"""Every operation of the kernel, with its dealer, on a network that fails by seed."""

from __future__ import annotations

from collections import Counter

import pytest
from seeded_runs import KINDS, check, must_succeed, run_faults, run_seed, scenario

from mpc.testing.network import Fault, FaultKind

SEEDS_EACH = 50
BLOCKS = 6
AUDITED = 12_000


def run_seeds(seeds: range, draws: int) -> Counter[str]:
    """All of ``seeds``, each held to :func:`seeded_runs.check`; how many ended how."""
    ended: Counter[str] = Counter()
    for seed in seeds:
        seeded = run_seed(seed, draws)
        try:
            check(seeded)
            assert seeded.is_clean or not must_succeed(seeded.faults), "a short delay ended it"
        except AssertionError as error:
            chosen = seeded.scenario
            error.add_note(f"seed {seed}: {chosen.operation}, {chosen.parties} parties, "
                           f"{seeded.faults}")  # fmt: skip
            raise
        ended["right" if seeded.is_clean else "error"] += 1
        ended.update({fault.kind for fault in seeded.faults})
    return ended


@pytest.mark.parametrize("block", range(BLOCKS))
def test_seeded_faults_give_the_exact_result_or_an_error_that_names_a_participant(
    block: int,
) -> None:
    ended = run_seeds(range(block * SEEDS_EACH, (block + 1) * SEEDS_EACH), draws=1)
    assert ended["right"]
    assert ended["error"]
    assert all(ended[kind] for kind in KINDS)


@pytest.mark.parametrize("operation", ["multiply", "less", "shuffle", "group_counts"])
def test_words_turned_on_the_way_would_not_pass_for_right(operation: str) -> None:
    """That the check notices what a lane keeps from happening: the last opening of a party."""
    chosen = scenario(operation, 3, 0)
    last = [message for message in chosen.clean.network.seen if message.sender == "party-1"][-1]
    turned = Fault(FaultKind.TAMPER, last.sender, last.receiver, last.number)
    with pytest.raises(AssertionError, match=r"another (result|value|message)"):
        check(run_faults(chosen, [turned]))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_twelve_thousand_seeds_give_exact_results_or_errors_that_name_a_participant() -> None:
    ended = run_seeds(range(10**6, 10**6 + AUDITED), draws=6)
    print(dict(ended))
    assert ended["right"] + ended["error"] == AUDITED
    assert min(ended["right"], *(ended[kind] for kind in KINDS)) > AUDITED // 20
