"""A node's hold on its workers: what it kills is the worker it was given, whatever came before."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc.errors import TransportError
from parties.node import workers
from parties.node.workers import Worker, Zygote

TESTS = Path(__file__).parents[2]


@pytest.fixture
def zygote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zygote]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(TESTS), str(TESTS.parent))))
    made = Zygote("pid_zygote")
    made.wait_ready(60.0)
    yield made
    made.close()


def process_of(worker: Worker) -> int:
    process = worker.pipe.receive(10.0)["process"]
    assert isinstance(process, int)
    return process


def is_gone(process: int) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_zygote_that_was_late_once_gives_its_next_worker_and_no_earlier_one(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    zygote._process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(workers, "FORK_REPLY_S", 0.2)
    for _ in range(2):
        with pytest.raises(TransportError, match="did not fork a worker"):
            zygote.fork()
    zygote._process.send_signal(signal.SIGCONT)
    monkeypatch.setattr(workers, "FORK_REPLY_S", 10.0)
    first, second = zygote.fork(), zygote.fork()
    one, other = process_of(first), process_of(second)
    first.kill()
    assert is_gone(one)
    os.kill(other, 0)  # the other lives until it is killed itself
    second.kill()
    assert is_gone(other)
