"""Messages between a node and its worker: each comes back the same, anything else is refused."""

from __future__ import annotations

import socket

import pytest

from mpc.canonical import Plain
from mpc.errors import IntegrityError, PeerError, StudyAborted
from mpc.units import PARTICIPANTS_MAX, PartyId
from parties.problems import as_problem
from parties.worker.messages import (
    Alive,
    Committed,
    Confirmation,
    Connect,
    Entered,
    Failed,
    Listening,
    Report,
    read_report,
)
from parties.worker.pipe import Pipe

REPORTS: tuple[Report, ...] = (
    Alive(),
    Listening("[::1]:7001", b"{}", True),
    Confirmation(bytes(32)),
    Entered("compute"),
    Committed(),
    Failed(as_problem(StudyAborted("over"))),
    Failed(as_problem(ValueError("its words stay")), "ValueError at mpc/ring/words.py:50"),
    Failed(as_problem(PeerError("bravo", "line one\nline two"))),
)
CONNECT = Connect({PartyId("alpha"): "127.0.0.1:7001"}, (b"{}", b"[]"), bytes(32), False)


@pytest.mark.parametrize("report", REPORTS, ids=repr)
def test_report_crosses_the_pipe_unchanged(report: Report) -> None:
    node, worker = (Pipe(end) for end in socket.socketpair())
    with node, worker:
        worker.send(report)
        assert read_report(node.receive(5)) == report


def test_connect_crosses_the_pipe_unchanged() -> None:
    node, worker = (Pipe(end) for end in socket.socketpair())
    with node, worker:
        node.send(CONNECT)
        assert Connect.from_plain(worker.receive(5)) == CONNECT


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"odd": True},
        {"alive": False},
        {"committed": 1},
        {"committed": True, "stage": "compute"},
        {"listening": True, "address": "host:1"},
        {"listening": True, "address": 5, "hello": "7b7d"},
        {"listening": "yes", "address": "host:1", "hello": "7b7d"},
        {"confirmation": "ab"},
        {"stage": ""},
        {"stage": ["compute"]},
        {"problem": "broken"},
        {"problem": {"code": "PLY-X", "message": "text"}},
        {"problem": {"code": "PLY-X", "message": "x" * 2001, "party": ""}},
        CONNECT.to_plain(),  # a node's word, not a worker's
    ],
)
def test_unknown_or_malformed_report_is_refused(plain: dict[str, Plain]) -> None:
    with pytest.raises(IntegrityError):
        read_report(plain)


@pytest.mark.parametrize(
    "edit",
    [
        {"addresses": ["127.0.0.1:7001"]},
        {"addresses": {"alpha": 7001}},
        {"addresses": {"alpha": "x" * 301}},
        {"addresses": {f"party-{n}": "host:1" for n in range(PARTICIPANTS_MAX)}},
        {"hellos": "7b7d"},
        {"hellos": ["7b7d"] * (PARTICIPANTS_MAX + 1)},
        {"hellos": ["not hex"]},
        {"confirmation": "ab" * 31},
        {"more": 1},
    ],
)
def test_malformed_connect_is_refused(edit: dict[str, Plain]) -> None:
    with pytest.raises(IntegrityError):
        Connect.from_plain({**CONNECT.to_plain(), **edit})
