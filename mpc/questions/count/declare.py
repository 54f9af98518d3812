"""``count``: how many rows, in all or in each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mpc.columns.model import Column
from mpc.layout import Layout
from mpc.questions.declaration import (
    Complaint,
    Declaration,
    by_axes,
    by_complaints,
    count_block,
)


class Count(Declaration):
    """Rows that pass ``where``, whatever else their cells hold. Releases n."""

    kind: Literal["count"]

    def column_names(self) -> tuple[str, ...]:
        return self.by

    def complaints(self, columns: Mapping[str, Column]) -> tuple[Complaint, ...]:
        return by_complaints(self.by, columns)

    def layout(self, columns: Mapping[str, Column]) -> Layout:
        return Layout(axes=by_axes(self.by, columns), term=None, blocks=(count_block(),))
