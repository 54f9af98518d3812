"""Charge before contribute: the event's own price is on disk before noise can be added."""

from __future__ import annotations

from mpc.accounting.event import NoiseEvent, price
from mpc.errors import SecretMisuseError
from mpc.ports import ChargeRequest, ChargeTerms, Ledger
from mpc.privacy.charge import BudgetCharge
from mpc.secret.sealed import SecretStatistic
from mpc.units import RunId


class Budget:
    """This party's budget, seen from the computation: it can be charged, and nothing else."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[RunId, NoiseEvent] = {}

    def reserve(self, event: NoiseEvent, terms: ChargeTerms) -> None:
        """Hold the price of ``event`` durably, before any row is read for it.

        So no study reads rows without being counted: one that ends without a release is an abort
        of its partner. Raises as :meth:`charge` does, and then nothing changed.
        """
        rho, delta = price(event)
        self._ledger.reserve(ChargeRequest(terms, event.canonical(), rho, delta))
        self._held[terms.run] = event

    def charge(self, statistic: SecretStatistic, terms: ChargeTerms) -> BudgetCharge:
        """The charge for ``statistic``, its price held durably: now, or by :meth:`reserve` before.

        Opens: nothing. Cost: 0 rounds, one disk write. Raises BudgetRefusal if the budget or a
        bound on the partner does not allow it, and PlanRefusal if the event has no price; then
        nothing changed. LedgerError if the run was ever charged before.
        """
        if terms.run not in self._held:
            self.reserve(statistic.event, terms)
        if self._held.pop(terms.run) != statistic.event:
            raise SecretMisuseError("the reservation is for another event")
        return BudgetCharge._create(statistic, terms.run)
