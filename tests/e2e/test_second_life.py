"""A node that is started twice on one folder: at another address, or in another container."""

from __future__ import annotations

import socket
import subprocess
import sys

from crash_points import Fate, Point
from federation import Consortium, changed, wait_until

from mpc.ports import ChargeState
from parties.coordinator import driving

RESERVED, COMMITTED = (ChargeState.RESERVED,), (ChargeState.COMMITTED,)


def test_second_life_of_a_node_is_refused_and_the_runs_of_the_first_keep_what_they_hold(
    consortium: Consortium,
) -> None:
    plan, node = consortium.plan(), consortium.node("bravo")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    second = node.directory / "second.yaml"
    second.write_text(changed(node.config.read_text(), {"listen": f"127.0.0.1:{port}"}))
    consortium.crash("bravo", Point.RESERVED, Fate.HELD)
    running = consortium.run_beside(plan)
    consortium.wait_crashed("bravo")
    before = consortium.ledgers()["bravo"]
    command = [sys.executable, "-m", "parties.node.main", str(second)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)
    assert done.returncode == 8
    assert "state: bravo's node runs already" in done.stderr
    assert "Traceback" not in done.stderr
    assert consortium.charges(plan)["bravo"] == RESERVED
    assert consortium.ledgers()["bravo"] == before
    consortium.let_go("bravo")
    assert not running.result(driving.COLLECT_S).repeated
    all_committed = dict.fromkeys(consortium.parties, COMMITTED)
    wait_until(lambda: consortium.charges(plan) == all_committed, 5.0, "all committed")
