"""A study at one party, stage by stage. A newcomer starts here.

noise that all make together → reservation on disk → own noise, drawn before any row is read →
bounded sums of the registered table (the owner's engine) → shares of the total → all that noise on
the own share, for the charge → what a search finds in that, on shares → READY of all → commit and
masked share into the outbox. Only the sum of all parties' masked shares means anything, and that is
the noised result; adding up and decoding is :mod:`mpc.outcome`, at the recipients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mpc.plan.model import Plan
from mpc.ports import ChargeTerms, Ledger, Randomness, Witness
from mpc.privacy.budget import Budget
from mpc.privacy.derivation import derive_released
from mpc.privacy.drawn import DrawnNoise
from mpc.privacy.noise import add_noise, make_shared_noise
from mpc.privacy.sampler import NoiseSource
from mpc.protocols.opening import Computation
from mpc.questions.local import local_sums
from mpc.release import open_noised
from mpc.secret.engine import Engine
from mpc.secret.sealed import BoundedStatistic
from mpc.table.model import BoundedTable


class Stage(StrEnum):
    """Where a study stands, as coarsely as others may know."""

    SAMPLE = "sample"
    RESERVE = "reserve"
    BOUND = "bound"
    SHARE = "share"
    NOISE = "noise"
    DERIVE = "derive"
    AGREE = "agree"
    RELEASE = "release"


@dataclass(frozen=True)
class Tools:
    """What a study needs at one party. ``agree`` returns when every peer is READY, and
    what each showed of its ledger; so does ``gather``.

    ``settle`` returns at a time that tells nobody how long rows and noise took. ``computation`` is
    what noise is made in that is not each party's own, and what a search runs in, once ``gather``
    returned: every peer has come to it. It is None where the plan has nothing dealt. ``randomness``
    makes this party's part of the bits of joint noise.
    """

    engine: Engine
    budget: Budget
    ledger: Ledger
    source: NoiseSource
    randomness: Randomness
    settle: Callable[[], None]
    gather: Callable[[], tuple[Witness, ...]]
    computation: Computation | None
    agree: Callable[[], tuple[Witness, ...]]
    seal: Callable[[bytes], bytes]  # masked share → signed message
    opening: bytes  # 16 bytes: names the one opening of this session


def run_study(
    plan: Plan,
    table: BoundedTable,
    terms: ChargeTerms,
    tools: Tools,
    entered: Callable[[Stage], None],
) -> bytes:
    """Run this party's part of ``plan`` and return its committed message.

    Opens: this party's noised, masked share, to the coordinator, through the outbox.
    Cost: one READY to each peer and back (1 round); where the plan computes on shares, that and
    another READY before it; the message has 8 bytes a released integer. Raises what its stages
    raise; before the commit nothing but masked values has left, and once those leave the charge is
    kept (:meth:`mpc.ports.Ledger.mark_shared`). From the reservation until the part is marked
    computed, this party talks to nobody: who sees it fail then saw its rows' doing, and the charge
    is kept (:meth:`mpc.ports.Ledger.fail`).
    """
    entered(Stage.SAMPLE)
    shared = make_shared_noise(plan.event, tools.randomness, tools.computation)
    entered(Stage.RESERVE)
    tools.budget.reserve(plan.event, terms)
    source = DrawnNoise(plan.event, tools.source)
    entered(Stage.BOUND)
    local = BoundedStatistic.of(local_sums(plan.questions, table), plan.event)
    entered(Stage.SHARE)
    secret = tools.engine.share_sum(local)
    charge = tools.budget.charge(secret, terms)
    entered(Stage.NOISE)
    noised = add_noise(secret, charge, source, tools.engine, shared)
    tools.ledger.mark_computed(terms.run)
    entered(Stage.DERIVE)
    tools.settle()
    if plan.searches:
        tools.ledger.mark_shared(terms.run, tools.gather())
    released = derive_released(noised, plan, tools.engine, tools.computation)
    entered(Stage.AGREE)
    shown = tools.agree()
    entered(Stage.RELEASE)
    return open_noised(released, tools.engine, tools.ledger, tools.opening, tools.seal, shown)
