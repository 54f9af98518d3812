"""A simulated federation has a dealer exactly if its study names one; its files know each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from dealt_visits import dealt_visits
from visits_study import visits, write_visits

from mpc.errors import UsageError
from mpc.plan.model import Plan
from mpc.study.model import Study
from mpc.units import Role
from parties.coordinator.office import Office
from parties.dealer.config import load_dealer_config
from parties.identity.store import load_identity
from parties.policy.model import load_policy
from parties.simulated_files import coordinator_file
from parties.simulation import DEALER_ORGANIZATION, Federation

HOUSE = "dealing-house"


def built(root: Path, study: Study) -> Federation:
    """Files of everyone, and the coordinator's as if all had started; nobody did."""
    federation = Federation(root / "federation", study)
    federation.build(write_visits(root / "data"))
    parties = dict.fromkeys(study.parties, "127.0.0.1:7100")
    dealers = {} if study.dealer is None else {study.dealer: "127.0.0.1:7200"}
    federation.coordinator_config.write_text(coordinator_file(parties, dealers, federation._pins))
    return federation


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return built(tmp_path_factory.mktemp("dealt"), dealt_visits(HOUSE))


def planned(federation: Federation, study: Study | None = None) -> Plan:
    return Office.open(federation.coordinator_config).plan(study or federation.study)


def test_dealer_has_keys_of_its_role_and_deals_for_this_federation_alone(
    federation: Federation,
) -> None:
    assert federation.dealer is not None
    config = load_dealer_config(federation.dealer.config)
    own = load_identity(config.identity).member
    assert (own.id, own.role, own.organization) == (HOUSE, Role.DEALER, DEALER_ORGANIZATION)
    plan = planned(federation)
    assert config.strangers(plan.roster) == ()
    assert set(config.organizations) == {
        member.organization for member in plan.roster if member.id != HOUSE
    }
    assert set(config.peers) == {*federation.study.parties, "coordinator"}


def test_everybody_pins_the_dealer_and_owners_accept_it(federation: Federation) -> None:
    pin = federation._pins[HOUSE]
    for node in federation.nodes.values():
        assert node.node_config.peers[HOUSE] == pin
        assert load_policy(node.node_config.policy).value.dealers == (HOUSE,)
    assert Office.open(federation.coordinator_config).config.pins[HOUSE] == pin
    assert [server.id for server in federation.servers] == [*federation.study.parties, HOUSE]


def test_plan_has_the_dealer_between_parties_and_coordinator(federation: Federation) -> None:
    plan = planned(federation)
    assert plan.roster.ids == (*federation.study.parties, HOUSE, "coordinator")


def test_study_whose_dealer_the_coordinators_file_lacks_is_not_planned(
    federation: Federation,
) -> None:
    stranger = federation.study.model_copy(update={"dealer": "other-house"})
    with pytest.raises(UsageError, match="has no address of the dealer other-house") as refused:
        planned(federation, stranger)
    assert refused.value.hint == "write it under dealers: other-house: {address: host:port}"
    party = next(iter(federation.study.parties))
    with pytest.raises(UsageError, match=f"has no address of the dealer {party}"):
        planned(federation, federation.study.model_copy(update={"dealer": party}))


def test_federation_of_a_study_without_a_dealer_has_none(tmp_path: Path) -> None:
    federation = built(tmp_path, visits())
    assert federation.dealer is None
    assert set(federation._pins) == {*federation.study.parties, "coordinator"}
    for node in federation.nodes.values():
        assert load_policy(node.node_config.policy).value.dealers == ()
    office = Office.open(federation.coordinator_config)
    assert office.config.dealers == {}
    assert office.plan(federation.study).roster.dealer is None
