"""A dealer's zygote whose workers crash just before or after they deal, where a file says."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crash_points import DEALER_FOLDER, Point, reach

from mpc.dealing.recipe import Recipe, Sampler
from mpc.ports import Channel
from mpc.session.dealing import DIGEST_SIZE, DealingSession
from mpc.units import PartyId
from parties.dealer.worker import system_ports, work
from parties.worker.forking import serve
from parties.worker.pipe import Pipe


class Crashing:
    """The dealer's channel, which may crash at its first correction."""

    def __init__(self, channel: Channel, folder: Path) -> None:
        self._channel = channel
        self._folder = folder
        self.own, self.peers, self.close = channel.own, channel.peers, channel.close
        self.receive, self.receive_upto = channel.receive, channel.receive_upto

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        if len(payload) > DIGEST_SIZE:
            reach(Point.CORRECT, self._folder)
        self._channel.send(to, operation, payload)


def deal(
    session: DealingSession, channel: Channel, recipes: Sequence[Recipe], sampler: Sampler
) -> None:
    folder = Path(os.environ[DEALER_FOLDER])
    reach(Point.DEAL, folder)
    session.deal(Crashing(channel, folder), recipes, sampler)
    reach(Point.DEALT, folder)


def crashing_work(pipe: Pipe) -> None:
    work(pipe, replace(system_ports(), deal=deal))


if __name__ == "__main__":
    serve(int(sys.argv[1]), crashing_work)
