"""What every ledger must do; the durable one and the one in memory both run it."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import pytest
from hypothesis import strategies as st

from mpc.errors import BudgetRefusal, LedgerError, LedgerOutdated
from mpc.ports import ChainHead, ChargeRequest, ChargeState, ChargeTerms, Ledger, Witness
from mpc.units import (
    Adjacency,
    DeltaAtto,
    PartyId,
    PlanDigest,
    ProtectedUnit,
    RhoPico,
    RunId,
    rho_text,
)

ROW = ProtectedUnit(1, Adjacency.ADD_OR_REMOVE_ONE)
NOW = 1_800_000_000
CAP = 1000


def run_id(number: int) -> RunId:
    return RunId(f"{number:064x}")


def asking(number: int, rho: int = 100, delta: int = 0, **fields: object) -> ChargeRequest:
    """Run ``number`` asks ``rho`` of "members"."""
    plain: dict[str, object] = {
        "run": run_id(number),
        "domain": "members",
        "plan_digest": PlanDigest("a" * 64),
        "study": "visits",
        "partner": "University",
        "coordinator": PartyId("office"),
        "lead": "Joan Example",
        "lead_organization": "Institute",
        "purpose": "research",
        "approved_by": "policy",
        "unit": ROW,
        "expires_unix_s": NOW + 600,
        **fields,
    }
    terms = ChargeTerms(**plain)  # type: ignore[arg-type]
    return ChargeRequest(terms, b"{}", RhoPico(rho), DeltaAtto(delta))


class LedgerFactory(Protocol):
    def __call__(self, unit: ProtectedUnit = ROW) -> Ledger:
        """A fresh ledger with a domain "members" of CAP pico-rho and 10 atto-delta."""
        ...


class LedgerContract:
    """Subclass it and give the fixture ``fresh``, a LedgerFactory."""

    def test_a_reservation_is_held_and_a_commit_spends_it(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        held = ledger.balance("members")
        assert (held.rho_reserved, held.rho_spent, held.rho_left) == (300, 0, CAP - 300)
        ledger.commit(run_id(1), b"message")
        spent = ledger.balance("members")
        assert (spent.rho_reserved, spent.rho_spent, spent.rho_left) == (0, 300, CAP - 300)
        assert ledger.state(run_id(1)) is ChargeState.COMMITTED
        assert ledger.outbox(run_id(1)) == b"message"

    def test_a_release_gives_the_hold_back(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        assert ledger.release(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.RELEASED
        assert ledger.balance("members").rho_left == CAP

    def test_a_dear_request_is_refused_and_a_cheap_one_follows(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 600))
        before = ledger.balance("members")
        with pytest.raises(BudgetRefusal) as refused:
            ledger.reserve(asking(2, 601))
        assert "left for study" in str(refused.value)
        assert rho_text(RhoPico(400)) not in str(refused.value)
        assert ledger.balance("members") == before
        assert ledger.state(run_id(2)) is None
        ledger.reserve(asking(2, 400))
        assert ledger.balance("members").rho_left == 0

    def test_delta_has_its_own_cap(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 1, delta=DeltaAtto(7)))
        with pytest.raises(BudgetRefusal):
            ledger.reserve(asking(2, 1, delta=DeltaAtto(4)))
        ledger.reserve(asking(2, 1, delta=DeltaAtto(3)))
        assert ledger.balance("members").delta_left == 0

    def test_a_run_that_fails_over_its_rows_keeps_its_price_and_lets_nothing_leave(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        assert ledger.fail(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.FORFEITED
        assert ledger.outbox(run_id(1)) is None
        spent = ledger.balance("members")
        assert (spent.rho_reserved, spent.rho_spent, spent.rho_left) == (0, 300, CAP - 300)
        with pytest.raises(LedgerError):
            ledger.commit(run_id(1), b"message")
        assert not ledger.release(run_id(1))
        assert not ledger.fail(run_id(1))
        with pytest.raises(LedgerError):
            ledger.mark_computed(run_id(1))
        assert ledger.balance("members") == spent

    def test_a_run_that_fails_once_its_part_is_computed_costs_nothing(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        ledger.mark_computed(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.RESERVED
        assert ledger.balance("members").rho_reserved == 300
        assert ledger.fail(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.RELEASED
        assert ledger.balance("members").rho_left == CAP
        assert not ledger.fail(run_id(1))

    @pytest.mark.parametrize("end", ["release", "fail"])
    def test_a_run_whose_shares_left_is_charged_whoever_ends_it(
        self, end: str, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        ledger.mark_computed(run_id(1))
        ledger.mark_shared(run_id(1))
        assert ledger.balance("members").rho_reserved == 300
        assert getattr(ledger, end)(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.FORFEITED
        assert ledger.balance("members").rho_spent == 300
        assert ledger.outbox(run_id(1)) is None

    def test_a_run_whose_shares_left_commits_with_its_message(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        ledger.mark_computed(run_id(1))
        ledger.mark_shared(run_id(1))
        ledger.commit(run_id(1), b"message")
        assert ledger.state(run_id(1)) is ChargeState.COMMITTED
        assert ledger.outbox(run_id(1)) == b"message"

    def test_shares_leave_only_of_a_computed_part_and_are_marked_once(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        with pytest.raises(LedgerError):
            ledger.mark_shared(run_id(1))
        ledger.reserve(asking(1, 300))
        with pytest.raises(LedgerError):
            ledger.mark_shared(run_id(1))
        ledger.mark_computed(run_id(1))
        ledger.mark_shared(run_id(1))
        with pytest.raises(LedgerError):
            ledger.mark_shared(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.RESERVED

    def test_a_computed_run_commits(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1, 300))
        ledger.mark_computed(run_id(1))
        ledger.commit(run_id(1), b"message")
        assert ledger.state(run_id(1)) is ChargeState.COMMITTED

    @pytest.mark.parametrize("end", ["reserved", "committed", "released", "forfeited"])
    def test_a_replayed_run_is_refused_and_nothing_changes(
        self, fresh: LedgerFactory, end: str
    ) -> None:
        ledger = fresh()
        ledger.reserve(asking(1))
        if end == "committed":
            ledger.commit(run_id(1), b"message")
        if end == "released":
            ledger.release(run_id(1))
        if end == "forfeited":
            ledger.fail(run_id(1))
        before = ledger.balance("members")
        with pytest.raises(LedgerError, match="before"):
            ledger.reserve(asking(1))
        assert ledger.balance("members") == before
        assert ledger.state(run_id(1)) == end

    def test_a_second_commit_is_refused_and_the_bytes_stay(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1))
        ledger.commit(run_id(1), b"first")
        with pytest.raises(LedgerError):
            ledger.commit(run_id(1), b"second")
        assert ledger.outbox(run_id(1)) == b"first"
        assert ledger.balance("members").rho_spent == 100

    def test_a_committed_charge_is_not_released(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1))
        ledger.commit(run_id(1), b"message")
        assert not ledger.release(run_id(1))
        assert ledger.state(run_id(1)) is ChargeState.COMMITTED
        assert ledger.balance("members").rho_spent == 100

    def test_a_released_charge_is_not_committed(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        ledger.reserve(asking(1))
        ledger.release(run_id(1))
        with pytest.raises(LedgerError):
            ledger.commit(run_id(1), b"message")
        assert ledger.outbox(run_id(1)) is None
        assert not ledger.release(run_id(1))

    def test_an_unknown_run_has_nothing(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        assert ledger.state(run_id(9)) is None
        assert ledger.outbox(run_id(9)) is None
        assert not ledger.release(run_id(9))
        with pytest.raises(LedgerError):
            ledger.commit(run_id(9), b"message")
        assert ledger.outbox(run_id(9)) is None

    def test_a_domain_without_a_budget_refuses(self, fresh: LedgerFactory) -> None:
        ledger = fresh()
        with pytest.raises(BudgetRefusal, match="no privacy domain"):
            ledger.reserve(asking(1, domain="strangers"))
        with pytest.raises(BudgetRefusal, match="no privacy domain"):
            ledger.balance("strangers")
        assert ledger.state(run_id(1)) is None

    def test_a_weaker_unit_is_charged_for_the_domains(self, fresh: LedgerFactory) -> None:
        ledger = fresh(ProtectedUnit(3, Adjacency.ADD_OR_REMOVE_ONE))
        ledger.reserve(asking(1, 100))
        assert ledger.balance("members").rho_reserved == 900
        with pytest.raises(BudgetRefusal):
            ledger.reserve(asking(2, 12))
        ledger.reserve(asking(3, 100, unit=ProtectedUnit(3, Adjacency.REPLACE_ONE)))
        assert ledger.balance("members").rho_left == 0

    def test_a_study_of_persons_is_charged_once_for_all_rows_of_one(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh(ProtectedUnit(30, Adjacency.ADD_OR_REMOVE_ONE))
        ledger.reserve(asking(1, 100, unit=ProtectedUnit.person(Adjacency.REPLACE_ONE)))
        assert ledger.balance("members").rho_reserved == 100

    def test_a_study_of_rows_cannot_be_charged_to_persons_with_any_number_of_rows(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh(ProtectedUnit.person(Adjacency.ADD_OR_REMOVE_ONE))
        for rows in (1, 1000):
            unit = ProtectedUnit(rows, Adjacency.REPLACE_ONE)
            with pytest.raises(BudgetRefusal, match="any number of them"):
                ledger.reserve(asking(rows, 1, unit=unit))
            assert ledger.state(run_id(rows)) is None
        assert ledger.balance("members").rho_left == CAP
        ledger.reserve(asking(2, 100, unit=ProtectedUnit.person(Adjacency.ADD_OR_REMOVE_ONE)))
        assert ledger.balance("members").rho_reserved == 100

    def test_every_step_of_every_charge_makes_a_new_head_and_a_refused_one_makes_none(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        heads = [ledger.head()]
        for step in (
            lambda: ledger.reserve(asking(1)),
            lambda: ledger.mark_computed(run_id(1)),
            lambda: ledger.mark_shared(run_id(1)),
            lambda: ledger.commit(run_id(1), b"message"),
            lambda: ledger.reserve(asking(2)),
            lambda: ledger.release(run_id(2)),
            lambda: ledger.reserve(asking(3)),
            lambda: ledger.fail(run_id(3)),
        ):
            step()
            heads.append(ledger.head())
        assert [head.counter for head in heads] == list(range(9))
        assert len({head.digest for head in heads}) == 9
        assert all(ledger.holds(head) for head in heads)
        assert not ledger.holds(ChainHead(3, heads[4].digest))
        assert not ledger.holds(ChainHead(9, bytes(32)))
        with pytest.raises(BudgetRefusal):
            ledger.reserve(asking(4, CAP))
        assert not ledger.release(run_id(1))
        assert ledger.head() == heads[-1]

    def test_ledgers_that_took_other_steps_have_other_heads(self, fresh: LedgerFactory) -> None:
        def head(*requests: ChargeRequest) -> ChainHead:
            ledger = fresh()
            for request in requests:
                ledger.reserve(request)
            return ledger.head()

        one, other, dearer = asking(1), asking(2), asking(1, 101)
        assert head(one, other) == head(one, other)
        heads = {head(one), head(other), head(dearer), head(one, other), head(other, one)}
        assert len(heads) == 5

    def test_what_peers_showed_is_kept_with_the_charge_and_only_grows(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        for number in (1, 2, 3):
            ledger.reserve(asking(number))
            ledger.mark_computed(run_id(number))
        with pytest.raises(LedgerError):
            ledger.commit(run_id(9), b"message", (showing(1),))
        assert not ledger.witnessed()
        ledger.mark_shared(run_id(1), (showing(5), showing(2, "west")))
        ledger.commit(run_id(2), b"message", (showing(4),))
        assert dict(ledger.witnessed()) == {"north": showing(5), "west": showing(2, "west")}
        ledger.commit(run_id(3), b"message", (showing(6),))
        assert ledger.witnessed()[PartyId("north")] == showing(6)

    def test_a_ledger_that_peers_saw_further_reserves_nothing_and_keeps_what_it_has(
        self, fresh: LedgerFactory
    ) -> None:
        ledger = fresh()
        ledger.reserve(asking(1))
        with pytest.raises(LedgerError, match="no older copy"):
            ledger.condemn(Witness(PartyId("north"), ledger.head(), b"mark", b"ready"))
        ledger.reserve(asking(2))
        ledger.condemn(showing(7))
        before, head = ledger.balance("members"), ledger.head()
        with pytest.raises(LedgerOutdated, match="older copy"):
            ledger.reserve(asking(3))
        assert (ledger.balance("members"), ledger.head()) == (before, head)
        assert ledger.state(run_id(3)) is None
        ledger.commit(run_id(1), b"message")
        assert ledger.release(run_id(2))


def showing(counter: int, party: str = "north") -> Witness:
    """A peer at step ``counter`` of some ledger."""
    head = ChainHead(counter, bytes([counter]) * 32)
    return Witness(PartyId(party), head, b"mark %d" % counter, b"ready %d" % counter)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "compute", "share", "commit", "release", "fail"]),
        st.integers(0, 6),
        st.integers(0, 700),
    ),
    max_size=25,
)


def check_steps(ledger: Ledger, steps: list[tuple[str, int, int]]) -> None:
    """No order of steps exceeds the cap or moves a settled charge."""
    settled: dict[int, ChargeState] = {}
    computed: set[int] = set()
    shared: set[int] = set()
    for step, number, rho in steps:
        with suppress(BudgetRefusal, LedgerError):
            if step == "reserve":
                ledger.reserve(asking(number, rho))
            elif step == "commit":
                ledger.commit(run_id(number), b"%d" % number)
                settled[number] = ChargeState.COMMITTED
            elif step == "release" and ledger.release(run_id(number)):
                kept = number in shared
                settled[number] = ChargeState.FORFEITED if kept else ChargeState.RELEASED
            elif step == "compute":
                ledger.mark_computed(run_id(number))
                computed.add(number)
            elif step == "share":
                ledger.mark_shared(run_id(number))
                shared.add(number)
            elif step == "fail" and ledger.fail(run_id(number)):
                free = number in computed - shared
                settled[number] = ChargeState.RELEASED if free else ChargeState.FORFEITED
        assert 0 <= ledger.balance("members").rho_left <= CAP
        for known, state in settled.items():
            assert ledger.state(run_id(known)) is state
            message = b"%d" % known if state is ChargeState.COMMITTED else None
            assert ledger.outbox(run_id(known)) == message
