"""CrypTen's configuration, given here in full and then fixed.

As shipped it is read at import from a file that any distribution may overwrite, any code may change
it later, and two of its switches open shares (``debug.debug_mode``, ``debug.validation_mode``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omegaconf import OmegaConf

from mpc.backend.refusal import refusing
from mpc.backend.shim import import_crypten
from mpc.canonical import Plain, canonical_bytes
from mpc.errors import SecretMisuseError
from mpc.units import sha256_hex

PROVIDER = "parley"
PRECISION_BITS = 16
"""After the point, of numbers that are not whole."""

SETTINGS: dict[str, Plain] = {
    "communicator": {"verbose": False},
    "debug": {"debug_mode": False, "validation_mode": False},
    "encoder": {"precision_bits": PRECISION_BITS},
    "functions": {
        "max_method": "log_reduction",
        "exp_iterations": 8,
        "reciprocal_method": "NR",
        "reciprocal_nr_iters": 10,
        "reciprocal_log_iters": 1,
        "reciprocal_all_pos": False,
        "reciprocal_initial": None,
        "sqrt_nr_iters": 3,
        "sqrt_nr_initial": None,
        "sigmoid_tanh_method": "reciprocal",
        "sigmoid_tanh_terms": 32,
        "log_iterations": 2,
        "log_exp_iterations": 8,
        "log_order": 8,
        "trig_iterations": 10,
        "erf_iterations": 8,
    },
    "mpc": {"active_security": False, "provider": PROVIDER, "protocol": "beaver"},
    "nn": {
        "dpsmpc": {
            "protocol": "layer_estimation",
            "skip_loss_forward": True,
            "cache_pred_size": True,
        }
    },
}

SETTINGS_DIGEST = sha256_hex(canonical_bytes(SETTINGS))
"""Part of every operation id, so parties with other settings stop at their first message."""

_CHANGEABLE = ("functions.",)
"""What CrypTen's approximations override for the length of a call."""


def fix_settings() -> None:
    """Put :data:`SETTINGS` in force for the rest of this process."""
    crypten = import_crypten()
    fixed = OmegaConf.create(SETTINGS)
    OmegaConf.set_readonly(fixed, True)
    kind = type(crypten.cfg)
    vars(crypten.cfg)["config"] = fixed

    @contextmanager
    def override_for_a_call(config: Any, changes: Mapping[str, object]) -> Iterator[None]:
        if not all(name.startswith(_CHANGEABLE) for name in changes):
            raise SecretMisuseError("CrypTen's settings are fixed")
        former = config.config
        update = OmegaConf.from_dotlist([f"{name}={value}" for name, value in changes.items()])
        vars(config)["config"] = OmegaConf.merge(former, update)
        try:
            yield
        finally:
            vars(config)["config"] = former

    kind.temp_override = override_for_a_call
    for name in ("__setattr__", "__delattr__", "set_config", "load_config"):
        setattr(kind, name, refusing("changing a setting"))
