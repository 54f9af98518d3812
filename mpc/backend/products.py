"""Products of ring words by torch, whose 64-bit integer matrix product is vectorised."""

from __future__ import annotations

import numpy as np
import torch

from mpc.ring.planes import Ring
from mpc.ring.products import Bilinear


class TorchProducts:
    """:class:`mpc.ring.products.Products` in torch: the same words, many times as fast."""

    def apply(self, kind: Bilinear, left: Ring, right: Ring) -> Ring:
        if kind is Bilinear.ELEMENTWISE:
            return np.multiply(left, right)
        one, other = (
            torch.from_numpy(np.ascontiguousarray(words).view(np.int64)) for words in (left, right)
        )
        product: Ring = torch.matmul(one, other).numpy().view(np.uint64)
        return product
