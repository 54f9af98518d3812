"""What a run that has no result cost: asked of every party, whose ledger says it.

A party charges when its worker reserves, and gives that back unless it committed, its own worker
failed over its rows, or masked shares of what it noised had left. Nobody reserves before the
coordinator has connected the workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from mpc.errors import ChargeKept, NotCommitted, ParleyError
from mpc.units import PartyId, RunId
from parties.coordinator.client import Clients, PartyClient
from parties.coordinator.state import Charged

Charges = Mapping[PartyId, Charged]


def charges_of(clients: Clients, run: RunId, *, wait_s: float) -> Charges:
    """Whether each party charged ``run``; UNKNOWN for each that does not answer in ``wait_s``."""
    pool = ThreadPoolExecutor(len(clients) or 1)
    asked = {party: pool.submit(_charged, client, run) for party, client in clients.items()}
    pool.shutdown(wait=False)
    wait(asked.values(), wait_s)
    return {
        party: answer.result() if answer.done() else Charged.UNKNOWN
        for party, answer in asked.items()
    }


def together(charges: Charges) -> Charged:
    """YES if any party charged, else UNKNOWN if that is not known of one."""
    said = set(charges.values())
    return next((each for each in (Charged.YES, Charged.UNKNOWN) if each in said), Charged.NO)


def charges_text(charges: Charges) -> str:
    """``nothing was charged``, or who charged and of whom that is not known."""
    paid, open_ = (
        ", ".join(party for party, each in charges.items() if each is state)
        for state in (Charged.YES, Charged.UNKNOWN)
    )
    parts = [f"charged at {paid}"] if paid else []
    parts += [f"whether it was charged is unknown until {open_} answers"] if open_ else []
    return "; ".join(parts) or "nothing was charged"


def _charged(client: PartyClient, run: RunId) -> Charged:
    try:
        client.collect(run)
    except ChargeKept:
        return Charged.YES
    except NotCommitted:
        return Charged.NO
    except ParleyError:
        return Charged.UNKNOWN  # not over there, or out of reach
    return Charged.YES
