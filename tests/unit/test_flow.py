"""The order of a study's stages at one party."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import pytest
from joint_release import SilentSource, funded_ledger, terms
from receipts import federation, study

from mpc.errors import BudgetRefusal
from mpc.flow import Stage, Tools, run_study
from mpc.plan.build import plan_study
from mpc.ports import ChargeState
from mpc.privacy.budget import Budget
from mpc.table.model import CellSums


class UnreadTable:
    """Rows that nobody may read in this test."""

    def cell_sums(self, asked: tuple[CellSums, ...]) -> NoReturn:
        raise AssertionError("rows were read")


def test_no_row_is_read_before_its_price_is_reserved(tmp_path: Path) -> None:
    members = federation(tmp_path)
    plan = plan_study(study(members.parties), members.roster)
    poor = funded_ledger(rho_cap=1)
    before = poor.balance("members")
    entered: list[Stage] = []

    def never(*_: object) -> NoReturn:
        raise AssertionError("nothing was to be agreed, sealed or opened")

    tools = Tools(
        engine=never,
        budget=Budget(poor),
        ledger=poor,
        source=never,
        randomness=never,
        settle=never,
        gather=never,
        computation=None,
        agree=never,
        seal=never,
        opening=bytes(16),
    )
    with pytest.raises(BudgetRefusal):
        run_study(plan, UnreadTable(), terms(), tools, entered.append)
    assert entered == [Stage.SAMPLE, Stage.RESERVE]
    assert poor.balance("members") == before


def test_noise_is_drawn_after_its_price_is_reserved_and_before_a_row_is_read(
    tmp_path: Path,
) -> None:
    members = federation(tmp_path)
    plan = plan_study(study(members.parties), members.roster)
    ledger = funded_ledger()
    order: list[str] = []

    class SeenSource(SilentSource):
        def draw(self, count: int, variance: Fraction) -> list[int]:
            order.append("drawn")
            assert ledger.state(terms().run) is ChargeState.RESERVED
            return super().draw(count, variance)

    class SeenTable:
        def cell_sums(self, asked: tuple[CellSums, ...]) -> NoReturn:
            order.append("read")
            raise InterruptedError

    def never(*_: object) -> NoReturn:
        raise AssertionError("nothing was to be agreed, sealed or opened")

    tools = Tools(
        engine=never,
        budget=Budget(ledger),
        ledger=ledger,
        source=SeenSource(),
        randomness=never,
        settle=never,
        gather=never,
        computation=None,
        agree=never,
        seal=never,
        opening=bytes(16),
    )
    with pytest.raises(InterruptedError):
        run_study(plan, SeenTable(), terms(), tools, lambda _stage: None)
    assert order == ["drawn"] * len(plan.event.blocks) + ["read"]
    assert ledger.outbox(terms().run) is None
