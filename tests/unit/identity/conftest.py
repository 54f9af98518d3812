from __future__ import annotations

from pathlib import Path

import pytest
from identity_federation import Federation, found


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return found(tmp_path)
