"""A release whose parties crash between durable steps, by seed: what is spent, and what may leave.

A party's ledger is what survives it. Whoever crashed starts again, settles what it finds held, as a
node does, and serves what its outbox has. Time is simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import sqrt

import numpy as np
from joint_release import WatchedSource
from searched_study import searched_study, tables_of, true_sums
from seeded_randomness import SeededRandomness

from mpc.accounting.event import Noise, price
from mpc.errors import ParleyError
from mpc.plan.programs import has_shared_noise, needs_search, rehearsed, released_plainly
from mpc.ports import Balance, ChainHead, ChargeRequest, ChargeState, Ledger, Witness
from mpc.privacy.noise import draws_of
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.testing.ledger import MemoryLedger
from mpc.testing.network import Fault, FaultKind
from mpc.testing.parties import DOMAIN, Attempt, Crash, InProcessParties
from mpc.testing.simulated import SimulatedTime
from mpc.units import DeltaAtto, PartyId, ProtectedUnit, RhoPico, RunId

WAIT_S = 60.0
RUNS_PAID = 2
"""What a budget of these audits pays for: the run that is disturbed, and one more."""
NAMES = ("alpha", "bravo", "charlie")
EPSILON_JOINT = "0.5"  # joint noise is not made wider than 20 deviations
EPSILON = "0.001"  # so wide that noise is the same twice by chance in one of 10^10 runs at most
KINDS = (FaultKind.DELAY, FaultKind.DROP, FaultKind.CUT, FaultKind.KILL)


class Step(StrEnum):
    """What is on disk when it returns, and the reading of the outbox."""

    RESERVE = "reserve"
    COMPUTED = "mark_computed"
    SHARED = "mark_shared"
    COMMIT = "commit"
    COLLECT = "collect"


@dataclass(frozen=True)
class Point:
    """Where a process ends: before or after a step."""

    step: Step
    after: bool


class CrashingLedger:
    """The view that one process has of its party's ledger, until it ends at ``point``."""

    def __init__(self, kept: MemoryLedger, point: Point | None) -> None:
        self._kept = kept
        self._point = point
        self._ended = False
        self.done: list[Step] = []

    def _step(self, step: Step, act: Callable[[], None]) -> None:
        self.end_at(Point(step, after=False))
        act()
        self.done.append(step)
        self.end_at(Point(step, after=True))

    def end_at(self, point: Point) -> None:
        """A process that has ended does nothing any more."""
        self._ended = self._ended or point == self._point
        if self._ended:
            raise Crash

    def reserve(self, request: ChargeRequest) -> None:
        self._step(Step.RESERVE, lambda: self._kept.reserve(request))

    def mark_computed(self, run: RunId) -> None:
        self._step(Step.COMPUTED, lambda: self._kept.mark_computed(run))

    def mark_shared(self, run: RunId, shown: tuple[Witness, ...] = ()) -> None:
        self._step(Step.SHARED, lambda: self._kept.mark_shared(run, shown))

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        self._step(Step.COMMIT, lambda: self._kept.commit(run, message, shown))

    def head(self) -> ChainHead:
        return self._kept.head()

    def holds(self, head: ChainHead) -> bool:
        return self._kept.holds(head)

    def witnessed(self) -> Mapping[PartyId, Witness]:
        return self._kept.witnessed()

    def condemn(self, witness: Witness) -> None:
        self._kept.condemn(witness)

    def release(self, run: RunId) -> bool:
        return self._kept.release(run)

    def fail(self, run: RunId) -> bool:
        return self._kept.fail(run)

    def outbox(self, run: RunId) -> bytes | None:
        self.end_at(Point(Step.COLLECT, after=False))
        message = self._kept.outbox(run)
        self.end_at(Point(Step.COLLECT, after=True))
        return message

    def state(self, run: RunId) -> ChargeState | None:
        return self._kept.state(run)

    def balance(self, domain: str) -> Balance:
        return self._kept.balance(domain)


@dataclass(frozen=True)
class Scenario:
    """A study among parties, its plain sums, and how much of what a party sends is no share."""

    parties: InProcessParties
    sums: list[int]
    searches: bool
    sent_unpaid: int

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for step in Step if self.searches or step is not Step.SHARED)

    def check_totals(self, totals: Sequence[int], sources: Mapping[PartyId, WatchedSource]) -> None:
        """Assert that ``totals`` are of the plain sums and of what every source drew."""
        plan = self.parties.plan
        if has_shared_noise(plan.event):
            wide = [12 * sqrt(plan.event.total_variance(b)) for b in plan.event.blocks]
            far = [abs(a - b) for a, b in zip(totals, self.sums, strict=True)]
            assert max(far) < max(wide)
            return
        drawn = [source.drawn for source in sources.values()]
        noised = [total + sum(own) for total, *own in zip(self.sums, *drawn, strict=True)]
        layouts = [question.layout for question in plan.questions]
        assert list(totals) == (released_plainly(noised, layouts) if self.searches else noised)


KINDS_OF_STUDY = ((False, Noise.OWN), (True, Noise.OWN), (False, Noise.DEALT), (False, Noise.JOINT))
"""Whether it searches, and whose noise it has."""


@cache
def scenario(count: int, searches: bool, noise: Noise = Noise.OWN) -> Scenario:
    """Counts among ``count`` parties, or those and a quantile, with a dealer where that is needed.

    What a party sends the others unpaid is a Hello, a confirmation, a hash of what is dealt, a
    READY, and masked words of joint noise, which has no row in it.
    """
    dealt = searches or noise is not Noise.OWN
    study = searched_study(NAMES[:count], EPSILON if noise is not Noise.JOINT else EPSILON_JOINT)
    kept = {"people", "by_sex"} | ({"low"} if searches else set())
    questions = {name: each for name, each in study.questions.items() if name in kept}
    privacy = study.privacy.model_copy(update={"noises": (noise,) if dealt else None})
    study = study.model_copy(
        update={
            "questions": questions,
            "dealer": study.dealer if dealt else None,
            "privacy": privacy,
        }
    )
    tables = tables_of(study, 5)
    parties = InProcessParties(study, tables, SeededRandomness(f"crashes {count} {searches}"))
    layouts = [question.layout for question in parties.plan.questions]
    assert needs_search(layouts) is searches
    assert {block.noise for block in parties.plan.event.blocks} == {noise}
    unpaid = 3 + dealt
    if noise is Noise.JOINT:
        recipes = rehearsed(parties.plan.event, layouts)
        assert recipes is not None
        unpaid += recipes.cost.rounds
    sums = true_sums(parties.plan, tables)
    return Scenario(parties, sums, searches, unpaid * (count - 1))


@dataclass
class Crashed:
    """One seed's run, restarts, collection, and the run after it."""

    scenario: Scenario
    points: Mapping[PartyId, Point]
    faults: Sequence[Fault]
    ledgers: Mapping[PartyId, MemoryLedger]
    sources: Mapping[PartyId, WatchedSource]
    views: Mapping[PartyId, CrashingLedger]
    attempt: Attempt
    ordered: Mapping[PartyId, bool]
    collected: Mapping[PartyId, bytes | None]

    @property
    def released(self) -> bool:
        return all(message is not None for message in self.collected.values())


def fresh_ledger(
    parties: InProcessParties, kind: type[MemoryLedger] = MemoryLedger
) -> MemoryLedger:
    """One that pays for :data:`RUNS_PAID` runs."""
    study = parties.plan.study
    unit = ProtectedUnit(study.table.unit.rows_max, study.privacy.adjacency)
    ledger = kind()
    rho, delta = price(parties.plan.event)
    caps = RhoPico(RUNS_PAID * rho), DeltaAtto(RUNS_PAID * delta)
    ledger.create_domain(DOMAIN, unit, *caps)
    return ledger


def drawn_points(rng: np.random.Generator, chosen: Scenario) -> dict[PartyId, Point]:
    """One party crashes, or several, each at a point of its own."""
    parties = list(chosen.parties.ledgers)
    victims = rng.permutation(len(parties))[: int(rng.choice([1, 1, 2, len(parties)]))]
    return {
        parties[int(victim)]: Point(
            chosen.steps[int(rng.integers(len(chosen.steps)))], bool(rng.integers(2))
        )
        for victim in victims
    }


def drawn_faults(rng: np.random.Generator, chosen: Scenario) -> list[Fault]:
    """In one run of three, a message is lost, late, or the last of its link."""
    if rng.integers(3):
        return []
    parties = list(chosen.parties.ledgers)
    sender, receiver = (parties[int(i)] for i in rng.permutation(len(parties))[:2])
    kind = KINDS[int(rng.integers(len(KINDS)))]
    late_s = WAIT_S + 1 if rng.integers(2) else 1.0
    return [Fault(kind, sender, receiver, int(rng.integers(4)), late_s)]


def run_seed(seed: int) -> Crashed:
    """A scenario, who crashes where and what the network does, the same for the same seed."""
    rng = np.random.default_rng([20261128, seed])
    kind = KINDS_OF_STUDY[int(rng.integers(len(KINDS_OF_STUDY)))]
    chosen = scenario(int(rng.integers(2, 4)), *kind)
    points, faults = drawn_points(rng, chosen), drawn_faults(rng, chosen)
    ordered = {party: bool(rng.integers(2)) for party in chosen.parties.ledgers}
    return run_points(chosen, points, faults, ordered, seed=str(seed))


def run_points(
    chosen: Scenario,
    points: Mapping[PartyId, Point],
    faults: Sequence[Fault] = (),
    ordered: Mapping[PartyId, bool] | None = None,
    *,
    seed: str = "",
    kept: type[MemoryLedger] = MemoryLedger,
    source: Callable[[str], NoiseSource] = lambda seed: DiscreteGaussian(SeededRandomness(seed)),
) -> Crashed:
    """The run, whose parties crash at ``points``; then everyone is up again and is collected from.

    ``ordered``: where the coordinator calls the run off before the party looks at it again.
    """
    ledgers = {party: fresh_ledger(chosen.parties, kept) for party in chosen.parties.ledgers}
    sources = {party: WatchedSource(source(f"crashes {seed} {party}")) for party in ledgers}
    views = {party: CrashingLedger(ledger, points.get(party)) for party, ledger in ledgers.items()}
    for party, ledger in ledgers.items():
        if hasattr(ledger, "view"):
            ledger.view = views[party]
    attempt = _attempt(chosen.parties, views, sources, faults)
    ordered = ordered or dict.fromkeys(ledgers, False)
    for party, ledger in ledgers.items():
        (ledger.release if ordered[party] else ledger.fail)(attempt.run)
    collected = {party: _collected(views[party], ledgers[party], attempt.run) for party in ledgers}
    return Crashed(
        chosen, points, faults, ledgers, sources, views, attempt, ordered, collected
    )  # fmt: skip


def run_again(crashed: Crashed) -> Attempt:
    """The same study once more, undisturbed, on what is left of the budgets."""
    return _attempt(crashed.scenario.parties, crashed.ledgers, crashed.sources, ())


def _attempt(
    parties: InProcessParties,
    ledgers: Mapping[PartyId, Ledger],
    sources: Mapping[PartyId, WatchedSource],
    faults: Sequence[Fault],
) -> Attempt:
    parties.ledgers.update(ledgers)
    (build,) = {source.build for source in sources.values()}
    return parties.attempt(
        {**sources}, build=build, wait_s=WAIT_S, faults=faults, time=SimulatedTime
    )


def _collected(view: CrashingLedger, kept: MemoryLedger, run: RunId) -> bytes | None:
    """What a coordinator gets that asks until it is answered; the process may end under way."""
    try:
        return view.outbox(run)
    except Crash:
        return kept.outbox(run)


def settled_as(view: CrashingLedger, ordered: bool) -> ChargeState | None:
    """What the steps that a party's process took make of its charge."""
    if Step.RESERVE not in view.done:
        return None
    if Step.COMMIT in view.done:
        return ChargeState.COMMITTED
    if Step.SHARED in view.done:
        return ChargeState.FORFEITED
    if Step.COMPUTED in view.done or ordered:
        return ChargeState.RELEASED
    return ChargeState.FORFEITED


def check(crashed: Crashed) -> None:
    """Assert that budgets, outboxes and what left agree, and that another run is paid for anew."""
    run, paid = crashed.attempt.run, price(crashed.scenario.parties.plan.event)[0]
    crash_or_ours = (Crash, ParleyError)
    for error in crashed.attempt.ends.errors.values():
        assert isinstance(error, crash_or_ours), repr(error)
    sent = [m.sender for m in crashed.attempt.network.seen if m.receiver in crashed.ledgers]
    for party, ledger in crashed.ledgers.items():
        state, balance = ledger.state(run), ledger.balance(DOMAIN)
        view, message = crashed.views[party], ledger.outbox(run)
        ended = party in crashed.attempt.ends.errors
        ordered = crashed.ordered[party] and isinstance(
            crashed.attempt.ends.errors.get(party), Crash | None
        )
        assert state is settled_as(view, ordered), f"{party} is {state} after {view.done}"
        assert (message is not None) == (state is ChargeState.COMMITTED), f"{party}: {state}"
        assert message == crashed.collected[party] == ledger.outbox(run), party
        kept = state in (ChargeState.COMMITTED, ChargeState.FORFEITED)
        assert (balance.rho_spent, balance.rho_reserved) == (paid * kept, 0), party
        assert ended or state is ChargeState.COMMITTED, party
        if Step.SHARED not in view.done:
            assert sent.count(party) <= crashed.scenario.sent_unpaid, f"{party} sent unpaid"
        assert Step.RESERVE in view.done or not crashed.sources[party].drawn, party
    if crashed.released:
        messages = {party: m for party, m in crashed.collected.items() if m is not None}
        totals = crashed.scenario.parties.combine(crashed.attempt, messages).totals
        crashed.scenario.check_totals(totals, crashed.sources)


def check_again(crashed: Crashed) -> None:
    """Assert that :func:`run_again` is another run, with other noise, and is paid for."""
    run, paid = crashed.attempt.run, price(crashed.scenario.parties.plan.event)[0]
    before = {party: ledger.balance(DOMAIN) for party, ledger in crashed.ledgers.items()}
    drawn = {party: list(source.drawn) for party, source in crashed.sources.items()}
    for source in crashed.sources.values():
        source.drawn.clear()
    again = run_again(crashed)
    messages = again.ends.all()
    assert again.run != run
    for party, ledger in crashed.ledgers.items():
        balance = ledger.balance(DOMAIN)
        assert balance.rho_spent == before[party].rho_spent + paid <= balance.rho_cap
        assert ledger.outbox(run) == crashed.collected[party] != messages[party]
        own = crashed.sources[party].drawn
        assert len(own) == own_samples(crashed.scenario), party
        assert not own or own != drawn[party], f"{party} used its noise again"
    totals = crashed.scenario.parties.combine(again, messages).totals
    crashed.scenario.check_totals(totals, crashed.sources)


def own_samples(chosen: Scenario) -> int:
    """How many samples each party draws of its own."""
    return sum(count for count, _variance in draws_of(chosen.parties.plan.event))
