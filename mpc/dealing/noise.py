"""Dealt noise: shares of discrete Gaussians that the dealer samples, and that nobody else knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mpc.dealing.recipe import Sampler, Sharing, Slot
from mpc.ring.planes import Ring
from mpc.ring.words import encode


@dataclass(frozen=True)
class GaussianNoise:
    """No free secret; derived ``count`` exact discrete Gaussians of ``variance``, sampled afresh.

    Whoever pools what the dealer and one party know has the samples from nobody: the dealer's word
    alone keeps them, as it keeps every mask.
    """

    count: int
    variance: Fraction

    @property
    def free(self) -> tuple[Slot, ...]:
        return ()

    @property
    def derived(self) -> tuple[Slot, ...]:
        return (Slot(Sharing.ADDITIVE, (self.count,)),)

    def derive_sampled(self, sampler: Sampler) -> Sequence[Ring]:
        """Fresh samples as ring words."""
        return (encode(list(sampler(self.count, self.variance))).view("uint64"),)
