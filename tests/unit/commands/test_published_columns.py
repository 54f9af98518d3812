"""Published columns in words, for coordinators who write scenarios."""

from __future__ import annotations

import pytest

from parties.coordinator.surveying import Fields, column_text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"type": "number", "bounds": ["0", "120"], "required": True},
            "number from 0 to 120, no cell missing",
        ),
        (
            {"type": "number", "bounds": ["0", "5"], "step": "0.5"},
            "number from 0 to 5 in steps of 0.5, cells may be missing",
        ),
        (
            {"type": "text", "levels": ["F", "M"], "required": False},
            "text: F, M, cells may be missing",
        ),
        ({"type": "number", "bounds": None}, "number, cells may be missing"),
    ],
)
def test_column_is_told_with_type_limits_and_whether_cells_may_be_missing(
    fields: Fields, words: str
) -> None:
    assert column_text(fields) == words
