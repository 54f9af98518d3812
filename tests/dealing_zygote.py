"""A dealer's zygote whose workers deal ``COUNT`` comparisons, as the test says: rightly or not.

``python -m dealing_zygote DESCRIPTOR``; ``PARLEY_TEST_DEALING`` names what goes wrong at the second
message of corrections.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

from mpc.dealing.recipe import Recipe, Sampler
from mpc.plan.model import Plan
from mpc.ports import Channel
from mpc.protocols.compare import less
from mpc.protocols.rehearsal import rehearse
from mpc.session.dealing import DealingSession
from mpc.units import PartyId
from parties.dealer.worker import DealerPorts, work
from parties.system import SystemClock, SystemRandomness
from parties.worker.forking import serve
from parties.worker.pipe import Pipe

COUNT = 100_000
FAULT = os.environ.get("PARLEY_TEST_DEALING", "")
AT = 2
THINKS_S = 11


class Faulty:
    """The dealer's channel, but for one message."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._dealt = 0
        self.own, self.peers, self.close = channel.own, channel.peers, channel.close
        self.receive, self.receive_upto = channel.receive, channel.receive_upto

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        if len(payload) > 32:  # no hash of the recipes
            self._dealt += 1
        if self._dealt == AT:
            if FAULT == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if FAULT == "stalls":
                os.kill(os.getpid(), signal.SIGSTOP)
            if FAULT == "thinks":
                time.sleep(THINKS_S)
            if FAULT == "too little":
                self._channel.close()
            if FAULT == "too much":
                self._channel.send(to, operation, payload)
            if FAULT == "wrong size":
                payload += bytes(8)
        self._channel.send(to, operation, payload)


def planned(plan: Plan) -> tuple[Recipe, ...]:
    recipes = rehearse(less, (COUNT,), (COUNT,), parties=plan.parties).recipes
    return recipes[:-1] if FAULT == "another list" else recipes


def deal(
    session: DealingSession, channel: Channel, recipes: Sequence[Recipe], sampler: Sampler
) -> None:
    session.deal(Faulty(channel), recipes, sampler)


def dealing_work(pipe: Pipe) -> None:
    work(pipe, DealerPorts(SystemClock(), SystemRandomness(), planned, deal))


if __name__ == "__main__":
    serve(int(sys.argv[1]), dealing_work)
