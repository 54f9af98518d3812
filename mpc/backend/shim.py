"""CrypTen 0.4.1 on torch 2.13, without touching a file of either.

CrypTen imports a private torch module that has moved since; one alias is all that it needs. The
only module that may import crypten is this one and its neighbours in :mod:`mpc.backend`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import torch
import torch.onnx

from mpc.errors import SecretMisuseError

CRYPTEN_VERSION = "0.4.1"
TORCH_VERSION = "2.13.0"
_MOVED = "torch.onnx._internal.registration"
_MOVED_TO = "torch.onnx._internal.torchscript_exporter.registration"


def import_crypten() -> Any:
    """CrypTen as shipped. Raises SecretMisuseError on versions that nobody examined."""
    if torch.__version__.split("+")[0] != TORCH_VERSION:
        raise SecretMisuseError(f"the backend was examined on torch {TORCH_VERSION} alone")
    if _MOVED not in sys.modules:
        sys.modules[_MOVED] = importlib.import_module(_MOVED_TO)
    crypten: Any = importlib.import_module("crypten")
    if crypten.__version__ != CRYPTEN_VERSION:
        raise SecretMisuseError(f"the backend was examined on CrypTen {CRYPTEN_VERSION} alone")
    return crypten
