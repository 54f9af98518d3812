"""Errors as users and programs meet them: codes that mean one thing, and the README's table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mpc.errors import (
    Fault,
    FileFaults,
    IntegrityError,
    ParleyError,
    PeerError,
    PlanRefusal,
    PolicyRefusal,
)
from mpc.ring.words import from_bytes
from parties.problems import as_problem, from_problem, whereabouts
from parties.report.verify import ReceiptRefused

README = Path(__file__).parents[2] / "README.md"


def kinds(base: type[ParleyError] = ParleyError) -> list[type[ParleyError]]:
    return [base, *(each for sub in base.__subclasses__() for each in kinds(sub))]


KINDS = [kind for kind in kinds() if kind.__module__ == "mpc.errors"]


def table() -> dict[str, int]:
    """The README's letters of codes, and the exit code of each."""
    rows = re.findall(r"^\| (\d+) \|.*\|([^|]*PLY-[^|]*)\|$", README.read_text(), re.M)
    found = {letter: int(code) for code, cell in rows for letter in re.findall(r"PLY-(\w)", cell)}
    assert len(found) > 10
    return found


def test_a_code_belongs_to_one_kind_of_error() -> None:
    counted = Counter(kind.code for kind in (*KINDS, ReceiptRefused))
    assert {code for code, count in counted.items() if count > 1} == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_ends_a_command_as_the_readme_says(kind: type[ParleyError]) -> None:
    assert re.fullmatch(r"PLY-[A-Z]\d{3}", kind.code)
    assert table()[kind.code[4]] == kind.exit_code
    assert not issubclass(kind, RuntimeError)
    assert kind.who_acts
    assert kind.__doc__


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_is_the_same_at_the_other_end_of_a_call(kind: type[ParleyError]) -> None:
    if issubclass(kind, FileFaults):
        sent: ParleyError = kind("study.yaml", (Fault(kind.code, "id", "is missing"),))
    elif kind is PlanRefusal:
        sent = PlanRefusal("mean_age", "has no bounds")
    elif kind in (PolicyRefusal, PeerError):
        sent = kind("alpha", "says no")
    else:
        sent = kind("does not hold", party="alpha")
    received = from_problem(**as_problem(sent) | {"party": "alpha"})
    assert received.party == "alpha"
    assert received.what == sent.what
    theirs = isinstance(sent, FileFaults | PlanRefusal)  # a file here is right; a party refused it
    assert type(received) is (PolicyRefusal if theirs else kind)


def test_an_unexpected_error_says_where_it_was_and_nothing_of_what_it_says() -> None:
    with pytest.raises(ValueError, match="buffer") as raised:
        np.frombuffer(b"secret", dtype="<i8")
    assert whereabouts(raised.value) == "ValueError at no line of Parley"
    with pytest.raises(ValueError, match="words") as raised:
        from_bytes(b"secret")
    where = whereabouts(raised.value)
    assert re.fullmatch(r"ValueError at mpc/ring/words\.py:\d+", where)
    assert as_problem(raised.value) == {
        "code": "PLY-X000",
        "message": "unexpected error; see this node's log",
        "party": "",
    }


def test_words_from_elsewhere_are_one_line_of_bounded_length_about_a_party_or_none() -> None:
    received = from_problem("PLY-N002", "lost\nhint: \x1b[2Jtrust me" + "!" * 9000, "a\x1b[31m")
    assert received.party == ""
    assert received.what.startswith("lost; hint: \ufffd[2Jtrust me!")
    assert len(received.what) <= 2010


def test_a_party_is_named_once_however_often_an_error_is_passed_on() -> None:
    first = IntegrityError("its READY is of another plan", party="bravo")
    second = from_problem(**as_problem(first))
    third = from_problem(**as_problem(second))
    assert third.message == "bravo: its READY is of another plan"
    assert str(third) == f"PLY-G001: {third.message}"
