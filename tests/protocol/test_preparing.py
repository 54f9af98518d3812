"""A run prepared beforehand: computed without a dealer, on the material of this run alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from dealt_federation import DEALER, run_dealt
from prepared_federation import Kept, PreparedFederation

from mpc.dealing import delivery
from mpc.dealing.arithmetic import Square
from mpc.dealing.delivery import KeptCorrections
from mpc.dealing.recipe import correction_bytes
from mpc.errors import ContractError, IntegrityError, SecretMisuseError
from mpc.protocols.compare import less
from mpc.protocols.rehearsal import rehearse
from mpc.session.agreement import Agreement, Phase
from mpc.session.dealing import dealt_supply
from mpc.session.establish import make_hello
from mpc.session.preparing import Material, MaterialTerms, prepared_supply
from mpc.testing.network import together
from mpc.units import PartyId, PlanDigest, RunId

VALUES = np.array([5, -7, 0, 12, -(2**40)], np.int64)
OTHERS = np.array([6, -7, -1, 12, 2**40], np.int64)
RECIPES = rehearse(less, VALUES.shape, OTHERS.shape).recipes
FIRST, SECOND, THIRD = (PartyId(f"party-{number}") for number in (1, 2, 3))


@pytest.fixture
def parties() -> PreparedFederation:
    return PreparedFederation()


# --- what it is for --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 5])
def test_parties_compute_without_a_dealer_what_they_compute_with_one(count: int) -> None:
    parties = PreparedFederation(count)
    recipes = rehearse(less, VALUES.shape, OTHERS.shape, parties=count).recipes

    ran = parties.compute(parties.prepare(recipes), less, VALUES, OTHERS)

    streamed = run_dealt(less, VALUES, OTHERS, parties=count)
    assert (ran.output() == streamed.output()).all()
    assert (ran.output() == (VALUES < OTHERS)).all()
    assert ran.costs == streamed.costs
    assert DEALER not in {end for m in ran.network.seen for end in (m.sender, m.receiver)}


def test_preparing_opens_nothing_and_sends_corrections_to_the_last_party_alone(
    parties: PreparedFederation,
) -> None:
    ends, network = parties.prepare_ends(RECIPES)

    kept = ends.all()
    due = sum(correction_bytes(recipe) for recipe in RECIPES)
    assert [sum(map(len, kept[party].parts)) for party in parties.parties] == [0, 0, due]
    between = [m for m in network.seen if DEALER not in (m.sender, m.receiver)]
    assert len(between) == 3 * 2 * 3  # a Hello, a confirmation, a hash of the recipes


def test_a_prepared_run_costs_one_round_of_ids_more_than_its_openings(
    parties: PreparedFederation,
) -> None:
    ran = parties.compute(parties.prepare(RECIPES), less, VALUES, OTHERS)
    ran.ends.all()

    rounds = rehearse(less, VALUES.shape, OTHERS.shape).cost.rounds
    assert len(ran.network.seen) == 3 * 2 * (2 + 1 + rounds)


def test_every_party_holds_one_id_that_ready_says_and_keys_of_its_own(
    parties: PreparedFederation,
) -> None:
    kept = parties.prepare(RECIPES)
    parties.compute(kept, less, VALUES, OTHERS).ends.all()

    ids = {each.taken().material.terms.id for each in kept.values()}
    assert {session.material for session in parties.sessions.values()} == ids
    assert len(ids) == 1
    keys = {each.taken().material.stream().octets(32) for each in kept.values()}
    assert len(keys) == 3


def test_preparing_a_run_again_gives_other_material(parties: PreparedFederation) -> None:
    one, other = parties.prepare(RECIPES), parties.prepare(RECIPES)
    for party in parties.parties:
        first, second = one[party].taken().material, other[party].taken().material
        assert first.terms.id != second.terms.id
        assert first.stream().octets(64) != second.stream().octets(64)


# --- wrong material is refused ---------------------------------------------------------------


def refused(parties: PreparedFederation, kept: dict[PartyId, Kept], who: PartyId) -> str:
    """The error of ``who`` in a run on ``kept``; nobody opened anything."""
    ran = parties.compute(kept, less, VALUES, OTHERS, wait_s=0.5)
    assert not ran.ends.values
    assert set(ran.ends.errors) == set(parties.parties)
    assert all(cost.rounds == 0 for cost in ran.costs.values())
    return str(ran.ends.errors[who])


def test_another_partys_material_is_refused_before_anything_is_opened(
    parties: PreparedFederation,
) -> None:
    kept = parties.prepare(RECIPES)
    kept[SECOND] = kept[FIRST]
    assert "party-2: its prepared material is another party's" in refused(parties, kept, SECOND)


def test_another_runs_material_is_refused_before_anything_is_opened(
    parties: PreparedFederation,
) -> None:
    kept = parties.prepare(RECIPES)
    parties.approvals = parties.approved()
    error = refused(parties, kept, FIRST)
    assert "party-1: its prepared material is another run's" in error


def test_material_for_other_recipes_is_refused_before_anything_is_opened(
    parties: PreparedFederation,
) -> None:
    kept = parties.prepare([*RECIPES, Square((3,))])
    error = refused(parties, kept, THIRD)
    assert "party-3: its prepared material is of other recipes" in error


def test_another_plans_material_is_refused() -> None:
    due = MaterialTerms(bytes(32), RunId("a" * 64), PlanDigest("b" * 64), FIRST, bytes(32))
    with pytest.raises(IntegrityError, match="party-1: its prepared material is another plan's"):
        replace(due, plan_digest=PlanDigest("c" * 64)).check(due)


@pytest.mark.parametrize("odd", [FIRST, SECOND, THIRD])
def test_who_kept_an_earlier_preparation_of_the_run_is_named_by_everyone_before_any_opening(
    parties: PreparedFederation, odd: PartyId
) -> None:
    earlier, kept = parties.prepare(RECIPES), parties.prepare(RECIPES)
    kept[odd] = earlier[odd]
    for party in parties.parties:
        error = refused(parties, dict(kept), party)
        assert f"{odd}: it holds other prepared material than everybody else" in error


def test_parties_who_take_the_plan_for_another_prepare_nothing(parties: PreparedFederation) -> None:
    ends, network = parties.prepare_ends(
        RECIPES, planned=lambda who: RECIPES[:-1] if who == SECOND else RECIPES, wait_s=0.5
    )
    assert not ends.values
    assert all("party-2: its plan deals other" in str(error) for error in ends.errors.values())
    assert not [m for m in network.seen if m.sender == DEALER and len(m.payload) > 4096]


def test_corrections_that_are_short_or_cut_otherwise_stop_the_last_party(
    parties: PreparedFederation,
) -> None:
    kept = parties.prepare(RECIPES)
    whole = kept[THIRD].parts
    for parts in (whole[:-1], (whole[0][:-8], *whole[1:]), whole[1:]):
        kept[THIRD] = replace(kept[THIRD], parts=parts)
        ran = parties.compute(kept, less, VALUES, OTHERS, wait_s=0.5)
        assert "kept corrections are not those of the recipes" in str(ran.ends.errors[THIRD])
        assert not ran.ends.values


def test_kept_corrections_of_any_size_are_put_together_from_their_parts() -> None:
    size = 2 * delivery.PART_BYTES + 5
    data = bytes(range(256)) * (size // 256 + 1)
    cuts = range(0, size, delivery.PART_BYTES)
    parts = [data[start : min(start + delivery.PART_BYTES, size)] for start in cuts]
    corrections = KeptCorrections(iter([*parts, b"12345678"]))
    assert corrections(b"", size) == data[:size]
    assert corrections(b"", 0) == b""
    assert corrections(b"", 8) == b"12345678"


# --- phases never meet -----------------------------------------------------------------------


def test_hellos_of_one_phase_are_refused_in_another(parties: PreparedFederation) -> None:
    federation = parties.federation
    preparing = federation.meeting(phase=Phase.PREPARING, approvals=parties.approvals)
    whole = federation.meeting(approvals=parties.approvals)
    said = preparing.said
    said[1] = whole.hellos[SECOND].data
    with pytest.raises(IntegrityError, match="party-2: its Hello is refused: it has another prot"):
        preparing.hellos[FIRST].agree(said, b"")
    prepared = federation.meeting(phase=Phase.PREPARED, approvals=parties.approvals)
    with pytest.raises(IntegrityError, match="5 Hellos where the session has 4"):
        prepared.hellos[FIRST].agree(said, b"")


def test_the_dealer_has_no_part_in_a_prepared_run(parties: PreparedFederation) -> None:
    federation = parties.federation
    agreement = federation.meeting(phase=Phase.PREPARED, approvals=parties.approvals).agreement
    assert agreement.linked == parties.parties
    with pytest.raises(IntegrityError, match="dealer: it has no part in this phase"):
        make_hello(
            agreement, DEALER, federation.participant(DEALER).sign, federation.randomness
        )  # fmt: skip


def test_nothing_is_computed_in_a_preparing_session_nor_prepared_in_another(
    parties: PreparedFederation,
) -> None:
    federation = parties.federation
    preparing, _ = federation.meeting(phase=Phase.PREPARING).pair_dealt()
    whole, _ = federation.meeting().pair_dealt()
    channel = federation.network().channels[0]
    with pytest.raises(SecretMisuseError, match="a preparing session computes nothing"):
        preparing[FIRST].confirm(channel)
    with pytest.raises(SecretMisuseError, match="nothing is prepared in a session that computes"):
        whole[FIRST].prepare(channel)


def test_a_session_that_is_not_for_it_takes_no_material_and_one_that_is_no_dealer(
    parties: PreparedFederation,
) -> None:
    kept, federation = parties.prepare(RECIPES), parties.federation
    parties.compute(kept, less, VALUES, OTHERS).ends.all()
    alone = federation.network(dealer=False).channels[0]
    with pytest.raises(IntegrityError, match="the session has no dealer"):
        dealt_supply(parties.sessions[FIRST], alone, RECIPES)

    pairings, dealer = federation.meeting().pair_dealt()
    network = federation.network()
    tasks = {c.own: lambda c=c: (dealer if c.own == DEALER else pairings[c.own]).confirm(c)
             for c in network.channels}  # fmt: skip
    whole = together(tasks).all()[FIRST]
    among = whole.among_parties(network.channels[0])
    with pytest.raises(IntegrityError, match="agreed to prepare nothing"):
        prepared_supply(whole, among, RECIPES, kept[FIRST].taken())
    with pytest.raises(IntegrityError, match="does not join party-1 to all other parties"):
        prepared_supply(whole, network.channels[0], RECIPES, kept[FIRST].taken())


def test_a_plan_without_a_dealer_has_nothing_prepared() -> None:
    roster = PreparedFederation().federation.plan.roster
    without = replace(roster, members=(*roster.parties, roster.coordinator))
    for phase in (Phase.PREPARING, Phase.PREPARED):
        with pytest.raises(IntegrityError, match="no dealer, so nothing is prepared"):
            Agreement(PlanDigest("a" * 64), without, RunId("b" * 64), phase=phase)


# --- the material itself ---------------------------------------------------------------------


def test_material_is_used_once_whether_stored_or_expanded(parties: PreparedFederation) -> None:
    kept = parties.prepare(RECIPES)[FIRST]
    first, second = kept.taken().material, kept.taken().material
    first.stream()
    assert second.to_bytes() == kept.material
    for spent in (first, second):
        with pytest.raises(SecretMisuseError, match="used once"):
            spent.stream()
        with pytest.raises(SecretMisuseError, match="used once"):
            spent.to_bytes()


def test_material_of_another_form_is_refused(parties: PreparedFederation) -> None:
    kept = parties.prepare(RECIPES)[FIRST]
    for data in (b"", b"{}", kept.material[:-1], kept.material + b" ", kept.material * 9):
        with pytest.raises(IntegrityError):
            Material.from_bytes(data)
    terms = kept.taken().material.terms
    for short in (
        lambda: Material(terms, bytes(31)),
        lambda: Material(replace(terms, id=b""), b""),
    ):
        refuses(short)


def refuses(make: Callable[[], Material]) -> None:
    with pytest.raises(ContractError, match="32 bytes"):
        make()
