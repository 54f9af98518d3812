"""Which rows of a person count, as SQL: chosen by that person's rows alone, whatever the files say.

A rank within each person's rows that pass the filter, and, where fewer count in one group, another
within each group of those. The order is that of :class:`mpc.table.model.BoundedTable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc.study.model import FirstBy, PersonUnit
from parties.data.sandbox import identifier

KEY_SIZE = 32
_BLOCK_SIZE = 64  # of SHA-256
# No column of a study can be called so.
_PASSES, _ORDER, _PLACE, _GROUP_PLACE = (
    identifier(f"#{name}") for name in ("passes", "order", "place", "group place")
)


@dataclass(frozen=True)
class People:
    """The persons of a relation of bounded columns. ``columns``: those in use, in study order.

    Raises ValueError if rows are to be kept by hash and ``key`` is not of KEY_SIZE bytes.
    """

    unit: PersonUnit
    columns: Sequence[str]
    key: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.unit.keep, FirstBy) and len(self.key) != KEY_SIZE:
            raise ValueError(f"to keep rows by hash takes a key of {KEY_SIZE} bytes")

    def ranked(self, bounded: str, kept: str) -> tuple[str, str]:
        """``bounded`` with a rank, and which of its rows count: everybody's first ``rows_max``.

        ``kept``: whether a row passes the study's filter.
        """
        who = identifier(self.unit.column)
        passing = f"SELECT *, ({kept} AND {who} IS NOT NULL) AS {_PASSES}"
        if not isinstance(self.unit.keep, FirstBy):
            passing += f", {self._hashed()} AS {_ORDER}"
        rank = f"row_number() OVER (PARTITION BY {who}, {_PASSES} ORDER BY {self._order()})"
        relation = f"(SELECT *, {rank} AS {_PLACE} FROM ({passing} FROM {bounded}))"
        return relation, f"({_PASSES} AND {_PLACE} <= {self.unit.rows_max})"

    def ranked_in_groups(self, ranked: str, counted: str, labels: Sequence[str]) -> tuple[str, str]:
        """The same of what :meth:`ranked` gave: everybody's first ``group_rows`` in each group.

        ``labels``: what tells groups apart.
        """
        if self.unit.group_rows == self.unit.rows_max:
            return ranked, counted
        parts = ", ".join((identifier(self.unit.column), counted, *labels))
        rank = f"row_number() OVER (PARTITION BY {parts} ORDER BY {self._order()})"
        relation = f"(SELECT *, {rank} AS {_GROUP_PLACE} FROM {ranked})"
        return relation, f"({counted} AND {_GROUP_PLACE} <= {self.unit.group_rows})"

    def _order(self) -> str:
        if not isinstance(self.unit.keep, FirstBy):
            return _ORDER
        names = dict.fromkeys((self.unit.keep.first_by, *self.columns))
        return ", ".join(f"{identifier(name)} ASC NULLS LAST" for name in names)

    def _hashed(self) -> str:
        """HMAC-SHA-256 (RFC 2104) of the row and the id, in hex."""
        cells = [
            f"coalesce(CAST({identifier(name)} AS VARCHAR), '') || ','" for name in self.columns
        ]
        text = " || ".join((*cells, identifier(self.unit.column)))
        padded = self.key.ljust(_BLOCK_SIZE, b"\0")
        inner, outer = (
            f"unhex('{bytes(byte ^ pad for byte in padded).hex()}')" for pad in (0x36, 0x5C)
        )
        return f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"
