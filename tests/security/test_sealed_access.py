"""Who may touch what is sealed: a walk over all product code proves that nobody else does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc.privacy.charge import BudgetCharge
from mpc.secret.sealed import (
    BoundedStatistic,
    DerivedStatistic,
    NoisedStatistic,
    PaidNoise,
    SecretStatistic,
)

ROOT = Path(__file__).resolve().parents[2]

TYPES = (
    BoundedStatistic,
    SecretStatistic,
    PaidNoise,
    NoisedStatistic,
    DerivedStatistic,
    BudgetCharge,
)
SEALED = {each.__name__ for each in TYPES}
INSIDE = {name for sealed in TYPES for name in (*sealed.__slots__, "_event", "_create", "_minted")}
"""Every private attribute of a sealed value, and what mints one."""

ALLOWED = ("mpc/secret/", "mpc/backend/", "mpc/privacy/noise.py", "mpc/release.py")

MINTS = {
    ("mpc/privacy/budget.py", "BudgetCharge._create"),
    ("mpc/privacy/noise.py", "PaidNoise._create"),
    ("mpc/secret/reference.py", "SecretStatistic._create"),
    ("mpc/secret/reference.py", "NoisedStatistic._create"),
    ("mpc/backend/crypten_engine.py", "SecretStatistic._create"),
    ("mpc/backend/crypten_engine.py", "NoisedStatistic._create"),
    ("mpc/secret/reference.py", "DerivedStatistic._create"),
    ("mpc/backend/crypten_engine.py", "DerivedStatistic._create"),
}
"""Each place that may mint each type. A new one is a change of the security argument."""

CALLS = {
    "add_noise": {"mpc/flow.py"},
    "open_noised": {"mpc/flow.py"},
    "postprocess": {"mpc/privacy/derivation.py"},
    "derive_released": {"mpc/flow.py"},
    "masked_share": {"mpc/release.py"},
    "add_to_own_share": {"mpc/privacy/noise.py"},
    "spend_on": {"mpc/privacy/noise.py"},
    "open_masked": {
        f"mpc/protocols/{name}.py"
        for name in (
            "choose",
            "compare",
            "group",
            "multiply",
            "truncate",
            "functions/circular",
            "functions/clamped",
            "functions/normalize",
        )
    },
    "open_masked_to": {"mpc/protocols/shuffle.py"},
    "open_shuffled_order": {"mpc/protocols/order.py"},
    "ShuffledOrder": {
        f"mpc/protocols/{name}.py" for name in ("order", "party", "rehearsal", "opening")
    },
}
"""Each step of the gate and each opening of the kernel, and the places that take it."""

REVEALS = {"reveal", "get_plain_text"}


def product() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("mpc", "parties"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


FILES = dict(product())


def sees_sealed_values(tree: ast.Module) -> bool:
    """It names a sealed type, or imports a module that does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("mpc.secret", "mpc.privacy", "mpc.release", "mpc.flow", "mpc.backend")
        ):
            return True
        if isinstance(node, ast.Import) and any(a.name.startswith("mpc.") for a in node.names):
            return True
        if isinstance(node, ast.Name) and node.id in SEALED:
            return True
    return False


def touched(name: str, tree: ast.Module) -> Iterator[str]:
    """Private attributes of sealed values, reached from outside their own methods."""
    if name.startswith(ALLOWED) or not sees_sealed_values(tree):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in INSIDE:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner not in {"self", "cls"} and (name, f"{owner}.{node.attr}") not in MINTS:
                yield f"{name}:{node.lineno} touches {node.attr}"
        if (
            isinstance(node, ast.Constant)
            and node.value in INSIDE - {"_event"}
            and name != "mpc/privacy/charge.py"  # names its own slots
        ):
            yield f"{name}:{node.lineno} names {node.value}"


def minted(name: str, tree: ast.Module) -> Iterator[str]:
    """Sealed values made where they may not be, or changed around their class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            makes = node.attr in {"_create", "_minted"} and owner in SEALED
            if makes and (name, f"{owner}.{node.attr}") not in MINTS:
                yield f"{name}:{node.lineno} makes a {owner}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            around = node.func.attr == "__setattr__" and sees_sealed_values(tree)
            set_to = node.args[1] if len(node.args) > 1 else None
            foreign = isinstance(set_to, ast.Constant) and set_to.value not in INSIDE
            if around and not foreign and name != "mpc/secret/seal.py":
                yield f"{name}:{node.lineno} sets attributes around their class"


def misplaced(name: str, tree: ast.Module) -> Iterator[str]:
    """Steps of the gate that are taken elsewhere, and CrypTen's own ways to open."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            step = node.attr if isinstance(node, ast.Attribute) else node.id
            if isinstance(node.ctx, ast.Load) and name not in CALLS.get(step, {name}):
                yield f"{name}:{node.lineno} takes {step}"
            if step in REVEALS and not name.startswith("mpc/backend/"):
                yield f"{name}:{node.lineno} reaches {step}"


CHECKS = {check.__name__: check for check in (touched, minted, misplaced)}


@pytest.mark.parametrize("check", CHECKS)
def test_no_code_of_the_product_goes_around_the_gate(check: str) -> None:
    assert {"mpc/flow.py", "mpc/release.py", "mpc/privacy/noise.py"} <= set(FILES)
    assert [found for name, tree in FILES.items() for found in CHECKS[check](name, tree)] == []


@pytest.mark.parametrize(
    ("check", "name", "code"),
    [
        ("touched", "mpc/flow.py", "def f(s: SecretStatistic): return s._share"),
        ("touched", "mpc/flow.py", "def f(s: BoundedStatistic): return s._words"),
        ("touched", "mpc/flow.py", "def f(s: BoundedStatistic): return getattr(s, '_words')"),
        ("touched", "mpc/questions/local.py", "import mpc.secret.sealed as x\nx.y._share"),
        ("touched", "parties/worker/a.py", "from mpc.privacy.charge import B\nb._unspent = [1]"),
        ("minted", "mpc/flow.py", "BudgetCharge._create(s, r)"),
        ("minted", "mpc/privacy/noise.py", "NoisedStatistic._create(s, n, 1)"),
        ("minted", "mpc/release.py", "NoisedStatistic._minted(_share=1)"),
        ("minted", "parties/worker/a.py", "f(SecretStatistic); object.__setattr__(s, '_share', 1)"),
        ("misplaced", "mpc/outcome.py", "open_noised(n, e, j, o, s)"),
        ("misplaced", "mpc/flow.py", "tools.engine.masked_share(noised, b'')"),
        ("misplaced", "mpc/flow.py", "give = tools.engine.add_to_own_share"),
        ("misplaced", "mpc/flow.py", "secret.reveal()"),
        ("misplaced", "mpc/release.py", "share.get_plain_text()"),
        ("misplaced", "mpc/flow.py", "computation.open_masked(masked)"),
        ("misplaced", "mpc/protocols/compare.py", "c.open_shuffled_order(order)"),
        ("misplaced", "mpc/protocols/group.py", "ShuffledOrder(bits, left, right)"),
    ],
)
def test_a_planted_way_around_is_found(check: str, name: str, code: str) -> None:
    assert list(CHECKS[check](name, ast.parse(code)))
