"""A party's worker that prepares a run: from the order on the pipe to the stored material.

It meets the parties and the dealer as a study's worker does, and keeps what is dealt. It reads no
row, opens nothing and charges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpc.dealing.recipe import Recipe
from mpc.errors import IntegrityError
from mpc.plan.model import Plan
from mpc.ports import Clock, Randomness
from mpc.session.approval import first_expiry_unix_s
from mpc.session.establish import OwnHello
from parties.prepared.store import open_prepared
from parties.worker.meeting import Meeting
from parties.worker.messages import Entered, Stored
from parties.worker.order import PreparingOrder
from parties.worker.pipe import Pipe


@dataclass(frozen=True)
class PreparingPorts:
    """What a preparing worker takes from outside. Tests hand in their own."""

    clock: Clock
    randomness: Randomness
    recipes: Callable[[Plan], Sequence[Recipe]]
    build: str


def prepare(order: PreparingOrder, pipe: Pipe, ports: PreparingPorts) -> None:
    """Prepare the run of ``order`` and say so over ``pipe``. Raises what its steps raise.

    What it stores expires with the first of the run's approvals. Opens: nothing. Cost: that of
    :meth:`mpc.session.preparing.PreparingSession.receive`.
    """
    meeting = Meeting(order, ports.clock, ports.randomness, ports.build)
    recipes = ports.recipes(meeting.plan)
    if not recipes:
        raise IntegrityError("the plan names nothing to deal, so nothing is prepared for it")
    store = open_prepared(Path(order.state), meeting.identity, ports.clock)
    expires_unix_s = first_expiry_unix_s(meeting.approvals)
    asker = meeting.plan.roster.coordinator.id
    with meeting.paired(pipe, OwnHello.agree) as (pairing, channel):
        session = pairing.prepare(channel)
        pipe.send(Entered("compute"))
        store.keep(session.receive(channel, recipes), expires_unix_s, asker)
    pipe.send(Stored())
