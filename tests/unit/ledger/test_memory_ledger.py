"""The ledger in memory keeps the ledger's contract."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from ledger_contract import CAP, ROW, STEPS, LedgerContract, LedgerFactory, check_steps

from mpc.ports import Ledger
from mpc.testing.ledger import MemoryLedger
from mpc.units import DeltaAtto, ProtectedUnit, RhoPico


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def fresh(self) -> LedgerFactory:
        def make(unit: ProtectedUnit = ROW) -> Ledger:
            ledger = MemoryLedger()
            ledger.create_domain("members", unit, RhoPico(CAP), DeltaAtto(10))
            return ledger

        return make


@given(steps=STEPS)
@settings(max_examples=200, deadline=None)
def test_no_order_of_steps_exceeds_the_cap(steps: list[tuple[str, int, int]]) -> None:
    ledger = MemoryLedger()
    ledger.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(10))
    check_steps(ledger, steps)
