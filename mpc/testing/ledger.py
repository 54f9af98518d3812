"""A ledger in memory, for in-process parties: same refusals as the real one, nothing durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mpc.errors import BudgetRefusal, LedgerError, LedgerOutdated
from mpc.ports import Balance, ChainHead, ChargeRequest, ChargeState, Witness
from mpc.privacy.chain import EMPTY, ChainedCharge, next_head
from mpc.units import DeltaAtto, PartyId, ProtectedUnit, RhoPico, RunId


@dataclass
class _Charge:
    request: ChargeRequest
    state: ChargeState
    message: bytes | None = None
    computed: bool = False
    shared: bool = False


class MemoryLedger:
    """:class:`mpc.ports.Ledger` of one process. Reservations never expire."""

    def __init__(self) -> None:
        self._caps: dict[str, tuple[ProtectedUnit, RhoPico, DeltaAtto]] = {}
        self._charges: dict[RunId, _Charge] = {}
        self._chain = [EMPTY]
        self._witnessed: dict[PartyId, Witness] = {}
        self._condemned = False

    def create_domain(
        self, name: str, unit: ProtectedUnit, rho_cap: RhoPico, delta_cap: DeltaAtto
    ) -> None:
        """Give ``name`` a budget. Raises LedgerError if it has one."""
        if name in self._caps:
            raise LedgerError(f"privacy domain {name!r} exists")
        self._caps[name] = (unit, rho_cap, delta_cap)

    def reserve(self, request: ChargeRequest) -> None:
        """Hold ``request``. Raises BudgetRefusal or LedgerError, and then nothing changed."""
        terms = request.terms
        if self._condemned:
            raise LedgerOutdated("this ledger is an older copy: it reserves nothing")
        if terms.run in self._charges:
            raise LedgerError(f"run {terms.run} was charged before")
        balance = self.balance(terms.domain)
        factor = terms.unit.rho_factor(self._caps[terms.domain][0])
        charged = replace(request, rho=RhoPico(request.rho * factor))
        if charged.rho > balance.rho_left or charged.delta > balance.delta_left:
            raise BudgetRefusal(
                f"privacy domain {terms.domain!r} has too little left for study {terms.study!r}"
            )
        self._charges[terms.run] = _Charge(charged, ChargeState.RESERVED)
        self._advance(terms.run, ChargeState.RESERVED)

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        """reserved → committed with ``message``. Raises LedgerError if ``run`` is not reserved."""
        if self.state(run) is not ChargeState.RESERVED:
            raise LedgerError(f"run {run} cannot be committed: it is not reserved")
        self._charges[run].message = message
        self._charges[run].state = ChargeState.COMMITTED
        self._advance(run, ChargeState.COMMITTED)
        self._keep(shown)

    def release(self, run: RunId) -> bool:
        """reserved → released, or → forfeited if shared. False if the run was not reserved."""
        shared = run in self._charges and self._charges[run].shared
        return self._settle(run, ChargeState.FORFEITED if shared else ChargeState.RELEASED)

    def mark_computed(self, run: RunId) -> None:
        """No row can be why the run ends. Raises LedgerError if ``run`` is not reserved."""
        if self.state(run) is not ChargeState.RESERVED:
            raise LedgerError(f"run {run} was not computed: it is not reserved")
        self._charges[run].computed = True
        self._advance(run, "computed")

    def mark_shared(self, run: RunId, shown: tuple[Witness, ...] = ()) -> None:
        """Charged however it ends. Raises LedgerError if ``run`` is not reserved and computed."""
        charge = self._charges.get(run)
        if charge is None or charge.state is not ChargeState.RESERVED or not charge.computed:
            raise LedgerError(f"run {run} was not to be shared: it is not reserved and computed")
        if charge.shared:
            raise LedgerError(f"run {run} was shared before")
        charge.shared = True
        self._advance(run, "shared")
        self._keep(shown)

    def fail(self, run: RunId) -> bool:
        """reserved → released if computed and not shared, else → forfeited.

        False if the run was not reserved."""
        if run in self._charges and self._charges[run].computed:
            return self.release(run)
        return self._settle(run, ChargeState.FORFEITED)

    def _settle(self, run: RunId, state: ChargeState) -> bool:
        if self.state(run) is not ChargeState.RESERVED:
            return False
        self._charges[run].state = state
        self._advance(run, state)
        return True

    def head(self) -> ChainHead:
        """The latest head of the chain."""
        return self._chain[-1]

    def holds(self, head: ChainHead) -> bool:
        """Whether this ledger once stood at ``head``."""
        return head in self._chain

    def witnessed(self) -> Mapping[PartyId, Witness]:
        """The highest mark of each peer."""
        return dict(self._witnessed)

    def condemn(self, witness: Witness) -> None:
        """An older copy: nothing is reserved from now on. LedgerError if it holds that head."""
        if self.holds(witness.head):
            raise LedgerError("a ledger that holds the head shown is no older copy")
        self._condemned = True

    def _advance(self, run: RunId, step: str) -> None:
        request = self._charges[run].request
        terms = request.terms
        charge = ChainedCharge(
            run, terms.domain, terms.plan_digest, request.event, request.rho, request.delta
        )
        self._chain.append(next_head(self._chain[-1], step, charge))

    def _keep(self, shown: tuple[Witness, ...]) -> None:
        for witness in shown:
            kept = self._witnessed.get(witness.party)
            if kept is None or kept.head.counter < witness.head.counter:
                self._witnessed[witness.party] = witness

    def outbox(self, run: RunId) -> bytes | None:
        """The committed message of ``run``, or None."""
        charge = self._charges.get(run)
        return None if charge is None else charge.message

    def state(self, run: RunId) -> ChargeState | None:
        """Where the charge of ``run`` stands; None if it was never reserved."""
        charge = self._charges.get(run)
        return None if charge is None else charge.state

    def balance(self, domain: str) -> Balance:
        """Caps, spent and held. Raises BudgetRefusal if there is no such domain."""
        if domain not in self._caps:
            raise BudgetRefusal(f"no privacy domain {domain!r} has been given a budget")
        _, rho_cap, delta_cap = self._caps[domain]

        def held(*states: ChargeState) -> tuple[RhoPico, DeltaAtto]:
            charges = [
                charge.request
                for charge in self._charges.values()
                if charge.state in states and charge.request.terms.domain == domain
            ]
            return (
                RhoPico(sum(request.rho for request in charges)),
                DeltaAtto(sum(request.delta for request in charges)),
            )

        spent = held(ChargeState.COMMITTED, ChargeState.FORFEITED)
        return Balance(domain, rho_cap, delta_cap, *spent, *held(ChargeState.RESERVED))
