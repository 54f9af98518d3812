"""Whether every party answers, asked before a study is proposed to any of them."""

from __future__ import annotations

from mpc.errors import ParleyError, PeerError
from parties.coordinator.asking import UNREACHED, Clients, each
from parties.coordinator.client import PartyClient

NOTHING_BEGUN = "nothing was proposed or spent; run the same command again once all answer"


def reach_all(clients: Clients) -> None:
    """Ask every party at once whether it is there. Proposes nothing.

    Raises the error of one that is not; of several, a PeerError that names each and why.
    """
    answers = each(clients, _silence)
    silent = {party: error for party, error in answers.items() if error is not None}
    if not silent:
        return
    first, *others = silent.values()
    if not others:
        first.hint = "; ".join(filter(None, (first.hint, NOTHING_BEGUN)))
        raise first
    whys = (
        error.what if error.party == party else error.message for party, error in silent.items()
    )
    lines = (f"{party}: {why}" for party, why in zip(silent, whys, strict=True))
    named = ", ".join(silent)
    raise PeerError(named, "\n".join(("give no answer", *lines)), hint=NOTHING_BEGUN)


def _silence(client: PartyClient) -> ParleyError | None:
    """Why a party does not answer, or None if it does."""
    try:
        client.describe()
    except UNREACHED as error:
        return error
    return None
