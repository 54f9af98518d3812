"""What a run that has no result cost: asked of every party, as far as each can be known to say.

A party charges when its worker reserves, and gives that back unless it committed or its own worker
failed over its rows. Nobody reserves before the coordinator has connected the workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from mpc.errors import (
    BudgetRefusal,
    IdentityError,
    IntegrityError,
    NotCommitted,
    ParleyError,
    PeerError,
    StudyAborted,
    TransportError,
    UnknownStudy,
)
from mpc.units import PartyId, RunId
from parties.coordinator.asking import Clients
from parties.coordinator.client import PartyClient
from parties.coordinator.state import Charged
from protos import control_pb2 as wire

RESERVING = "compute"  # the stage that a worker enters before it reserves
FREE_ENDS = frozenset(
    kind.code
    for kind in (
        BudgetRefusal,
        IdentityError,
        IntegrityError,
        PeerError,
        StudyAborted,
        TransportError,
    )
)
"""How a run ends at a party that gives its reservation back; see :mod:`parties.node.studies`."""

Charges = Mapping[PartyId, Charged]


def charges_of(clients: Clients, run: RunId, *, watched: bool, wait_s: float) -> Charges:
    """Whether each party charged ``run``; UNKNOWN for each that does not answer in ``wait_s``.

    ``watched``: the coordinator heard every party until the run was over or the party was lost.
    """
    pool = ThreadPoolExecutor(len(clients) or 1)
    asked = {
        party: pool.submit(_charged, client, run, watched) for party, client in clients.items()
    }
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


def _charged(client: PartyClient, run: RunId, watched: bool) -> Charged:
    try:
        client.collect(run)
        return Charged.YES
    except NotCommitted:
        pass
    except ParleyError:
        return Charged.UNKNOWN  # not over there, or out of reach
    try:
        stages = list(client.watch(run))
    except UnknownStudy:  # its node started again, and gave back what it had only reserved
        return Charged.NO if watched else Charged.UNKNOWN
    except ParleyError:
        return Charged.UNKNOWN
    return _kept(stages)


def _kept(stages: list[wire.Stage]) -> Charged:
    """Whether a run that is over, and committed nothing, keeps its charge."""
    if not stages or not stages[-1].final:
        return Charged.UNKNOWN
    reserved = any(stage.name == RESERVING for stage in stages)
    free = stages[-1].problem.code in FREE_ENDS
    return Charged.NO if free or not reserved else Charged.YES
