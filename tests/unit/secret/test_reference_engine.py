"""The numpy engine keeps the engine's contract."""

from __future__ import annotations

from engine_contract import EngineContract

from mpc.secret.engine import Engine
from mpc.secret.reference import ReferenceEngine, ZeroMasks


class TestReferenceEngine(EngineContract):
    def make(self, masks: ZeroMasks) -> Engine:
        return ReferenceEngine(masks)
