"""Studies whose noise is dealt or joint: real nodes, a dealer, and policies that accept it or not.

Deviations are planned ones; that releases have them is shown in tests/privacy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import sqrt

import pytest
from running_federation import balances, finish, office_of, running

from mpc.accounting.event import Noise
from mpc.columns.model import CategoryColumn, NumberColumn
from mpc.errors import PolicyRefusal
from mpc.plan.model import Plan
from mpc.questions.count.declare import Count
from mpc.questions.quantile.declare import Quantile
from mpc.questions.registry import Question
from mpc.study.model import Lead, PartyEntry, Privacy, RowUnit, Study, Table
from mpc.units import Adjacency
from parties.coordinator.office import Office
from parties.simulation import Federation

PARTIES = ("alpha", "bravo", "charlie")
ROWS = 500
EVERY = tuple(Noise)


def study_of(
    noises: tuple[Noise, ...] | None,
    title: str = "Noise",
    *,
    dealer: bool = True,
    further: Mapping[str, Question] | None = None,
) -> Study:
    return Study(
        version=1,
        id="noises",
        title=title,
        purpose="audit",
        lead=Lead(name="A. Person", organization="Institute", email="a@example.org"),
        parties={
            name: PartyEntry(version=1, rows_max=1000, rows_expected=ROWS) for name in PARTIES
        },
        dealer="house" if dealer else None,
        recipients=("coordinator",),
        table=Table(
            name="people",
            unit=RowUnit(kind="row"),
            columns={
                "sex": CategoryColumn(type="category", levels=("f", "m")),
                "age": NumberColumn(type="number", bounds=(Decimal(0), Decimal(120))),
            },
        ),
        privacy=Privacy(
            epsilon=Decimal(1),
            delta=Decimal("0.000001"),
            adjacency=Adjacency.ADD_OR_REMOVE_ONE,
            noises=noises,
        ),
        questions={"people": Count(kind="count"), **(further or {})},
    )


MEDIAN = {"median": Quantile(kind="quantile", column="age", probability=Decimal("0.5"))}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    root = tmp_path_factory.mktemp("noises")
    data = {}
    for party in PARTIES:
        data[party] = root / f"{party}.csv"
        data[party].write_text("sex,age\n" + "f,30\nm,50\n" * (ROWS // 2))
    with running(root / "federation", study_of(EVERY, further=MEDIAN), data) as federation:
        yield federation


@pytest.fixture(scope="module")
def office(federation: Federation) -> Office:
    return office_of(federation)


def timed(office: Office, plan: Plan) -> float:
    """Seconds that a run of ``plan`` takes; its count lies within 12 deviations."""
    begun_s = time.monotonic()
    verified = finish(office, plan).verified
    took_s = time.monotonic() - begun_s
    (cell,) = verified.answers[0].cells
    count = cell.estimate("count")
    (block,) = plan.question("people").blocks
    assert isinstance(count.value, int)
    assert abs(count.value - ROWS * len(PARTIES)) <= 12 * sqrt(block.total_variance)
    return took_s


@pytest.mark.parametrize(
    ("noise", "deviation"), [(Noise.OWN, 7.86), (Noise.DEALT, 5.86), (Noise.JOINT, 4.54)]
)
def test_a_study_with_each_noise_is_released_and_charged_its_price(
    office: Office, federation: Federation, noise: Noise, deviation: float
) -> None:
    before = balances(federation)
    plan = office.plan(study_of((noise,), f"Noise {noise.value}", dealer=noise is not Noise.OWN))
    assert plan.noises == (noise,)
    (block,) = plan.question("people").blocks
    assert sqrt(block.total_variance) <= deviation
    timed(office, plan)
    for party, balance in balances(federation).items():
        assert balance.rho_spent - before[party].rho_spent == plan.rho_total
        assert balance.delta_spent - before[party].delta_spent == plan.delta_charged
        assert (plan.delta_charged > 0) is (noise is Noise.JOINT)


def test_joint_noise_takes_less_than_a_second_more_than_own_noise(office: Office) -> None:
    """The best of three runs each, so that a busy machine decides nothing."""
    own, joint = (
        min(
            timed(office, office.plan(study_of((noise,), f"Timed {turn}", dealer=dealer)))
            for turn in range(3)
        )
        for noise, dealer in ((Noise.OWN, False), (Noise.JOINT, True))
    )
    assert joint - own < 1.0


def test_the_least_noise_that_every_owner_accepts_is_taken(
    office: Office, federation: Federation
) -> None:
    asked = study_of(None, "Whichever is least", further=MEDIAN)
    assert office.with_noises(asked).privacy.noises == EVERY
    assert office.plan(office.with_noises(asked)).noises == (Noise.JOINT,)
    strict = federation.nodes["bravo"]
    policy = strict.directory / "policy.yaml"
    written = policy.read_text()
    assert "- joint\n" in written
    strict.stop()
    policy.write_text(written.replace("- joint\n", ""))
    try:
        strict.start()
        strict.wait_ready()
        again = office_of(federation)
        chosen = again.with_noises(asked)
        assert chosen.privacy.noises == (Noise.OWN, Noise.DEALT)
        before = balances(federation)
        with pytest.raises(PolicyRefusal, match="noise joint is not accepted"):
            finish(again, again.plan(study_of((Noise.JOINT,), "Refused")))
        assert balances(federation) == before
        plan = again.plan(chosen)
        assert plan.noises == (Noise.DEALT,)
        timed(again, plan)
    finally:
        strict.stop()
        policy.write_text(written)
        strict.start()
        strict.wait_ready()
