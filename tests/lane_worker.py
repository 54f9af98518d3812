"""One party of a lane as a process of its own, for tests that kill or freeze it.

Reads one order (JSON) from standard input: own id, key, roster, tag, lane. Says its address, reads
everyone's, connects, and then exchanges a message with each peer again and again. Each line it
prints is one JSON object; the last one says why it ended.
"""

from __future__ import annotations

import json
import sys
import time
from typing import NoReturn

from lane_federation import LANES

from mpc.errors import ParleyError, PeerError
from mpc.roster import Roster
from mpc.units import PartyId
from parties.channel import PeerChannel
from parties.listening import LaneSettings, Port
from parties.waiting import ChannelLimits

STEP = b"round and round!"


def say(**what: object) -> None:
    print(json.dumps({**what, "at": time.time()}), flush=True)


def exchange(channel: PeerChannel, payload: bytes) -> NoReturn:
    while True:
        for peer in channel.peers:
            channel.send(peer, STEP, payload)
        for peer in channel.peers:
            channel.receive(peer, STEP, len(payload))
        time.sleep(0.01)


def main() -> None:
    order = json.loads(sys.stdin.readline())
    roster = Roster.from_plain(order["roster"])
    listener = LANES[order["lane"]](
        roster.member(order["own"]),
        order["key"].encode(),
        Port("127.0.0.1", (0, 0)),
        LaneSettings(limits=ChannelLimits(wait_s=60, close_s=2)),
    )
    say(address=listener.address)
    addresses = {PartyId(key): value for key, value in json.loads(sys.stdin.readline()).items()}
    try:
        # Left by closing: ended before its STOP went out, this party would be named for the other's
        # silence.
        with listener.connect(roster, bytes.fromhex(order["tag"]), addresses, 20) as channel:
            say(connected=list(channel.peers))
            exchange(channel, bytes(order["bytes"]))
    except PeerError as error:
        say(lost=error.party, message=str(error))
    except ParleyError as error:
        say(lost=None, message=str(error))


main()
