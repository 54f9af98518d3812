"""The proof that a release was paid for: minted after the durable write, spent once."""

from __future__ import annotations

from typing import final

from mpc.accounting.event import NoiseEvent
from mpc.errors import SecretMisuseError
from mpc.secret.seal import Sealed
from mpc.secret.sealed import SecretStatistic
from mpc.units import RunId


@final
class BudgetCharge(Sealed):
    """A reservation on disk for one statistic. Made by :mod:`mpc.privacy.budget` alone.

    Never refunded: what is spent here and then lost is lost.
    """

    __slots__ = ("_run", "_statistic", "_unspent")
    _run: RunId
    _statistic: SecretStatistic
    _unspent: list[None]

    @classmethod
    def _create(cls, statistic: SecretStatistic, run: RunId) -> BudgetCharge:
        """For the ledger, once the reservation of ``run`` is on disk."""
        return cls._minted(_event=statistic.event, _run=run, _statistic=statistic, _unspent=[None])

    @property
    def run(self) -> RunId:
        """The run that was charged."""
        return self._run

    def spend_on(self, statistic: SecretStatistic) -> NoiseEvent:
        """Use the charge up and return the event that was priced, for its noise.

        Raises SecretMisuseError if it was spent before, or is for another statistic.
        """
        if statistic is not self._statistic:
            raise SecretMisuseError("the charge is for another statistic")
        try:
            self._unspent.pop()  # atomic: of two threads one gets it
        except IndexError:
            raise SecretMisuseError("the charge is spent") from None
        return self._event
