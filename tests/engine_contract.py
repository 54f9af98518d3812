"""What every engine must do. Party 0 runs the engine under test, the others the reference."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from joint_release import OPENING, SilentSource, funded_ledger, terms, zero_masks
from seeded_randomness import SeededRandomness

from mpc.accounting.event import NoiseBlock, NoiseEvent
from mpc.errors import SecretMisuseError
from mpc.privacy.budget import Budget
from mpc.privacy.noise import add_noise
from mpc.privacy.sampler import DiscreteGaussian, NoiseSource
from mpc.protocols.shares import SharedWords, stacked
from mpc.ring.words import add, decode
from mpc.secret.engine import Engine, RingVector
from mpc.secret.reference import ReferenceEngine, ZeroMasks
from mpc.secret.sealed import BoundedStatistic, NoisedStatistic

EDGES = [0, 1, -1, 2**62 - 1, 1 - 2**62, 2**53 + 1, -(2**53) - 1, 123_456_789_012_345_678]


class EngineContract:
    """Subclass it, and make the engine from this party's masks."""

    def make(self, masks: ZeroMasks) -> Engine:
        raise NotImplementedError

    def engines(self, parties: int, seed: int = 1) -> list[Engine]:
        first, *others = zero_masks(parties, SeededRandomness(seed))
        return [self.make(first), *(ReferenceEngine(masks) for masks in others)]

    @staticmethod
    def noised(
        engine: Engine, sums: list[int], parties: int, source: NoiseSource | None = None
    ) -> NoisedStatistic:
        event = NoiseEvent((NoiseBlock(len(sums), 1, Fraction(50)),), parties, parties - 1)
        secret = engine.share_sum(BoundedStatistic.of(sums, event))
        charge = Budget(funded_ledger()).charge(secret, terms())
        return add_noise(secret, charge, source or SilentSource(), engine)

    def shares(self, sums: list[list[int]]) -> list[RingVector]:
        parties = len(sums)
        return [
            engine.masked_share(self.noised(engine, own, parties), OPENING)
            for engine, own in zip(self.engines(parties), sums, strict=True)
        ]

    @pytest.mark.parametrize("parties", [2, 3, 5])
    def test_shares_add_up_to_the_exact_total(self, parties: int) -> None:
        sums = [EDGES] + [[own] * len(EDGES) for own in range(1, parties)]
        total = add(self.shares(sums))
        assert total.dtype == np.int64
        others = sum(range(1, parties))
        wrapped = [(edge + others + 2**63) % 2**64 - 2**63 for edge in EDGES]
        assert decode(total) == wrapped

    def test_a_share_is_one_dimension_of_ring_words_and_shows_nothing_of_the_sums(self) -> None:
        share = self.shares([[0] * 1000, [0] * 1000])[0]
        assert share.dtype == np.int64
        assert share.shape == (1000,)
        assert len(set(share.tolist())) == 1000

    def test_noise_is_added_exactly(self) -> None:
        first, second = self.engines(2)
        source = DiscreteGaussian(SeededRandomness("contract"))
        again = DiscreteGaussian(SeededRandomness("contract"))
        parts = [
            first.masked_share(self.noised(first, [10] * 20, 2, source), OPENING),
            second.masked_share(self.noised(second, [5] * 20, 2), OPENING),
        ]
        expected = [15 + noise for noise in again.draw(20, Fraction(50))]
        assert decode(add(parts)) == expected

    def test_every_opening_has_a_fresh_mask(self) -> None:
        engine = self.engines(2)[0]
        noised = self.noised(engine, [3] * 50, 2)
        first = engine.masked_share(noised, OPENING)
        second = engine.masked_share(noised, b"another opening.")
        assert not (first == second).any()

    def test_one_opening_gives_one_mask_only(self) -> None:
        engine = self.engines(2)[0]
        noised = self.noised(engine, [3] * 5, 2)
        engine.masked_share(noised, OPENING)
        with pytest.raises(SecretMisuseError):
            engine.masked_share(noised, OPENING)

    def test_two_sums_have_unrelated_masks(self) -> None:
        engine = self.engines(2)[0]
        one = engine.masked_share(self.noised(engine, [3] * 50, 2), OPENING)
        two = engine.masked_share(self.noised(engine, [3] * 50, 2), b"another opening.")
        assert not (one == two).any()

    def test_what_is_computed_of_a_noised_share_adds_up_to_the_same_of_the_total(self) -> None:
        sums = [EDGES, [7] * len(EDGES), [-9] * len(EDGES)]

        def program(own: SharedWords) -> SharedWords:
            return stacked([own[:2] + own[3:5], own[5:6].times(3)])

        shares = []
        for engine, own in zip(self.engines(3), sums, strict=True):
            noised = self.noised(engine, own, 3)
            derived = engine.postprocess(noised, program)
            assert (derived.size, derived.run, derived.event) == (3, noised.run, noised.event)
            shares.append(engine.masked_share(derived, OPENING))
        first, second, *others = [edge - 2 for edge in EDGES]
        wanted = [first + others[1], second + others[2], 3 * others[3]]
        assert decode(add(shares)) == [(each + 2**63) % 2**64 - 2**63 for each in wanted]
        assert all(share.shape == (3,) and len(set(share.tolist())) == 3 for share in shares)

    def test_what_is_derived_is_a_vector(self) -> None:
        engine = self.engines(2)[0]
        noised = self.noised(engine, [3] * 4, 2)
        with pytest.raises(SecretMisuseError, match="vector"):
            engine.postprocess(noised, lambda own: own.reshape(2, 2))

    def test_no_engine_reveals(self) -> None:
        engine = self.engines(2)[0]
        public = {name for name in dir(engine) if not name.startswith("_")}
        assert not public & {"reveal", "get_plain_text", "open", "decrypt", "plain"}
