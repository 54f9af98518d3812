"""What an owner does who cannot put its latest ledger back: declare all that is left as spent.

What a lost ledger had spent lay within its caps, so a ledger that counts all of them as spent
forgets nothing. Nothing less is honest: peers have seen how many steps it took, not what they cost.
"""

from __future__ import annotations

import sqlite3

from mpc.errors import UsageError
from mpc.units import PlanDigest, RunId, sha256_hex
from parties.ledger.chain import evidence_of, head_of, leap
from parties.ledger.queries import balance_of

LOSS = "loss accepted"
_NOTHING = PlanDigest("0" * 64)


def accept_loss(connection: sqlite3.Connection, accepted_by: str, reason: str, now: int) -> None:
    """Forfeit what is left of every domain, and move the chain beyond what any peer has seen.

    Reservations stay what they are. Raises UsageError if no peer showed that this file is an older
    copy, if it has no domain, or nobody says why: then nothing changed.
    """
    if not accepted_by or not reason:
        raise UsageError("a loss is accepted by somebody, for a reason")
    if not evidence_of(connection):
        raise UsageError(
            "no peer has shown that this ledger is an older copy: there is no loss to accept",
            hint="studies go on with it as it is",
        )
    names = [name for (name,) in connection.execute("SELECT name FROM domain ORDER BY name")]
    if not names:
        raise UsageError(
            "this ledger has no privacy domain to forfeit",
            hint="parley node start makes those of policy.yaml",
        )
    for name in names:
        _forfeit(connection, name, accepted_by, reason, now)


def _forfeit(
    connection: sqlite3.Connection, domain: str, accepted_by: str, reason: str, now: int
) -> None:
    left = balance_of(connection, domain, now)
    step = f"{LOSS}/{domain}/{head_of(connection).counter}/{now}"
    run = RunId(sha256_hex(step.encode()))
    connection.execute(
        "INSERT INTO charge VALUES"
        " (?, ?, ?, ?, '', '', '', '', ?, ?, ?, ?, ?, 'forfeited', ?, ?, NULL, NULL, ?)",
        (run, domain, _NOTHING, LOSS, reason, accepted_by, b"{}", left.rho_left,
         left.delta_left, now, now, now),
    )  # fmt: skip
    leap(connection, run, now)
