"""The journal in memory keeps the journal's contract."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from journal_contract import CAP, ROW, STEPS, JournalContract, JournalFactory, check_steps

from mpc.ports import Journal
from mpc.testing.journal import MemoryJournal
from mpc.units import DeltaAtto, ProtectedUnit, RhoPico


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def fresh(self) -> JournalFactory:
        def make(unit: ProtectedUnit = ROW) -> Journal:
            journal = MemoryJournal()
            journal.create_domain("members", unit, RhoPico(CAP), DeltaAtto(10))
            return journal

        return make


@given(steps=STEPS)
@settings(max_examples=200, deadline=None)
def test_no_order_of_steps_exceeds_the_cap(steps: list[tuple[str, int, int]]) -> None:
    journal = MemoryJournal()
    journal.create_domain("members", ROW, RhoPico(CAP), DeltaAtto(10))
    check_steps(journal, steps)
