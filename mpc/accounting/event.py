"""What a release adds and what it costs: one frozen object, from which both follow.

A charge prices the very event whose noise is drawn, so epsilon and sigma cannot disagree. An
event says what is done, never how; its meaning never changes (a new mechanism is a new class).
All arithmetic is exact, or rounded against us: prices up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction

from mpc.accounting.convolution import check_near_gaussian, gaussian_sum_excess
from mpc.canonical import Plain, Record, canonical_bytes
from mpc.errors import IntegrityError
from mpc.units import PARTIES_MAX, PARTIES_MIN, RHO_UNIT, DeltaAtto, RhoPico

SIZE_MAX = 1_000_000  # integers of one event
BLOCKS_MAX = 1_000
NUMBER_BITS_MAX = 512  # of a sensitivity, or of a variance's numerator or denominator


@dataclass(frozen=True)
class NoiseBlock:
    """``size`` coordinates of one noise scale, released or searched together.

    One unit of privacy changes what is looked at of the block by at most ``sensitivity_squared`` in
    squared L2 norm (ring units): all of it where it is released, one node of each tree where it is
    a level of a search, whichever node earlier noise leads to (adaptive composition: Bun and
    Steinke 2016, Lemma 2.3). ``variance`` is V*: the noise on each coordinate that must remain when
    the coalition has taken its own away.
    """

    size: int
    sensitivity_squared: int
    variance: Fraction

    def __post_init__(self) -> None:
        if not 1 <= self.size <= SIZE_MAX:
            raise ValueError(f"a noise block has 1 to {SIZE_MAX} coordinates")
        if self.sensitivity_squared < 1 or self.variance <= 0:
            raise ValueError("a noise block has a positive sensitivity and a positive variance")
        numbers = (self.sensitivity_squared, self.variance.numerator, self.variance.denominator)
        if max(number.bit_length() for number in numbers) > NUMBER_BITS_MAX:
            raise ValueError(f"a noise block's numbers have at most {NUMBER_BITS_MAX} bits")


@dataclass(frozen=True)
class NoiseEvent:
    """Each of ``parties`` adds its own exact discrete Gaussian to every coordinate.

    Up to ``coalition`` parties may pool what they know with the coordinator, so each adds
    V*/(n - t) and the released sum carries n V*/(n - t).
    """

    blocks: tuple[NoiseBlock, ...]
    parties: int
    coalition: int

    def __post_init__(self) -> None:
        if not PARTIES_MIN <= self.parties <= PARTIES_MAX:
            raise ValueError(f"a noise event has {PARTIES_MIN} to {PARTIES_MAX} parties")
        if not 1 <= self.coalition < self.parties:
            raise ValueError("a coalition is at least one party and leaves at least one out")
        if not 1 <= len(self.blocks) <= BLOCKS_MAX:
            raise ValueError(f"a noise event has 1 to {BLOCKS_MAX} blocks")
        if self.size > SIZE_MAX:
            raise ValueError(f"a noise event has at most {SIZE_MAX} coordinates")

    @property
    def size(self) -> int:
        """Coordinates of all blocks, in the order of the released vector."""
        return sum(block.size for block in self.blocks)

    @property
    def honest(self) -> int:
        """n - t: parties whose noise is promised to stay unknown."""
        return self.parties - self.coalition

    def party_variance(self, block: NoiseBlock) -> Fraction:
        """Variance that each single party adds: V*/(n - t)."""
        return block.variance / self.honest

    def total_variance(self, block: NoiseBlock) -> Fraction:
        """Variance of the released sum: n V*/(n - t)."""
        return self.party_variance(block) * self.parties

    def to_plain(self) -> Plain:
        """Canonical form; numbers that may be large are text."""
        return {
            "parties": self.parties,
            "coalition": self.coalition,
            "blocks": [
                {
                    "size": block.size,
                    "sensitivity_squared": str(block.sensitivity_squared),
                    "variance": f"{block.variance.numerator}/{block.variance.denominator}",
                }
                for block in self.blocks
            ],
        }

    def canonical(self) -> bytes:
        """The bytes a ledger keeps of what it charged."""
        return canonical_bytes(self.to_plain())

    @classmethod
    def from_plain(cls, plain: Plain) -> NoiseEvent:
        """The event that ``to_plain`` spelled. Raises IntegrityError on anything else."""
        record = Record(plain, "a noise event", ("parties", "coalition", "blocks"))
        try:
            event = cls(
                blocks=tuple(map(_read_block, record.items("blocks", 1, BLOCKS_MAX))),
                parties=record.integer("parties", PARTIES_MIN, PARTIES_MAX),
                coalition=record.integer("coalition", 1, PARTIES_MAX),
            )
        except (ValueError, ZeroDivisionError):
            raise IntegrityError("a noise event has numbers that none can have") from None
        if event.to_plain() != plain:
            raise IntegrityError("a noise event is not in canonical form")
        return event


def _read_block(plain: Plain) -> NoiseBlock:
    record = Record(plain, "a noise block", ("size", "sensitivity_squared", "variance"))
    return NoiseBlock(
        size=record.integer("size", 1, SIZE_MAX),
        sensitivity_squared=int(record.text("sensitivity_squared", NUMBER_BITS_MAX)),
        variance=Fraction(record.text("variance", NUMBER_BITS_MAX)),
    )


def price(event: NoiseEvent) -> tuple[RhoPico, DeltaAtto]:
    """What ``event`` costs one unit of privacy against its coalition, rounded up.

    rho = sum over blocks of sensitivity^2 / (2 V*): exact for one honest party (Canonne, Kamath
    and Steinke 2020, Theorem 4, for each coordinate; divergences of independent coordinates add).
    With more honest parties the sum of discrete Gaussians is only nearly one, and the excess of
    Kairouz, Liu and Steinke 2021, Proposition 14, is added. No delta: the sampler is exact.
    Raises PlanRefusal if the noise is too narrow for that bound to be negligible.
    """
    if event.honest > 1:
        check_near_gaussian(_variances(event), event.honest)
    return rho_against(event, event.coalition), DeltaAtto(0)


def rho_against(event: NoiseEvent, pooled: int) -> RhoPico:
    """rho, rounded up, when exactly ``pooled`` < n parties take their own noise away."""
    left = event.parties - pooled
    exact = Fraction(0)
    for block in event.blocks:
        exact += Fraction(block.sensitivity_squared) / (2 * left * event.party_variance(block))
    excess = gaussian_sum_excess(_variances(event), left)
    with localcontext() as context:
        context.prec = 80
        context.rounding = ROUND_CEILING
        pico = Decimal(exact.numerator * RHO_UNIT) / exact.denominator + excess * RHO_UNIT
        return RhoPico(int(pico.to_integral_value(rounding=ROUND_CEILING)))


def _variances(event: NoiseEvent) -> list[tuple[int, Fraction]]:
    """Coordinates and the variance of each party's own noise, block by block."""
    return [(block.size, event.party_variance(block)) for block in event.blocks]
