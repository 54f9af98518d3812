"""What the kernel opens is uniform, once, agreed on by all; nothing else can be opened."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from kernel_parties import NAMES, joined, run, run_ends

from mpc.dealing.arithmetic import Square, Truncation
from mpc.errors import ContractError, IntegrityError, ParleyError, PeerError, SecretMisuseError
from mpc.protocols.compare import both, less, negative
from mpc.protocols.multiply import multiply, square
from mpc.protocols.order import shuffled, sort
from mpc.protocols.rehearsal import Rehearsal
from mpc.protocols.shares import SharedBits, SharedWords, plus
from mpc.testing.network import Fault, FaultKind, seeded_fault

RNG = np.random.default_rng(20261201)
CANARY = 0x5EC12E7
"""Shows in the low half of a word wherever it stands in clear."""


def test_a_mask_hides_one_value_once() -> None:
    def program(c: Any, x: Any) -> Any:
        (mask,) = c.draw(Square(x.shape)).masks
        mask.hide(x)
        with pytest.raises(SecretMisuseError, match="once"):
            mask.hide(x)
        return x

    run(program, np.arange(3))


def test_a_mask_of_another_shape_or_kind_hides_nothing() -> None:
    def program(c: Any, x: Any) -> Any:
        (mask,) = c.draw(Square(x.shape)).masks
        with pytest.raises(ContractError):
            mask.hide(x[:2])
        with pytest.raises(ContractError):
            mask.hide_planes(np.zeros(3, np.uint64))
        return x

    run(program, np.arange(3))


@pytest.mark.parametrize("program", [multiply, less])
def test_what_is_opened_of_a_constant_is_uniform(program: Any) -> None:
    """Bits of every opened word: within 6 standard deviations of a half, false alarm 10^-8."""
    numbers = np.full(4096, CANARY)
    ran = run(program, numbers, numbers)
    for opened in ran.opened[NAMES[0]].values:
        bits = np.unpackbits(np.frombuffer(opened, np.uint8))
        assert abs(bits.mean() - 0.5) < 6 * 0.5 / np.sqrt(bits.size)


def test_no_message_between_parties_holds_an_input() -> None:
    numbers = np.full(256, CANARY)
    for program in (multiply, less):
        for message in run(program, numbers, numbers).network.seen:
            assert CANARY.to_bytes(8, "little") not in message.payload


def test_parties_record_the_same_openings() -> None:
    numbers = RNG.integers(-9, 9, 200)
    for program in (less, multiply):
        opened = run(program, numbers, numbers).opened
        assert len({tuple(each.values) for each in opened.values()}) == 1


def test_order_of_shuffled_keys_is_the_same_for_all_tables_of_one_shuffle() -> None:
    """With one shuffle, a table and its reverse open different orders; ties and none alike."""
    rows = 300
    constant = run(sort, np.zeros(rows, np.int64), np.zeros((rows, 1), np.int64), seed="s")
    ascending = run(sort, np.arange(rows), np.zeros((rows, 1), np.int64), seed="s")
    assert constant.costs == ascending.costs
    # Equal keys are ordered by row, as ascending ones: nothing tells the two tables apart.
    bits = [
        [value for value in each.opened[NAMES[0]].values if len(value) % 8]
        for each in (constant, ascending)
    ]
    assert bits[0] == bits[1]


def test_shares_show_their_shape_alone_and_are_not_copied() -> None:
    share = SharedWords(np.array([CANARY], np.uint64))
    assert repr(share) == str(share) == "<SharedWords of shape (1,)>"
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(SecretMisuseError):
            copying(share)


def test_shares_take_no_plain_number_by_accident() -> None:
    share = SharedWords(np.zeros(2, np.uint64))
    for wrong in (3, np.ones(2), [1, 2]):
        with pytest.raises(ContractError):
            share + wrong  # type: ignore[operator]
    with pytest.raises(ContractError, match="uint64"):
        SharedWords(np.zeros(2))  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="uint64"):
        share.times(np.ones(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [0, 1])
def test_public_words_that_would_change_a_shares_shape_are_refused_at_every_party(
    place: int,
) -> None:
    share = SharedWords(np.zeros((1, 3), np.uint64))
    for shape in ((3,), (1,), (1, 1), ()):
        assert plus(share, np.ones(shape, np.uint64), place).shape == (1, 3)
    for shape in ((2, 3), (1, 1, 3)):
        with pytest.raises(ContractError, match="not added"):
            plus(share, np.ones(shape, np.uint64), place)


@pytest.mark.parametrize("sizes", [(100, 101), (65, 128)])
def test_bits_of_unlike_counts_are_not_joined_though_they_fill_as_many_words(
    sizes: tuple[int, int],
) -> None:
    one, other = (SharedBits(np.zeros(2, np.uint64), size) for size in sizes)
    with pytest.raises(ContractError, match="of one size"):
        both(Rehearsal(3), one, other)


def test_party_one_step_ahead_is_caught_at_the_next_message() -> None:
    def program(c: Any, x: Any) -> Any:
        return multiply(c, x, x) if c.place != 1 else square(c, x)

    ends, *_ = run_ends(program, np.arange(4), planned=lambda place, recipes: (
        (Square((4,)),) if place == 1 else recipes
    ))  # fmt: skip
    assert not ends.values
    assert all(isinstance(error, PeerError | IntegrityError) for error in ends.errors.values())


def test_parties_that_compared_other_pairs_of_keys_open_no_order() -> None:
    def program(c: Any, keys: Any) -> Any:
        mixed = shuffled(c, keys, keys.reshape(-1, 1))
        places = np.arange(8)
        return mixed.below(c, places, np.roll(places, 2 if c.place == 1 else 1))

    ends, _, opened, *_ = run_ends(program, np.arange(8), wait_s=0.5)
    assert not ends.values
    assert all(isinstance(error, PeerError | IntegrityError) for error in ends.errors.values())
    assert not any(len(value) == 8 and max(value) <= 1
                   for each in opened.values() for value in each.values)  # fmt: skip


def test_shapes_that_disagree_stop_the_session_before_a_word_is_used() -> None:
    def program(c: Any, x: Any) -> Any:
        return negative(c, x if c.place else x[:64])

    ends, _, opened, *_ = run_ends(program, np.arange(128), wait_s=0.5)
    assert isinstance(ends.errors[NAMES[0]], PeerError)
    for late in NAMES[1:3]:
        assert isinstance(ends.errors[late], ContractError)
    assert not any(each.values for each in opened.values())


def test_party_takes_nothing_that_the_plan_does_not_name() -> None:
    def program(c: Any, x: Any) -> Any:
        c.draw(Truncation(x.shape, 3))

    ends, _, opened, _, network = run_ends(
        program, np.arange(4), planned=lambda _place, _recipes: ()
    )
    assert all(isinstance(error, ContractError) for error in ends.errors.values())
    assert len(ends.errors) == 3
    assert network.seen == []
    assert not any(each.values for each in opened.values())


FAULTS = [FaultKind.DROP, FaultKind.SWAP, FaultKind.REPEAT, FaultKind.CUT]


@pytest.mark.parametrize("seed", range(60))
def test_fault_of_the_network_ends_in_the_right_answer_or_in_an_error_that_names_a_party(
    seed: int,
) -> None:
    fault = seeded_fault(seed, [*FAULTS, FaultKind.DELAY], NAMES[:3], 4)
    numbers = np.arange(-40, 40)
    ends, *_ = run_ends(less, numbers, numbers[::-1], faults=[fault], wait_s=0.5)
    if fault.kind in (FaultKind.DELAY, FaultKind.REPEAT) and not ends.errors:
        assert (joined(list(ends.values.values())) == (numbers < numbers[::-1])).all()
        return
    assert fault.kind is not FaultKind.DELAY
    assert ends.errors
    for error in ends.errors.values():
        assert isinstance(error, ParleyError)
        assert error.party in NAMES


def test_word_that_was_turned_on_the_way_shows_in_what_parties_recorded() -> None:
    """The channel is authenticated; if it were not, the parties' records would differ."""
    fault = Fault(FaultKind.TAMPER, NAMES[0], NAMES[1], 0)
    _, _, opened, *_ = run_ends(less, np.arange(64), np.arange(64), faults=[fault])
    assert opened[NAMES[1]].values[0] != opened[NAMES[2]].values[0]
