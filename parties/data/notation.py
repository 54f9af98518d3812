"""How an owner writes numbers, and such text as exact integers in SQL.

A cast is no check (DuckDB reads '2.5' as 3, '1e3' as 1000, '1_000' as 1000), so text is held to a
regular expression first. Only then its digits are counted off: by a cast where it has few, and
else by cutting it at the grid's unit, with one more digit that says whether anything but zeros was
cut. Nothing is rounded before :mod:`parties.data.rules` rounds to the grid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from parties.data.grid import Grid
from parties.data.sandbox import among, literal

BLANKS = (
    " \t\n\r\f\v\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What does not count at either end of a cell: all that Unicode calls white space."""

NO_BLANKS = "[!-~](?s:.*[!-~])?"
"""Text that surely neither begins nor ends with a blank."""

EXPONENT = "(?:[eE](?:[+]?[0-9]{1,2}|-[0-9]{1,3}))?"
FAST_DIGITS = 18  # of an integer in 64 bits
WORD_MAX = 1 << 61


def trimmed(cell: str) -> str:
    """``cell`` without blanks at its ends. Slow: keep it out of the common path."""
    return f"trim({cell}, {literal(BLANKS)})"


@dataclass(frozen=True)
class Notation:
    """Signs within numbers, and spellings of a missing cell beside the blank one.

    ``whole``: no decimal sign and no exponent. Thousands, if declared, stand in groups of three or
    not at all.
    """

    decimal: str = "."
    thousands: str = ""
    null: tuple[str, ...] = ()
    whole: bool = False

    @property
    def pattern(self) -> str:
        """What a number looks like, blanks removed.

        Exponents go to 99, and below 0 to -999: what would be infinite in floating point is no
        number.
        """
        digits = "[0-9]+"
        if self.thousands:
            digits = f"(?:[0-9]{{1,3}}(?:[{self.thousands}][0-9]{{3}})+|[0-9]+)"
        if self.whole:
            return f"[+-]?{digits}"
        sign = f"[{self.decimal}]"
        return f"[+-]?(?:{digits}(?:{sign}[0-9]*)?|{sign}[0-9]+){EXPONENT}"

    def plain(self, text: str) -> str:
        """A text that matches ``pattern``, in Python's spelling."""
        return text.replace(self.thousands, "").replace(self.decimal, ".")

    def is_number(self, cell: str) -> str:
        """Whether ``cell`` is a number, as SQL; NULL for NULL."""
        quick = regular(cell, self._short(FAST_DIGITS, FAST_DIGITS))
        return f"(CASE WHEN {quick} THEN TRUE ELSE {regular(trimmed(cell), self.pattern)} END)"

    def is_missing(self, cell: str) -> str:
        """Whether ``cell`` is blank or a null marker, as SQL; never NULL."""
        quick = f"WHEN {regular(cell, NO_BLANKS)} THEN {among(cell, self.null)}"
        slow = among(trimmed(cell), ["", *self.null])
        return f"(CASE WHEN {cell} IS NULL THEN TRUE {quick} ELSE {slow} END)"

    def units(self, cell: str, grid: Grid) -> str:
        """``cell`` in units of 10^-scale of ``grid``, as SQL; NULL if it is missing or no number.

        Exact within the bounds: a number between two units lies strictly between their images.
        Beyond the bounds it is some integer beyond them.
        """
        kind = unit_type(grid.low * grid.step, grid.high * grid.step, grid.scale)
        whole = FAST_DIGITS - grid.scale
        cases = []
        markers = [marker for marker in self.null if re.fullmatch(self.pattern, marker)]
        if markers:
            cases.append(f"WHEN {among(cell, markers)} THEN NULL")
        written = cell if self.decimal == "." else f"replace({cell}, {literal(self.decimal)}, '.')"
        few = FAST_DIGITS - 2 * grid.scale  # digits that a DECIMAL's product with 10^scale can hold
        if few >= grid.whole_digits:
            value = f"TRY_CAST({written} AS DECIMAL({FAST_DIGITS}, {grid.scale}))"
            units = f"CAST({value} * {10**grid.scale} AS {kind})"
            cases.append(f"WHEN {regular(cell, self._short(few, grid.scale))} THEN {units}")
        elif whole > 1:
            units = f"CAST(TRY_CAST({written} || 'e{grid.scale}' AS BIGINT) AS {kind})"
            cases.append(f"WHEN {regular(cell, self._short(whole, grid.scale))} THEN {units}")
        if 0 < grid.scale <= FAST_DIGITS:
            many = regular(cell, self._short(FAST_DIGITS, FAST_DIGITS))
            cases.append(f"WHEN {many} THEN {_cut_integer(written, grid, kind)}")
        bare = trimmed(cell)
        number = f"{regular(bare, self.pattern)} AND NOT {among(bare, self.null)}"
        cases.append(f"WHEN {number} THEN {_cut(self._bare(bare), grid, kind)}")
        return f"(CASE {' '.join(cases)} END)"

    def _short(self, whole: int, places: int) -> str:
        """Numbers of few digits, without thousands, exponent and blanks."""
        fraction = "" if self.whole else f"(?:[{self.decimal}][0-9]{{0,{places}}})?"
        return f"[+-]?[0-9]{{1,{whole}}}{fraction}"

    def _bare(self, cell: str) -> str:
        if self.thousands:
            cell = f"replace({cell}, {literal(self.thousands)}, '')"
        if self.decimal != ".":
            cell = f"replace({cell}, {literal(self.decimal)}, '.')"
        return cell


def regular(cell: str, pattern: str) -> str:
    """Whether all of ``cell`` matches."""
    return f"regexp_full_match({cell}, {literal(pattern)})"


def plain_units(text: str, grid: Grid) -> str:
    """``text``, an SQL expression of plain decimal numbers, as :meth:`Notation.units`."""
    kind = unit_type(grid.low * grid.step, grid.high * grid.step, grid.scale)
    return _cut(text, grid, kind)


def unit_type(low: Fraction | int, high: Fraction | int, scale: int) -> str:
    """The integer type that holds units of 10^-scale between ``low`` and ``high``, and doubles."""
    reach = max(abs(int(low * 10**scale)), abs(int(high * 10**scale)))
    return "BIGINT" if reach < WORD_MAX else "HUGEINT"


def _cut_integer(number: str, grid: Grid, kind: str) -> str:
    """As :func:`_cut`, for at most FAST_DIGITS digits on each side of the point: in 128 bits."""
    value = f"TRY_CAST({number} || 'e{FAST_DIGITS}' AS HUGEINT)"
    unit = f"{10 ** (FAST_DIGITS - grid.scale + 1)}::HUGEINT"
    rest = f"{value} % {unit}"
    told = f"CASE WHEN {rest} > 0 THEN 1 WHEN {rest} < 0 THEN -1 ELSE 0 END"
    reach = int(max(abs(grid.low), abs(grid.high)) * grid.step * 10**grid.scale) + 1
    units = f"({value} // {unit}) * 10 + {told}"
    return f"CAST(greatest(least({units}, {reach}::HUGEINT), {-reach}::HUGEINT) AS {kind})"


def _cut(number: str, grid: Grid, kind: str) -> str:
    """A plain number of any length: its digits down to the unit before last, and one that tells.

    With d digits and the point behind the first p of them (leading zeros removed, the exponent
    added), p + scale - 1 digits are kept. The last digit is 1 if a digit cut off was not 0.
    """
    every = (
        f"(regexp_extract({number}, '^[+-]?([0-9]*)', 1) ||"
        f" regexp_extract({number}, '[.]([0-9]*)', 1))"
    )
    digits = f"ltrim({every}, '0')"
    exponent = f"coalesce(TRY_CAST(regexp_extract({number}, '[eE](.*)$', 1) AS INTEGER), 0)"
    point = (
        f"(length(regexp_extract({number}, '^[+-]?([0-9]*)', 1)) + {exponent}"
        f" - length({every}) + length({digits}))"
    )
    kept = f"CAST({point} + {grid.scale - 1} AS INTEGER)"
    rest = f"rtrim(substr({digits}, {kept} + 1), '0')"
    text = (
        f"left(rpad({digits}, {kept}, '0'), {kept}) || CASE WHEN {rest} = '' THEN '0' ELSE '1' END"
    )
    reach = int(max(abs(grid.low), abs(grid.high)) * grid.step * 10**grid.scale) + 1
    size = (
        f"(CASE WHEN {digits} = '' THEN 0::HUGEINT"
        f" WHEN {point} > {grid.whole_digits} THEN {reach}::HUGEINT"
        f" WHEN {kept} < 0 THEN 1::HUGEINT"
        f" ELSE least(CAST(TRY_CAST({text} AS DECIMAL(38, 0)) AS HUGEINT), {reach}::HUGEINT) END)"
    )
    signed = f"(CASE WHEN starts_with({number}, '-') THEN -{size} ELSE {size} END)"
    return f"CAST({signed} AS {kind})"
