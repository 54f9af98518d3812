"""Masks over all pairs: they sum to zero, and no n - 2 parties know another's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from seeded_randomness import SeededRandomness

from mpc.errors import SecretMisuseError
from mpc.ring.words import add
from mpc.session.keys import EphemeralKey, KeySchedule
from mpc.session.streams import Stream
from mpc.session.zero_sharing import ZeroSharing
from mpc.units import PartyId, SessionId

OPERATION = b"operation-------"
Words = NDArray[np.int64]


class Parties:
    """Key schedules and zero-sharings of ``count`` parties; the same twice for the same seed."""

    def __init__(self, count: int, seed: int = 0) -> None:
        randomness = SeededRandomness(f"zero/{seed}/{count}")
        self.names = tuple(PartyId(f"party-{i}") for i in range(count))
        ephemeral = {name: EphemeralKey(randomness) for name in self.names}
        publics = {name: key.public for name, key in ephemeral.items()}
        session = SessionId(randomness.random_bytes(32))
        self.keys = {
            name: KeySchedule(
                name, session, ephemeral[name], {n: p for n, p in publics.items() if n != name}
            )
            for name in self.names
        }
        self.sharings = [ZeroSharing(name, self.names, self.keys[name]) for name in self.names]

    def masks(self, count: int, operation: bytes = OPERATION) -> list[Words]:
        return [sharing.fresh(operation, count) for sharing in self.sharings]


def known_part(parties: Parties, victim: int, coalition: Sequence[int], count: int) -> Words:
    """What ``coalition`` knows of the victim's mask: every stream that one of it draws as well."""
    total = np.zeros(count, dtype=np.uint64)
    me = parties.names[victim]
    for other in coalition:
        name = parties.names[other]
        first, second = (me, name) if victim < other else (name, me)
        stream = parties.keys[name].stream(b"parley/zero/v1", first, second, OPERATION)
        words = stream.words(count).view(np.uint64)
        total = total + words if victim < other else total - words
    return total.view(np.int64)


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_masks_sum_to_zero_over_all_parties_and_over_no_fewer(count: int) -> None:
    """Some proper subset summing to zero by chance: below 2^16 · 2^-(64·8)."""
    masks = Parties(count).masks(8)
    assert not add(masks).any()
    assert all(add(masks[:size]).all() for size in range(1, count))


def test_every_operation_has_its_own_mask() -> None:
    parties = Parties(3)
    first, second = parties.masks(8), parties.masks(8, b"another operation")
    assert not add(second).any()
    assert all((a != b).all() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("again", [8, 5])
def test_second_mask_for_one_operation_is_refused(again: int) -> None:
    sharing = Parties(3).sharings[0]
    sharing.fresh(OPERATION, 8)
    with pytest.raises(SecretMisuseError, match="once"):
        sharing.fresh(OPERATION, again)


@pytest.mark.parametrize("count", [0, -1, (1 << 32) + 1])
def test_impossible_count_is_refused_and_uses_nothing_up(count: int) -> None:
    sharing = Parties(3).sharings[0]
    with pytest.raises(SecretMisuseError, match="1 to 2"):
        sharing.fresh(OPERATION, count)
    with pytest.raises(SecretMisuseError, match="has an operation"):
        sharing.fresh(b"", 4)
    sharing.fresh(OPERATION, 4)


@pytest.mark.parametrize("names", [(), ("party-0",), ("party-1", "party-2"), ("party-0",) * 2])
def test_one_party_alone_shares_no_zero(names: tuple[str, ...]) -> None:
    parties = Parties(3)
    with pytest.raises(SecretMisuseError, match="two or more parties, this one included"):
        ZeroSharing(parties.names[0], tuple(map(PartyId, names)), parties.keys[parties.names[0]])


def test_stock_crypten_ring_lets_two_neighbours_read_the_party_between() -> None:
    """The attack on CrypTen 0.4.1 (mpc/primitives/arithmetic.py, PRZS): mask_i = own stream minus
    the next one's, party i knowing both. Parties 1 and 3 of four open a *sum*, and have x_0."""
    secrets = [np.array([value], dtype=np.int64) for value in (471, 10, 20, 30)]
    seeds = [bytes([i]) * 32 for i in range(4)]

    def draw(seed: bytes) -> Words:
        return Stream(seed).words(1)

    shares = [add([secrets[i], draw(seeds[i]), -draw(seeds[(i + 1) % 4])]) for i in range(4)]
    assert int(add(shares)[0]) == 531  # a correct sum

    known = {3: (seeds[3], seeds[0]), 1: (seeds[1], seeds[2])}  # what each holds by the protocol
    recovered = add([shares[0], -draw(known[3][1]), draw(known[1][0])])

    assert int(recovered[0]) == 471


def test_the_same_neighbours_learn_nothing_here() -> None:
    """What 1 and 3 lack is one whole stream, between 0 and 2, whose key they do not have."""
    size, secret = 20_000, 471
    parties = Parties(4)
    masks = parties.masks(size)
    view = add([np.full(size, secret, dtype=np.int64), masks[0]])

    residual = add([view, -known_part(Parties(4), 0, (1, 3), size)])

    assert not (residual == secret).any()  # by chance below 10^-15
    assert_uniform(residual)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_every_coalition_that_leaves_two_honest_lacks_exactly_what_these_two_share(
    count: int,
) -> None:
    for honest in itertools.combinations(range(count), 2):
        coalition = [i for i in range(count) if i not in honest]
        masks = Parties(count).masks(500)
        left = [add([masks[i], -known_part(Parties(count), i, coalition, 500)]) for i in honest]
        assert not add(left).any()  # they cancel only together: the sum is all there is to learn
        assert left[0].all()
        assert left[1].all()


def test_all_but_one_know_the_mask_and_hence_only_the_sum() -> None:
    """With n - 1 pooling, an honest party's summand is the sum minus theirs: inherent in a sum,
    and why each party's noise must suffice alone."""
    masks = Parties(4).masks(10)
    assert np.array_equal(masks[2], known_part(Parties(4), 2, (0, 1, 3), 10))


def assert_uniform(words: Words) -> None:
    """Chi-square of the bytes against uniform, 255 degrees of freedom; false alarm 10^-9, and the
    seed is fixed. The bound is its 1 - 10^-9 quantile."""
    counts = np.bincount(words.view(np.uint8), minlength=256)
    expected = counts.sum() / 256
    assert ((counts - expected) ** 2 / expected).sum() < 414.6


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_each_mask_is_uniform(count: int) -> None:
    for mask in Parties(count).masks(20_000):
        assert_uniform(mask)
