"""Parties that die or freeze, as real processes: the others stop and name them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lane_federation import LANES, Federation

WORKER = Path(__file__).parents[1] / "lane_worker.py"


class Workers:
    """A connected lane of three processes."""

    def __init__(self, lane: str, payload_bytes: int) -> None:
        federation = Federation(3)
        self.names = [party.member.id for party in federation.parties]
        self.processes = []
        for party in federation.parties:
            process = subprocess.Popen(
                [sys.executable, WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(WORKER.parents[1])},
            )
            self.processes.append(process)
            order = {
                "own": party.member.id,
                "key": party.tls_key_pem.decode(),
                "roster": federation.roster.to_plain(),
                "tag": federation.session_tag.hex(),
                "bytes": payload_bytes,
                "lane": lane,
            }
            self.tell(process, order)
        addresses = {
            name: self.heard(process)["address"]
            for name, process in zip(self.names, self.processes, strict=True)
        }
        for process in self.processes:
            self.tell(process, addresses)
        for process in self.processes:
            assert "connected" in self.heard(process)

    @staticmethod
    def tell(process: subprocess.Popen[str], message: object) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()

    @staticmethod
    def heard(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        heard: dict[str, Any] = json.loads(process.stdout.readline())
        return heard

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(params=[64, 4 << 20], ids=["small", "large"])
def payload_bytes(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


@pytest.fixture(params=sorted(LANES))
def workers(request: pytest.FixtureRequest, payload_bytes: int) -> Iterator[Workers]:
    running = Workers(request.param, payload_bytes)
    time.sleep(0.3)  # some rounds
    yield running
    running.close()


@pytest.mark.parametrize("victim", [0, 2])
def test_a_killed_party_is_named_at_once_by_both_others(workers: Workers, victim: int) -> None:
    at = time.time()
    workers.processes[victim].kill()
    for index, process in enumerate(workers.processes):
        if index != victim:
            end = workers.heard(process)
            assert end["lost"] == workers.names[victim]
            assert end["at"] - at < 2
            assert process.wait(5) == 0


@pytest.mark.parametrize("victim", [1])
def test_a_frozen_party_is_named_within_ten_seconds_by_both_others(
    workers: Workers, victim: int
) -> None:
    at = time.time()
    workers.processes[victim].send_signal(signal.SIGSTOP)
    for index, process in enumerate(workers.processes):
        if index != victim:
            end = workers.heard(process)
            assert end["lost"] == workers.names[victim]
            assert end["at"] - at < 10
            assert process.wait(5) == 0


def test_a_party_that_wakes_up_after_the_others_stopped_stops_too(workers: Workers) -> None:
    workers.processes[1].send_signal(signal.SIGSTOP)
    assert workers.heard(workers.processes[0])["lost"] == workers.names[1]
    workers.processes[1].send_signal(signal.SIGCONT)
    assert workers.heard(workers.processes[1])["lost"] in {workers.names[0], workers.names[2]}
