"""What a release adds and what it costs: one frozen object, from which both follow.

A charge prices the very event whose noise is drawn, so epsilon and sigma cannot disagree. An
event says what is done, never how; its meaning never changes (a new mechanism is a new
:class:`Noise`). All arithmetic is exact, or rounded against us: prices up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

from mpc.accounting.convolution import Summed, check_near_gaussian, gaussian_sum_excess
from mpc.accounting.joint import JOINT_VARIANCE_MAX, sampling_error
from mpc.canonical import Plain, Record, canonical_bytes
from mpc.errors import IntegrityError, PlanRefusal
from mpc.units import DELTA_UNIT, PARTIES_MAX, PARTIES_MIN, RHO_UNIT, DeltaAtto, RhoPico

SIZE_MAX = 1_000_000  # integers of one event
BLOCKS_MAX = 1_000
NUMBER_BITS_MAX = 512  # of a sensitivity, or of a variance's numerator or denominator


class Noise(StrEnum):
    """Who makes a block's noise. n parties, t of them pool what they know, V* must be left.

    * own: each party draws V*/(n - t) for its own share. No round, nobody else is trusted; the sum
      carries n V*/(n - t).
    * dealt: each party draws V*/n, and the dealer deals shares of V* t/n. No online round; the sum
      carries (1 + t/n) V*. The dealer with t parties leaves (n - t) V*/n.
    * joint: one discrete Gaussian of V*, sampled on shares from bits that are every party's own
      together. Rounds, and V* alone whatever n. The dealer with one party reads it.
    """

    OWN = "own"
    DEALT = "dealt"
    JOINT = "joint"


@dataclass(frozen=True)
class NoiseBlock:
    """``size`` coordinates of one noise scale, released or searched together.

    One unit of privacy changes what is looked at of the block by at most ``sensitivity_squared`` in
    squared L2 norm (ring units): all of it where it is released, one node of each tree where it is
    a level of a search, whichever node earlier noise leads to (adaptive composition: Bun and
    Steinke 2016, Lemma 2.3). ``variance`` is V*: the noise on each coordinate that must remain when
    the coalition has taken its own away. ``noise`` says who makes it.
    """

    size: int
    sensitivity_squared: int
    variance: Fraction
    noise: Noise = Noise.OWN

    def __post_init__(self) -> None:
        if not 1 <= self.size <= SIZE_MAX:
            raise ValueError(f"a noise block has 1 to {SIZE_MAX} coordinates")
        if self.sensitivity_squared < 1 or self.variance <= 0:
            raise ValueError("a noise block has a positive sensitivity and a positive variance")
        numbers = (self.sensitivity_squared, self.variance.numerator, self.variance.denominator)
        if max(number.bit_length() for number in numbers) > NUMBER_BITS_MAX:
            raise ValueError(f"a noise block's numbers have at most {NUMBER_BITS_MAX} bits")
        if self.noise is Noise.JOINT and self.variance > JOINT_VARIANCE_MAX:
            raise ValueError(f"joint noise has a variance of at most {JOINT_VARIANCE_MAX}")


@dataclass(frozen=True)
class NoiseEvent:
    """Exact discrete Gaussians on every coordinate, made by whom each block says.

    Up to ``coalition`` parties may pool what they know with the coordinator.
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

    def party_variance(self, block: NoiseBlock) -> Fraction:
        """Variance that each single party draws for its own share; 0 of joint noise."""
        if block.noise is Noise.JOINT:
            return Fraction(0)
        if block.noise is Noise.DEALT:
            return block.variance / self.parties
        return block.variance / (self.parties - self.coalition)

    def dealer_variance(self, block: NoiseBlock) -> Fraction:
        """Variance that the dealer adds: V* t/n of dealt noise, else 0."""
        if block.noise is not Noise.DEALT:
            return Fraction(0)
        return block.variance * self.coalition / self.parties

    def total_variance(self, block: NoiseBlock) -> Fraction:
        """Variance of the released sum."""
        return sum(self.remaining(block, 0), Fraction(0))

    def remaining(
        self, block: NoiseBlock, pooled: int, *, dealer: bool = False
    ) -> tuple[Fraction, ...]:
        """Variances of the independent noises that ``pooled`` parties cannot take away.

        With the ``dealer`` among them nothing of joint noise is left once a party is: the masks
        that the dealer knows hide it from that party alone.
        """
        if block.noise is Noise.JOINT:
            return () if dealer and pooled else (block.variance,)
        own = (self.party_variance(block),) * (self.parties - pooled)
        dealt = self.dealer_variance(block)
        return own if dealer or not dealt else (*own, dealt)

    def to_plain(self) -> Plain:
        """Canonical form; numbers that may be large are text."""
        return {
            "parties": self.parties,
            "coalition": self.coalition,
            "blocks": [_block_plain(block) for block in self.blocks],
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


def _block_plain(block: NoiseBlock) -> Plain:
    plain: dict[str, Plain] = {
        "size": block.size,
        "sensitivity_squared": str(block.sensitivity_squared),
        "variance": f"{block.variance.numerator}/{block.variance.denominator}",
    }
    return plain if block.noise is Noise.OWN else {**plain, "noise": block.noise.value}


def _read_block(plain: Plain) -> NoiseBlock:
    fields = ("size", "sensitivity_squared", "variance")
    is_own = not (isinstance(plain, dict) and "noise" in plain)
    record = Record(plain, "a noise block", fields if is_own else (*fields, "noise"))
    return NoiseBlock(
        size=record.integer("size", 1, SIZE_MAX),
        sensitivity_squared=int(record.text("sensitivity_squared", NUMBER_BITS_MAX)),
        variance=Fraction(record.text("variance", NUMBER_BITS_MAX)),
        noise=Noise.OWN if is_own else Noise(record.text("noise", NUMBER_BITS_MAX)),
    )


def price(event: NoiseEvent) -> tuple[RhoPico, DeltaAtto]:
    """What ``event`` costs one unit of privacy against its coalition, rounded up.

    rho = sum over blocks of sensitivity^2 / (2 V*): exact where one noise is left (Canonne, Kamath
    and Steinke 2020, Theorem 4, for each coordinate; divergences of independent coordinates add).
    A sum of several discrete Gaussians is only nearly one, and the excess of Kairouz, Liu and
    Steinke 2021, Proposition 14, is added. delta is how far joint samples may be from exact ones,
    in total variation over all coordinates (:func:`mpc.accounting.joint.sampling_error`); own and
    dealt noise is exact and costs none. Raises PlanRefusal if noises are too narrow for their
    excess to be negligible.
    """
    left = _left(event, event.coalition)
    check_near_gaussian(left)
    rho = rho_against(event, event.coalition)
    if rho is None:
        raise PlanRefusal("", "no noise is left against the coalition that the study allows")
    errors = sum(
        (b.size * sampling_error(b.variance) for b in event.blocks if b.noise is Noise.JOINT),
        Fraction(0),
    )
    return rho, DeltaAtto(-(-errors.numerator * DELTA_UNIT // errors.denominator))


def rho_against(event: NoiseEvent, pooled: int, *, dealer: bool = False) -> RhoPico | None:
    """rho, rounded up, when exactly ``pooled`` < n parties, and the ``dealer`` or not, take away
    what they know of the noise. None if nothing is left of a block's."""
    left = _left(event, pooled, dealer=dealer)
    exact = Fraction(0)
    for block, (_, variances) in zip(event.blocks, left, strict=True):
        if not variances:
            return None
        exact += Fraction(block.sensitivity_squared) / (2 * sum(variances, Fraction(0)))
    excess = gaussian_sum_excess(left)
    with localcontext() as context:
        context.prec = 80
        context.rounding = ROUND_CEILING
        pico = Decimal(exact.numerator * RHO_UNIT) / exact.denominator + excess * RHO_UNIT
        return RhoPico(int(pico.to_integral_value(rounding=ROUND_CEILING)))


def _left(event: NoiseEvent, pooled: int, *, dealer: bool = False) -> list[Summed]:
    """Coordinates and what is left of each one's noise, block by block."""
    return [(b.size, event.remaining(b, pooled, dealer=dealer)) for b in event.blocks]
