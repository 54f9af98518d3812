"""One federation with real certificates for all tests of this folder."""

from __future__ import annotations

import pytest
from receipts import Federation, Run, federation, run_of

from parties.report.verify import Verification


@pytest.fixture(scope="package")
def members(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return federation(tmp_path_factory.mktemp("federation"))


@pytest.fixture(scope="package")
def run(members: Federation) -> Run:
    return run_of(members)


@pytest.fixture(scope="package")
def verified(run: Run) -> Verification:
    return run.verified()
