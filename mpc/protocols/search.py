"""A walk down a binary tree whose every turn is secret, and whose end alone comes out.

The tree of 2^levels leaves lies in one row a walk, level after level: the root, its two children,
their four, and so on. The walk goes up (to the right child) at a node whose number is negative.
Which nodes it passes is what its end says, and nothing of any other node does.
"""

from __future__ import annotations

from mpc.errors import ContractError
from mpc.protocols.compare import negative, to_words
from mpc.protocols.multiply import multiply
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords


def search(computation: Computation, nodes: SharedWords) -> SharedWords:
    """The leaf at which each walk ends: (walks, 2^levels - 1) numbers -> (walks,) indices.

    All turns are compared at once. Then, from the lowest level up, each node takes over the leaf of
    the child that its own turn leads to: below + turn (above - below), and its turn's own weight.
    Opens: masked values alone, to all parties. Cost: 3 + levels rounds; to each peer 99 bits a node
    for the comparisons, and 16 bytes a node that has children. Up to 2^20 nodes.
    """
    walks, count = nodes.shape
    levels = (count + 1).bit_length() - 1
    if count != (1 << levels) - 1 or not levels:
        raise ContractError(f"{count} nodes are no complete binary tree")
    turns = to_words(computation, negative(computation, nodes)).reshape(walks, count)
    ends = turns[:, (1 << (levels - 1)) - 1 :]
    for level in reversed(range(levels - 1)):
        here = turns[:, (1 << level) - 1 : (2 << level) - 1]
        below, above = ends[:, 0::2], ends[:, 1::2]
        weight = 1 << (levels - 1 - level)
        ends = below + multiply(computation, here, above - below) + here.times(weight)
    return ends[:, 0]
