"""Whatever holds a key shows none, and is neither copied nor pickled."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
from session_federation import SessionFederation

from mpc.errors import SecretMisuseError
from mpc.guarded import Guarded
from mpc.session.agreement import Phase
from mpc.session.dealing import DealingSession
from mpc.session.preparing import Material, MaterialTerms, PreparingSession

FEDERATION = SessionFederation(2, "guarded")
DEALT = SessionFederation(2, "guarded", dealer=True)


def holders() -> Iterator[Guarded]:
    meeting = FEDERATION.meeting()
    hello = meeting.hellos[FEDERATION.parties[0]]
    yield hello
    yield hello._ephemeral  # type: ignore[misc]
    yield meeting.coordinate()
    yield FEDERATION.meeting().pair()[FEDERATION.parties[0]]
    _, dealer = DEALT.meeting().pair_dealt()
    yield dealer
    yield DealingSession(dealer._agreement, dealer._own, dealer.id, dealer._keys)  # type: ignore[arg-type]
    parties, _ = DEALT.meeting(phase=Phase.PREPARING).pair_dealt()
    pairing = parties[DEALT.parties[0]]
    yield PreparingSession(pairing._agreement, pairing._own, pairing.id, pairing._keys)  # type: ignore[arg-type]
    run = pairing._agreement.run
    terms = MaterialTerms(bytes(32), run, DEALT.plan.digest, DEALT.parties[0], bytes(32))
    yield Material(terms, bytes(range(32)))
    session = FEDERATION.sessions()[0]
    yield session
    yield session.keys
    yield session.zero_sharing
    yield session.keys.stream(b"p", FEDERATION.parties[0], FEDERATION.parties[1], b"op")


HOLDERS = list(holders())


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_holder_of_keys_shows_its_type_only(holder: Guarded) -> None:
    assert repr(holder) == str(holder) == f"{holder}" == f"<{type(holder).__name__}>"
    assert not hasattr(holder, "__dict__")


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, pickle.dumps, lambda holder: [copy.deepcopy([holder])]]
)
def test_holder_of_keys_is_not_duplicated(holder: Guarded, duplicate: object) -> None:
    with pytest.raises(SecretMisuseError, match="holds keys: it is not copied or serialised"):
        duplicate(holder)  # type: ignore[operator]


def test_every_kind_of_holder_is_tried() -> None:
    kinds = {kind for kind in leaves(Guarded) if kind.__module__.startswith("mpc.session.")}
    assert {type(holder) for holder in HOLDERS} == kinds


def leaves(kind: type[Guarded]) -> Iterator[type[Guarded]]:
    below = kind.__subclasses__()
    for each in below:
        yield from leaves(each)
    if not below:
        yield kind
