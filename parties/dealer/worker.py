"""A dealer's worker: one run, from the order on the pipe until the last party has read everything.

It gets its keys over the pipe, meets the parties over the lane, and deals the recipes that the plan
names. It holds no data, and nothing of what the parties compute reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mpc.canonical import Plain
from mpc.dealing.recipe import Recipe, Sampler
from mpc.errors import IntegrityError
from mpc.plan.model import Plan
from mpc.plan.programs import recipes_of
from mpc.ports import Channel, Clock, Randomness
from mpc.sampling import discrete_gaussian
from mpc.session.agreement import BUILD
from mpc.session.dealing import DealingSession
from mpc.session.establish import OwnHello
from parties.system import SystemClock, SystemRandomness
from parties.worker.meeting import Meeting, report_end
from parties.worker.messages import Dealt, Entered
from parties.worker.order import SessionOrder
from parties.worker.pipe import Pipe

Deal = Callable[[DealingSession, Channel, Sequence[Recipe], Sampler], None]


@dataclass(frozen=True)
class DealerPorts:
    """What a dealer's worker takes from outside. Tests hand in their own."""

    clock: Clock
    randomness: Randomness
    recipes: Callable[[Plan], Sequence[Recipe]]
    deal: Deal = DealingSession.deal


def system_ports() -> DealerPorts:
    """The real ones."""
    return DealerPorts(SystemClock(), SystemRandomness(), recipes_of)


def work(pipe: Pipe, ports: DealerPorts | None = None) -> None:
    """Deal for the order that comes over ``pipe``, and report how it ended.

    Opens: nothing. Cost: that of :meth:`mpc.session.dealing.DealingSession.deal`.
    """

    def run(plain: dict[str, Plain]) -> None:
        _deal(SessionOrder.from_plain(plain), pipe, ports or system_ports())

    report_end(pipe, run)


def _deal(order: SessionOrder, pipe: Pipe, ports: DealerPorts) -> None:
    meeting = Meeting(order, ports.clock, ports.randomness, BUILD)
    recipes = ports.recipes(meeting.plan)
    if not recipes:
        raise IntegrityError("the plan names nothing to deal, so it needs no dealer")
    with meeting.paired(pipe, OwnHello.agree_as_dealer) as (pairing, channel):
        session = pairing.confirm(channel)
        pipe.send(Entered("compute"))
        ports.deal(session, channel, recipes, partial(discrete_gaussian, ports.randomness))
    pipe.send(Dealt())
