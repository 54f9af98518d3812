"""Dealing: every recipe's shares are of what it says, and each party's own are uniform."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_parties import SCOPE, stream_of

from mpc.dealing.arithmetic import Grouping, Product, Quotient, Square, Truncation
from mpc.dealing.bits import BitProduct, Gate, GateMasks, MaskBits, SharedBit
from mpc.dealing.dealer import Dealer
from mpc.dealing.permutation import Permutation
from mpc.dealing.recipe import Dealt, Order, Recipe, Sharing, correction_bytes
from mpc.dealing.streaming import expanded_order
from mpc.dealing.supply import PlannedSupply, Sequenced
from mpc.errors import ContractError, IntegrityError
from mpc.ring.convolution import Convolution
from mpc.ring.planes import Ring
from mpc.ring.products import Bilinear, NumpyProducts

RECIPES: list[Recipe] = [
    Product(Bilinear.ELEMENTWISE, (5,), (3, 5)),
    Product(Bilinear.MATMUL, (4, 6), (6, 2)),
    Square((7, 2)),
    Truncation((65,), 16),
    Grouping(50, 3, weighted=True),
    Grouping(50, 3, weighted=False),
    MaskBits(130, sign=True),
    MaskBits(130, sign=False),
    GateMasks(Gate.NODE, 4, 3),
    GateMasks(Gate.LESS, 1, 3),
    GateMasks(Gate.EQUAL, 4, 3),
    GateMasks(Gate.AND, 1, 2),
    SharedBit(100),
    BitProduct(100, 2),
    Permutation(1, 20, 3),
    Product(Convolution((2,), (1,), (1,)), (2, 3, 7), (4, 3, 3)),
    Quotient((4, 3), 1000),
]


def supplies(parties: int, recipes: list[Recipe]) -> list[PlannedSupply]:
    dealer = Dealer([stream_of(place) for place in range(parties)])
    left = iter(recipes)
    return [
        PlannedSupply(
            place, stream_of(place), recipes, SCOPE,
            (lambda _operation, _size: dealer.corrections(next(left)))
            if place == parties - 1 else None,
        )
        for place in range(parties)
    ]  # fmt: skip


def combined(parts: list[Ring], sharing: Sharing) -> Ring:
    total = parts[0].copy()
    for part in parts[1:]:
        total = total + part if sharing is Sharing.ADDITIVE else total ^ part
    return total


def secrets(recipe: Recipe, dealt: list[Dealt]) -> tuple[list[Ring], list[Ring]]:
    free = [
        combined([each.free[at] for each in dealt], slot.sharing)
        for at, slot in enumerate(recipe.free)
    ]
    derived = [
        combined([each.derived[at] for each in dealt], slot.sharing)
        for at, slot in enumerate(recipe.derived)
    ]
    return free, derived


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_shares_of_every_recipe_are_of_the_functions_it_names(parties: int) -> None:
    ends = supplies(parties, RECIPES)
    for recipe in RECIPES:
        dealt = [supply.take(recipe) for supply in ends]
        free, derived = secrets(recipe, dealt)
        assert [each.shape for each in derived] == [slot.shape for slot in recipe.derived]
        if isinstance(recipe, Permutation):
            (order,) = [each.order for each in dealt if each.order is not None]
            assert sorted(order.tolist()) == list(range(20))
            assert (derived[0] == free[0][order.astype(int)]).all()
            continue
        expected = recipe.derive(free, NumpyProducts())
        assert all((one == other).all() for one, other in zip(derived, expected, strict=True))


def test_truncation_pair_and_product_are_what_arithmetic_says() -> None:
    free, derived = secrets(RECIPES[0], [s.take(RECIPES[0]) for s in supplies(3, RECIPES)])
    assert (derived[0] == free[0] * free[1]).all()
    pair = [RECIPES[3]]
    free, derived = secrets(pair[0], [s.take(pair[0]) for s in supplies(3, pair)])
    for mask, high, top in zip(free[0], derived[0], derived[1], strict=True):
        assert (int(high), int(top)) == (int(mask) >> 16, int(mask) >> 63)


def test_indicator_marks_the_mask_modulo_the_keys() -> None:
    recipe = Grouping(50, 3, weighted=True)
    free, (table, weighted) = secrets(recipe, [s.take(recipe) for s in supplies(2, [recipe])])
    for row, mask in enumerate(free[0]):
        assert table[row].tolist() == [int(key == int(mask) % 8) for key in range(8)]
        assert (weighted[row] == table[row] * free[1][row]).all()


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_each_partys_shares_are_uniform_words_by_themselves(recipe: Recipe) -> None:
    """Mean of all bits within 6 standard deviations of a half: false alarm below 10^-8."""
    for supply in supplies(3, [recipe] * 40):
        words = np.concatenate(
            [
                part.ravel()
                for dealt in [supply.take(recipe) for _ in range(40)]
                for part in (*dealt.free, *dealt.derived)
            ]
        )
        bits = np.unpackbits(words.view(np.uint8))
        assert abs(bits.mean() - 0.5) < 6 * 0.5 / np.sqrt(bits.size)
        assert len(np.unique(words)) == len(words)


def test_comparison_takes_43_bytes_of_dealing_and_a_bit_8_more() -> None:
    """30.125 for the monomials and the sign, 11 and 1.875 for the tree's products."""
    count = 64
    recipes = [MaskBits(count, sign=True), GateMasks(Gate.NODE, 4, 1), GateMasks(Gate.LESS, 1, 1)]
    assert sum(correction_bytes(recipe) for recipe in recipes) == 43 * count
    assert correction_bytes(SharedBit(count)) == 8 * count


def test_permutation_is_known_to_one_party_alone() -> None:
    recipe = Permutation(0, 30, 1)
    orders = [supply.take(recipe).order for supply in supplies(3, [recipe])]
    assert [order is not None for order in orders] == [True, False, False]


class Repeating:
    """Words of which the first draw has two alike."""

    def __init__(self) -> None:
        self.draws = 0

    def words(self, count: int) -> np.ndarray:
        self.draws += 1
        return np.array([5, 7, 5] if self.draws == 1 else [3, 1, 2])[:count]


def test_permutation_is_drawn_again_where_two_words_are_equal() -> None:
    source = Repeating()
    assert expanded_order(source, Order(0, 3)).tolist() == [1, 2, 0]
    assert source.draws == 2


def test_every_permutation_of_4_rows_is_as_likely() -> None:
    """Chi-square over 24 in 48,000 draws of one stream: false alarm 10^-6 (73.9, 23 degrees)."""
    source, seen = stream_of(0, "orders"), np.zeros(256, int)
    for _ in range(48_000):
        seen[int(expanded_order(source, Order(0, 4)) @ np.array([64, 16, 4, 1], np.uint64))] += 1
    assert (seen > 0).sum() == 24
    assert ((seen[seen > 0] - 2000) ** 2 / 2000).sum() < 73.9


def test_every_row_of_a_long_permutation_is_as_likely_at_every_place() -> None:
    """Chi-square of row and place in 64 cells, 200 permutations of 8,000: false alarm 10^-6."""
    source, cells = stream_of(0, "long orders"), np.zeros((8, 8))
    for _ in range(200):
        order = expanded_order(source, Order(0, 8000)).astype(int)
        np.add.at(cells, (np.arange(8000) // 1000, order // 1000), 1)
    # 49 degrees of freedom, since each row and column of cells adds up to what it must: 112.3.
    assert ((cells - 25_000) ** 2 / 25_000).sum() < 112.3


@pytest.mark.parametrize("change", [-8, -1, 1, 8])
def test_material_of_a_wrong_size_is_refused(change: int) -> None:
    recipe = Square((4,))
    supply = PlannedSupply(
        1, stream_of(1), [recipe], SCOPE, lambda _operation, size: bytes(size + change)
    )
    with pytest.raises(IntegrityError, match="the dealer sent"):
        supply.take(recipe)


def test_recipe_outside_the_plan_is_refused_before_a_word_is_drawn() -> None:
    first, second = Square((4,)), Square((5,))
    (supply, *_others) = supplies(2, [first, second])
    with pytest.raises(ContractError, match="deals no"):
        supply.take(second)
    untouched = PlannedSupply(0, stream_of(0), [second], SCOPE, None)
    assert (untouched.take(second).free[0] == stream_of(0).words(5).view(np.uint64)).all()


def test_plan_that_is_used_up_deals_no_more() -> None:
    supply = PlannedSupply(0, stream_of(0), [Square((4,))], SCOPE, None)
    supply.take(Square((4,)))
    with pytest.raises(ContractError, match="deals no"):
        supply.take(Square((4,)))


def test_step_of_a_dealing_is_named_by_all_recipes_before_it() -> None:
    one, other = Sequenced(SCOPE), Sequenced(SCOPE)
    assert one.next(Square((4,))) == other.next(Square((4,)))
    one.next(Square((1,)))
    other.next(Square((2,)))
    assert one.next(Square((4,))) != other.next(Square((4,)))
    assert Sequenced(b"another session").next(Square((4,))) != Sequenced(SCOPE).next(Square((4,)))


def test_dealer_deals_to_two_or_more() -> None:
    with pytest.raises(ContractError, match="two or more"):
        Dealer([stream_of(0)])
