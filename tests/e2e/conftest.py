"""The federation that tests of faults share: three parties whose workers crash when told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from federation import Consortium, build, serving


@pytest.fixture(scope="session")
def shared_consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    root = tmp_path_factory.mktemp("consortium")
    with serving(build(root, ("alpha", "bravo", "charlie"), module="crashing_node")) as consortium:
        yield consortium


@pytest.fixture
def consortium(shared_consortium: Consortium) -> Iterator[Consortium]:
    """All nodes up, no crash ordered: before the test and after it."""
    yield shared_consortium
    shared_consortium.mend()
