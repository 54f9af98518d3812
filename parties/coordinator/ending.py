"""A run that ends without a result: what the coordinator writes down of it, and what it says."""

from __future__ import annotations

from collections.abc import Mapping

from mpc.errors import ParleyError, StudyAborted
from mpc.session.agreement import Phase
from mpc.units import PartyId, RunId
from parties.coordinator.charging import Charges, charges_of, charges_text, together
from parties.coordinator.client import Clients
from parties.coordinator.gathering import Gathering
from parties.coordinator.state import Charged, CoordinatorState

CHARGES_S = 2.0
INTERRUPTED = "interrupted by whoever ran it"
ANEW: Mapping[Phase, str] = {
    Phase.WHOLE: "approvals are used: parley run proposes the study anew",
    Phase.PREPARED: (
        "approvals and what was prepared are used up: the same command proposes the study anew,"
        " with its dealer, and people whose approval was used are asked again"
    ),
}
"""What whoever ran a phase to no result can do: approvals, and material, are good for one run."""
NOT_USED = "no approval was used: the same command goes on from there, with the dealer"
STILL_GOOD = "no approval was used: run the same command again once the dealer takes part"


def not_prepared(state: CoordinatorState, run: RunId, error: BaseException) -> None:
    """Preparing ended early; it charges nobody. ``error``, one of ours, then says so too."""
    state.prepared.failed(run, _problem(error))
    if isinstance(error, ParleyError):
        _add(error, f"run {run[:12]} was not prepared; nothing was charged", NOT_USED)


def ended_before_workers_met(
    state: CoordinatorState, gathering: Gathering, error: BaseException
) -> None:
    """Nobody has reserved anything. ``error``, one of ours, then says so too."""
    run = gathering.run
    end = state.cancelled if isinstance(error, KeyboardInterrupt) else state.failed
    end(run, _problem(error))
    state.charged(run, Charged.NO)
    if isinstance(error, ParleyError):
        told = f"run {run[:12]} ended before any party read a row; nothing was charged"
        _add(error, told, ANEW[gathering.phase] if gathering.approvals_used else STILL_GOOD)


def interrupted(state: CoordinatorState, clients: Clients, run: RunId) -> None:
    """A run was stopped here and cancelled everywhere. Open unless all say that it cost nothing."""
    charges = charges_of(clients, run, wait_s=CHARGES_S)
    if together(charges) is Charged.NO:
        state.cancelled(run, INTERRUPTED)
    else:
        state.left_open(run, INTERRUPTED)
    state.charged(run, together(charges))


def failed(
    state: CoordinatorState, clients: Clients, gathering: Gathering, error: ParleyError
) -> None:
    """There is no result, for good. ``error`` then says what it cost, as far as that is known."""
    run, used = gathering.run, ANEW[gathering.phase]
    reached = {party: client for party, client in clients.items() if party not in gathering.lost}
    charges: Charges = {
        **dict.fromkeys(clients, Charged.UNKNOWN),
        **charges_of(reached, run, wait_s=CHARGES_S),
    }
    state.failed(run, error.message)
    state.charged(run, together(charges))
    unknown = Charged.UNKNOWN in charges.values()
    hint = f"parley status {run[:12]} asks again; {used}" if unknown else used
    _add(error, f"run {run[:12]} has no result: {charges_text(charges)}", hint)


def left_open(
    state: CoordinatorState, committed: set[PartyId], run: RunId, error: ParleyError
) -> StudyAborted:
    """A party that may have committed is out of reach: the error that says so."""
    state.left_open(run, error.message)
    state.charged(run, Charged.YES if committed else Charged.UNKNOWN)
    known = (
        f"{', '.join(sorted(committed))} committed already"
        if committed
        else "whether it was charged is unknown until all parties answer"
    )
    return StudyAborted(
        f"{error.what}; {known}; run {run[:12]} is open",
        party=error.party,
        hint=f"parley status {run[:12]} completes the study once every party can be reached",
    )


def without_share(
    state: CoordinatorState, clients: Clients, run: RunId, error: ParleyError
) -> None:
    """What parties sent are no shares that make a result. They may yet, so the run is open.

    ``error`` then says what it cost.
    """
    charges = charges_of(clients, run, wait_s=CHARGES_S)
    state.left_open(run, error.message)
    state.charged(run, together(charges))
    hint = f"parley status {run[:12]} completes the study once all shares are right"
    _add(error, f"run {run[:12]} is open: {charges_text(charges)}", hint)


def _problem(error: BaseException) -> str:
    """What is written down of ``error``: no words of a library, which may quote data."""
    if isinstance(error, ParleyError):
        return error.message
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return f"unexpected {type(error).__name__}"


def _add(error: ParleyError, what: str, hint: str) -> None:
    error.what = f"{error.what}; {what}"
    error.hint = "; ".join(filter(None, (error.hint, hint)))
    error.args = (error.message,)
