"""The largest entry of each row, of any length: its place and its value."""

from __future__ import annotations

import numpy as np

from mpc.protocols.choose import ENTRIES_MAX, masked_by, winners
from mpc.protocols.multiply import multiply
from mpc.protocols.opening import Computation
from mpc.protocols.shares import SharedWords, shared_public, stacked

_FEW = 1 << 14
_BLOCK = 8
"""Rows of more than ``_FEW`` entries together are gone through in blocks of this many."""


def largest_entry(computation: Computation, secret: SharedWords) -> tuple[SharedWords, SharedWords]:
    """Of each row of a (rows, entries) secret: 1 at its largest entry, else 0, and that entry.

    The first of equals. Entries lie within 2^62 of each other. Rows of more than 64 entries are
    gone through in blocks, whose largest are compared in turn. Opens: masked values alone, to all
    parties. Cost for up to 64 entries: that of :func:`mpc.protocols.choose.winners`, 1 round and
    16 bytes an entry; for more, that of each level, and 1 round and 16 bytes an entry a level.
    """
    rows, entries = secret.shape
    if entries == 1:
        return shared_public(np.ones((rows, 1), np.uint64), computation.place), secret[:, 0]
    if entries <= ENTRIES_MAX:
        return _of_few(computation, secret)
    most = ENTRIES_MAX if rows * entries <= _FEW else _BLOCK
    block = -(-entries // -(-entries // most))
    padded = stacked([secret, *[secret[:, :1]] * (-entries % block)], axis=1)  # lose to the first
    blocks = padded.shape[1] // block
    within, tops = _of_few(computation, padded.reshape(rows * blocks, block))
    among, top = largest_entry(computation, tops.reshape(rows, blocks))
    marks = multiply(computation, within, among.reshape(rows * blocks, 1))
    return marks.reshape(rows, blocks * block)[:, :entries], top


def _of_few(computation: Computation, secret: SharedWords) -> tuple[SharedWords, SharedWords]:
    rows, entries = secret.shape
    columns = SharedWords(np.ascontiguousarray(secret._words.T)).reshape(-1)
    ones = shared_public(np.ones(columns.size, np.uint64), computation.place)
    won = winners(computation, secret)
    values, marks = masked_by(computation, won, [columns, ones])
    flags = np.ascontiguousarray(marks._words.reshape(entries, rows).T)
    return SharedWords(flags), values.reshape(entries, rows).sum(axis=0)
