"""Strict reading of canonical objects from outside."""

from __future__ import annotations

import pytest

from mpc.canonical import Plain, Record
from mpc.errors import IntegrityError


def record(value: Plain) -> Record:
    return Record({"field": value}, "a thing", ("field",))


@pytest.mark.parametrize("value", [None, [], "text", {}, {"field": 1, "more": 2}, {"other": 1}])
def test_object_without_exactly_its_fields_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing does not have exactly the fields field"):
        Record(value, "a thing", ("field",))


@pytest.mark.parametrize("value", [None, 5, True, "", "x" * 11, "a\nb", "\x1b[2J", ["a"]])
def test_field_that_is_no_printable_text_within_its_limit_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing: field is not text"):
        record(value).text("field", 10)


@pytest.mark.parametrize("value", [None, 5, "x" * 11, ["a"]])
def test_field_that_is_no_text_within_its_limit_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing: field is not text of at most 10"):
        record(value).free_text("field", 10)


@pytest.mark.parametrize("value", [None, "5", True, False, -1, 11])
def test_field_that_is_no_integer_within_its_limits_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing: field is not an integer from 0 to 10"):
        record(value).integer("field", 0, 10)


@pytest.mark.parametrize("value", [None, 5, "", "0", "00" * 3, "0G", "AB", "a b", " ab", "ａb"])
def test_field_that_is_no_lower_case_hex_of_its_size_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing: field is not 1 to 2 bytes"):
        record(value).octets("field", 1, 2)


@pytest.mark.parametrize("value", [None, "ab", {}, [], [1, 2, 3]])
def test_field_that_is_no_list_of_its_length_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing: field is not a list of 1 to 2"):
        record(value).items("field", 1, 2)


@pytest.mark.parametrize("value", [["aa", None], ["aa", ""], ["aa", "aabbcc"], ["aa", "AA"]])
def test_list_with_an_entry_that_is_no_hex_of_its_size_is_refused(value: Plain) -> None:
    with pytest.raises(IntegrityError, match="a thing: an entry of field is not 1 to 2 bytes"):
        record(value).octet_items("field", 1, 2, 2)


def test_good_fields_are_read_as_they_are() -> None:
    assert record("é").text("field", 1) == "é"
    assert record("").free_text("field", 1) == ""
    assert record("a\n").free_text("field", 2) == "a\n"
    assert record(10).integer("field", 0, 10) == 10
    assert record("00ff").octets("field", 1, 2) == b"\x00\xff"
    assert record([1]).items("field", 1, 2) == [1]
    assert record(["aa", "00ff"]).octet_items("field", 1, 2, 2) == (b"\xaa", b"\x00\xff")
    assert record({"any": None}).plain("field") == {"any": None}
    assert record("ab" * 32).digest("field") == "ab" * 32


def test_refusal_does_not_echo_what_was_given() -> None:
    with pytest.raises(IntegrityError) as caught:
        record("canary-4711").octets("field", 32, 32)
    assert "canary" not in str(caught.value)
