"""Whether everyone answers who takes part in a study, asked before it is proposed to anybody."""

from __future__ import annotations

from mpc.errors import ParleyError, PeerError
from parties.coordinator.asking import UNREACHED, call_all
from parties.coordinator.client import LinkedClients, PartyClient, RunClient

_ONCE_ALL_ANSWER = "run the same command again once all answer"
NOTHING_BEGUN = f"nothing was proposed or spent; {_ONCE_ALL_ANSWER}"
NOTHING_SPENT = f"nothing was computed or spent; {_ONCE_ALL_ANSWER}"


def reach_all(linked: LinkedClients, hint: str = NOTHING_BEGUN) -> None:
    """Ask every party, and the dealer if there is one, at once whether it is there.

    Proposes nothing; ``hint`` says what was begun before.

    Raises the error of one that is not; of several, a PeerError that names each and why.
    """
    answers = call_all(linked.all, silence)
    silent = {member: error for member, error in answers.items() if error is not None}
    if not silent:
        return
    first, *others = silent.values()
    if not others:
        first.hint = "; ".join(filter(None, (first.hint, hint)))
        raise first
    lines = (f"{member}: {error.what_of(member)}" for member, error in silent.items())
    named = ", ".join(silent)
    raise PeerError(named, "\n".join(("give no answer", *lines)), hint=hint)


def silence(client: RunClient) -> ParleyError | None:
    """Why a party or dealer does not answer, or None if it does. Proposes nothing."""
    try:
        if isinstance(client, PartyClient):
            client.describe()
        else:
            client.health()
    except UNREACHED as error:
        return error
    return None
