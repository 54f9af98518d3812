"""The federation that tests of faults share: three parties whose workers crash when told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from federation import Consortium, build

from parties.coordinator.office import Office


@pytest.fixture(scope="session")
def shared_consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    root = tmp_path_factory.mktemp("consortium")
    federation = build(root, ("alpha", "bravo", "charlie"), module="crashing_node")
    with federation:
        federation.start()
        yield Consortium(federation, Office.open(federation.coordinator_config))


@pytest.fixture
def consortium(shared_consortium: Consortium) -> Iterator[Consortium]:
    """All nodes up, no crash ordered: before the test and after it."""
    yield shared_consortium
    shared_consortium.mend()
