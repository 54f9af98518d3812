"""An owner accepts the loss of its latest ledger, with its node stopped."""

from __future__ import annotations

from parties.config import NodeConfig
from parties.ledger.records import PartnerLimits
from parties.ledger.sqlite import SqliteLedger
from parties.node.account import Account, ledger_file, read_account
from parties.node.parts import LIFE
from parties.serving import only_life
from parties.system import SystemClock


def accept_loss(config: NodeConfig, accepted_by: str, reason: str) -> Account:
    """Count all that is left as spent, as :mod:`parties.ledger.recovery` says.

    Raises UsageError if there is no loss to accept, StorageError while the node runs.
    """
    path = ledger_file(config)
    with only_life(config.state / LIFE, f"{config.party}'s node"):
        SqliteLedger(path, SystemClock(), PartnerLimits()).accept_loss(accepted_by, reason)
        return read_account(config)
