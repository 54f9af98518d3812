"""CrypTen with everything replaced that is not fit for real data (SECURITY.md, H1 to H17).

:func:`harden` changes the imported package for the rest of the process, before any session: a part
that is not replaced is refused. Nothing here opens a share; :mod:`mpc.release` does, elsewhere.
"""

from __future__ import annotations

import importlib
from typing import Any

from mpc.backend.arithmetic import replace_arithmetic
from mpc.backend.autograd import replace_gradients
from mpc.backend.communicator import SessionCommunicator
from mpc.backend.comparing import replace_comparing
from mpc.backend.encoding import replace_encoder
from mpc.backend.functions import replace_functions
from mpc.backend.joining import replace_joining
from mpc.backend.kernel import Kernel, NoSupply
from mpc.backend.prg import Masks, replace_randomness, use_masks
from mpc.backend.provider import replace_provider
from mpc.backend.ranging import replace_ranging
from mpc.backend.refusal import refusing
from mpc.backend.settings import SETTINGS_DIGEST, fix_settings
from mpc.backend.shim import import_crypten
from mpc.backend.tensor import replace_tensor
from mpc.dealing.supply import Supply
from mpc.errors import SecretMisuseError
from mpc.ports import Channel
from mpc.protocols.party import PartyComputation
from mpc.session.session import Session
from mpc.steps import Steps

_OPENING = ("get_plain_text", "reveal", "reveal_batch")
_COPYING = ("__reduce__", "__reduce_ex__", "__getstate__", "__copy__", "__deepcopy__")
_RANDOM = ("rand", "randn", "bernoulli")
_FILES = ("load", "load_from_party", "save", "save_from_party")
_state: dict[str, bool] = {}


def harden() -> Any:
    """The ``crypten`` package, hardened. Once a process; later calls change nothing."""
    crypten = import_crypten()
    if _state.setdefault("hardened", False):
        return crypten
    fix_settings()
    replace_provider()
    replace_randomness()
    replace_encoder()
    replace_arithmetic()
    replace_joining()
    replace_tensor()
    replace_comparing()
    replace_ranging()
    replace_functions()
    replace_gradients()
    _close_shared_tensors(crypten)
    _close_the_rest(crypten)
    for name in ("DistributedCommunicator", "InProcessCommunicator"):
        shipped = getattr(crypten.communicator, name)
        shipped.initialize = shipped.__init__ = refusing(name)
        setattr(crypten.communicator, name, SessionCommunicator)
    _state["hardened"] = True
    return crypten


def bind(session: Session, channel: Channel, supply: Supply | None = None) -> None:
    """Start CrypTen on ``session`` over ``channel``: once a process, since its state is global.

    Products, comparisons and truncation take their randomness from ``supply``; without one they
    are refused. Sends nothing. Raises SecretMisuseError on a second session.
    """
    crypten = harden()
    if SessionCommunicator.bound is not None:
        raise SecretMisuseError("one process, one session: start another worker")
    parties = session.agreement.parties
    steps = Steps(session, SETTINGS_DIGEST.encode())
    masks = Masks(session.own, parties, session.zero_sharing, session.keys, steps)
    use_masks(masks)
    SessionCommunicator.bound = SessionCommunicator(
        channel, parties, steps, masks, session.transcript
    )
    supplied = supply or NoSupply()
    Kernel.use(PartyComputation(parties, channel, supplied, steps, session.transcript))
    crypten.init()


def _close_shared_tensors(crypten: Any) -> None:
    """Shared tensors open nowhere, show their shape only, and are not copied by the interpreter."""
    primitives = crypten.mpc.primitives
    for kind in (
        crypten.CrypTensor,
        crypten.mpc.MPCTensor,
        primitives.ArithmeticSharedTensor,
        primitives.BinarySharedTensor,
    ):
        for name in _OPENING:
            setattr(kind, name, refusing(f"{kind.__name__}.{name}", "mpc.release is the one door"))
        for name in _COPYING:
            setattr(kind, name, refusing(f"copying a {kind.__name__}"))
        kind.__repr__ = kind.__str__ = _shape_only
    for name in _RANDOM:
        refusal = refusing(f"{name}", "exact samplers are in mpc.privacy")
        setattr(crypten, name, refusal)
        setattr(crypten.mpc.MPCTensor, name, refusal)


def _close_the_rest(crypten: Any) -> None:
    for name in _FILES:
        setattr(crypten, name, refusing(f"{name}, which pickles,"))
    crypten.init_thread = refusing("thread mode")
    crypten.mpc.run_multiprocess = refusing("run_multiprocess")
    split = importlib.import_module("crypten.nn.privacy").DPSplitModel
    split.__init__ = refusing("DPSplitModel", "exact samplers are in mpc.privacy")
    for name in ("restricted_loads", "safe_pickle", "RestrictedUnpickler"):
        setattr(crypten.common.serial, name, refusing("unpickling"))


def _shape_only(tensor: Any) -> str:
    return f"<{type(tensor).__name__} of shape {tuple(tensor.size())}>"
