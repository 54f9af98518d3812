"""Small models that train on CrypTen's tensors, beside the same in torch's float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

RNG = np.random.default_rng(20261130)
FEATURES = RNG.normal(size=(24, 3)).round(3)
WEIGHTS = {
    "0.weight": RNG.normal(size=(5, 3)).round(3) * 0.6, "0.bias": RNG.normal(size=5).round(3) * 0.1,
    "2.weight": RNG.normal(size=(3, 5)).round(3) * 0.6, "2.bias": RNG.normal(size=3).round(3) * 0.1,
}  # fmt: skip
_SCORE = FEATURES @ [1.0, -2.0, 0.5]
CLASSES = np.digitize(_SCORE, [-1.0, 1.0])
STEPS = 4


@dataclass(frozen=True)
class Training:
    """How the model ends, its loss, its targets and its steps."""

    outputs: int
    loss: str
    targets: Any
    momentum: float = 0.0
    sigmoid: bool = False


TRAININGS: Mapping[str, Training] = {
    "binary": Training(1, "BCELoss", (_SCORE > 0).astype(float).reshape(-1, 1), sigmoid=True),
    "regression": Training(1, "MSELoss", _SCORE.reshape(-1, 1) / 4, momentum=0.5),
    "classes": Training(3, "CrossEntropyLoss", np.eye(3)[CLASSES]),
}


def trained(training: Training, lib: Any, inputs: tuple[Any, Any],
            weight: Callable[[Any], Any]) -> tuple[list[Any], dict[str, Any]]:  # fmt: skip
    """Losses of each step, and the model's parameters after the last, by name.

    ``lib`` is crypten or torch; both name their modules, losses and SGD alike.
    """
    features, targets = inputs
    layers = [lib.nn.Linear(3, 5), lib.nn.ReLU(), lib.nn.Linear(5, training.outputs)]
    model = lib.nn.Sequential(*layers, *([lib.nn.Sigmoid()] if training.sigmoid else []))
    for at, layer in ((0, layers[0]), (2, layers[2])):
        for name in ("weight", "bias"):
            values = WEIGHTS[f"{at}.{name}"][: 5 if at == 0 else training.outputs]
            if hasattr(layer, "set_parameter"):
                layer.set_parameter(name, weight(values))
            else:
                setattr(layer, name, weight(values))
    if hasattr(model, "encrypt"):
        model.encrypt()
    model.train()
    loss_of = getattr(lib.nn, training.loss)()
    optimizer = lib.optim.SGD(model.parameters(), lr=0.4, momentum=training.momentum)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model(features), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses, dict(model.named_parameters())
