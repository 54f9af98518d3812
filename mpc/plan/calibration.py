"""Noise calibrated to a study's budget: how much of it each statistic gets, and who makes it.

From the study and its layouts alone, exact to the last digit. What all of it costs stays within the
study's rho; which of the allowed noises is least is said by :mod:`mpc.plan.noises`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from mpc.accounting.event import Noise, NoiseBlock, NoiseEvent, price
from mpc.errors import PlanRefusal
from mpc.layout import Block, Layout
from mpc.plan.budget import block_rho, sensitivity_squared, split_rho
from mpc.plan.model import PlannedBlock
from mpc.plan.noises import least, possible, sampling_affordable
from mpc.plan.proof import check_range, noise_bound
from mpc.study.model import Study
from mpc.units import RHO_UNIT, DeltaAtto, RhoPico

_PRICE_ATTEMPTS_MAX = 4


@dataclass(frozen=True)
class Calibrated:
    """All blocks with their noise, by question, and what the event that they make costs."""

    blocks: Mapping[str, tuple[PlannedBlock, ...]]
    event: NoiseEvent
    rho: RhoPico
    delta: DeltaAtto

    @property
    def largest(self) -> int:
        """What no released integer reaches."""
        return max(b.sum_max + b.noise_max for blocks in self.blocks.values() for b in blocks)


@dataclass(frozen=True)
class Calibration:
    """What noise is sought for: a study's ``layouts``, with ``coalition`` parties that may pool."""

    study: Study
    layouts: Mapping[str, Layout]
    coalition: int

    @property
    def allowed(self) -> tuple[Noise, ...]:
        """The noises that the study allows: each party's own alone if it does not say."""
        return self.study.privacy.noises or (Noise.OWN,)

    def within(self, budget: RhoPico) -> Calibrated:
        """The least noise that the study allows; no joint one if so many samples would be off.

        Raises PlanRefusal, naming the question, if none keeps ``budget`` or can be made.
        """
        privacy = self.study.privacy
        found = self._of(self.allowed, budget)
        if sampling_affordable(found.delta, privacy.epsilon, privacy.delta):
            return found
        others = tuple(noise for noise in self.allowed if noise is not Noise.JOINT)
        if not others:
            raise PlanRefusal(
                "",
                "joint noise of so many numbers would be too far from exact at this epsilon and"
                " delta",
                hint="allow own or dealt noise too (privacy.noises), or ask for fewer numbers",
            )
        return self._of(others, budget)

    def _of(self, allowed: tuple[Noise, ...], budget: RhoPico) -> Calibrated:
        """Noise whose price, corrections and rounding included, is at most ``budget``.

        If t < n - 1 the price exceeds the sum of its parts a little, so try again with that taken
        off.
        """
        target = budget
        for _ in range(_PRICE_ATTEMPTS_MAX):
            found = self._priced(allowed, target)
            if found.rho <= budget:
                return found
            target = RhoPico(target - (found.rho - budget))
        raise PlanRefusal("", "the price of the noise does not fit the study's budget")

    def _priced(self, allowed: tuple[Noise, ...], budget: RhoPico) -> Calibrated:
        study = self.study
        blocks: dict[str, tuple[PlannedBlock, ...]] = {}
        for name, rho in split_rho(study.questions, budget).items():
            blocks[name] = self.blocks(name, rho, allowed)
            for block in blocks[name]:
                _check_noise(name, block, len(study.parties), self.coalition)
                check_range(name, self.layouts[name], block, study.table.columns)
        event = NoiseEvent(
            blocks=tuple(
                NoiseBlock(
                    size=block.cells,
                    sensitivity_squared=block.sensitivity_squared,
                    variance=block.variance,
                    noise=block.noise,
                )
                for planned in blocks.values()
                for block in planned
            ),
            parties=len(study.parties),
            coalition=self.coalition,
        )
        rho, delta = price(event)
        return Calibrated(blocks=blocks, event=event, rho=rho, delta=delta)

    def blocks(
        self, question: str, rho: RhoPico, allowed: tuple[Noise, ...]
    ) -> tuple[PlannedBlock, ...]:
        """The blocks of ``question`` if it costs ``rho``, each with the least noise of ``allowed``.

        Raises PlanRefusal below a pico-rho a block. Whether the noise can be made, and fits the
        ring, is not looked at.
        """
        layout = self.layouts[question]
        part = block_rho(question, rho, len(layout.blocks))
        return tuple(self._block(allowed, layout, block, part) for block in layout.blocks)

    def _block(
        self, allowed: tuple[Noise, ...], layout: Layout, block: Block, rho: RhoPico
    ) -> PlannedBlock:
        """V* = sensitivity^2 / (2 rho), made by whom the study allows and adds least."""
        study, coalition = self.study, self.coalition
        parties, size = len(study.parties), layout.cells * block.nodes
        squared = sensitivity_squared(
            block, layout.cells, study.table.unit, parties, study.privacy.adjacency
        )
        variance = Fraction(squared * RHO_UNIT, 2 * rho)
        noise = least(allowed, size, variance, parties, coalition)
        one = NoiseBlock(size, squared, variance, noise)
        event = NoiseEvent((one,), parties, coalition)
        noises = event.remaining(one, 0)
        return PlannedBlock(
            block=block,
            cells=size,
            sensitivity_squared=squared,
            rho=rho,
            variance=variance,
            party_variance=event.party_variance(one),
            noises=noises,
            sum_max=sum(entry.rows_max for entry in study.parties.values()) * block.value_max,
            noise_max=noise_bound(sum(noises, Fraction(0))),
            noise=noise,
        )


def _check_noise(question: str, block: PlannedBlock, parties: int, coalition: int) -> None:
    """The noise that was chosen can be made: the least of the allowed, or none of them can."""
    if possible(block.noise, block.cells, block.variance, parties, coalition):
        return
    if block.noise is Noise.OWN:
        raise PlanRefusal(
            question,
            f"the noise of one party on {block.name} would have a standard deviation below 2, too "
            f"little for {parties - coalition} honest parties to add up to a discrete Gaussian",
            hint="leave privacy.coalition out (all but one), or lower epsilon",
        )
    raise PlanRefusal(
        question,
        f"{block.name} cannot have {block.noise.value} noise: its standard deviation would be "
        f"{float(block.variance) ** 0.5:.3g}",
        hint="allow own noise too: privacy.noises; joint noise has a deviation of 20 at most",
    )
