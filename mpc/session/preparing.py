"""Preparing: a dealer deals for a run beforehand, so that the run itself needs no dealer.

Two sessions of one run, whose name is the hash of its plan and approvals:

1. *Preparing*: all parties, the dealer and the coordinator shake hands as ever, in Hellos that say
   so (:class:`mpc.session.agreement.Phase`). All compare the hash of the recipes, then the dealer
   deals. Each party keeps the key of its stream with the dealer, 32 bytes that everything free is
   expanded from, and the last one keeps the corrections. No party computes, opens or charges
   anything, and no row is read.
2. *Prepared*: the parties and the coordinator shake hands without the dealer, keys fresh again. The
   parties compare the id of what each one kept, before they open anything, and again in READY.

The id is a hash over T of the first session and the recipes. So parties hold the same id only if
they were in one preparing session, for one plan and one run, and were dealt the same recipes.

A key that is expanded twice hides nothing: who sees two openings under one mask has the difference
of what it hid. So whoever stores material must have forgotten it, durably, *before* it is used
(:mod:`parties.prepared`). Peers hold it as well: a second session of the run takes every party's
fresh signature, and an honest one has used up its approval of the run. That does not help a party
that was set back as a whole, material, records and approvals, among peers that all deviate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpc.canonical import Plain, Record, canonical_bytes, from_canonical
from mpc.dealing.delivery import KeptCorrections, delivered_parts, recipes_digest
from mpc.dealing.recipe import Recipe
from mpc.dealing.supply import PlannedSupply
from mpc.errors import ContractError, IntegrityError, SecretMisuseError
from mpc.guarded import Guarded
from mpc.naming import joined, operation_id
from mpc.ports import Channel
from mpc.session.agreement import Agreement, Phase
from mpc.session.dealing import (
    DIGEST_SIZE,
    OPERATION,
    PURPOSE,
    DealtSession,
    agree_recipes,
    dealing_scope,
    odd_one_out,
)
from mpc.session.ready import MATERIAL_ID_SIZE
from mpc.session.session import Session
from mpc.session.streams import KEY_SIZE, Stream
from mpc.units import ID_LENGTH_MAX, PartyId, PlanDigest, RunId, SessionId

MATERIAL_BYTES_MAX = 1024
_FIELDS = ("id", "run", "plan_digest", "party", "recipes", "key")


@dataclass(frozen=True)
class MaterialTerms:
    """What material is for: one party of one run, and the recipes of ``recipes``, their hash.

    ``id`` is the same at every party of the run. Public.
    """

    id: bytes
    run: RunId
    plan_digest: PlanDigest
    party: PartyId
    recipes: bytes

    def check(self, due: MaterialTerms) -> None:
        """Refuse material that is not for what ``due`` says, whatever its id. Raises IntegrityError
        naming the party that holds it."""
        pairs = (
            ("another party's", self.party, due.party),
            ("another run's", self.run, due.run),
            ("another plan's", self.plan_digest, due.plan_digest),
            ("of other recipes", self.recipes, due.recipes),
        )
        for what, found, wanted in pairs:
            if found != wanted:
                raise IntegrityError(f"its prepared material is {what}", party=due.party)


class Material(Guarded):
    """A party's key for one run's recipes. It leaves this object once: expanded, or stored."""

    __slots__ = ("_key", "terms")

    def __init__(self, terms: MaterialTerms, key: bytes) -> None:
        if len(terms.id) != MATERIAL_ID_SIZE or len(key) != KEY_SIZE:
            raise ContractError("material has an id and a key of 32 bytes each")
        self.terms = terms
        self._key: bytes | None = key

    def stream(self) -> Stream:
        """What everything free is expanded from. Spends the material."""
        return Stream(self._spent())

    def to_bytes(self) -> bytes:
        """For storage that encrypts it, and nothing else: the key is among it. Spends it."""
        content: dict[str, Plain] = {
            "id": self.terms.id.hex(),
            "run": self.terms.run,
            "plan_digest": self.terms.plan_digest,
            "party": self.terms.party,
            "recipes": self.terms.recipes.hex(),
            "key": self._spent().hex(),
        }
        return canonical_bytes(content)

    @classmethod
    def from_bytes(cls, data: bytes) -> Material:
        """What :meth:`to_bytes` wrote. Raises IntegrityError on any other form."""
        record = Record(from_canonical(data, MATERIAL_BYTES_MAX), "prepared material", _FIELDS)
        terms = MaterialTerms(
            id=record.octets("id", MATERIAL_ID_SIZE, MATERIAL_ID_SIZE),
            run=RunId(record.digest("run")),
            plan_digest=PlanDigest(record.digest("plan_digest")),
            party=PartyId(record.text("party", ID_LENGTH_MAX)),
            recipes=record.octets("recipes", DIGEST_SIZE, DIGEST_SIZE),
        )
        return cls(terms, record.octets("key", KEY_SIZE, KEY_SIZE))

    def _spent(self) -> bytes:
        key, self._key = self._key, None
        if key is None:
            raise SecretMisuseError("material is used once")
        return key


@dataclass(frozen=True, repr=False)
class Prepared:
    """Material, and what the dealer sends to the last party, in parts; for the others no part.

    ``corrections`` is taken to its end once, as it comes: from the dealer, or from the store.
    """

    material: Material
    corrections: Iterator[bytes]


class PreparingSession(DealtSession):
    """A party's end of a preparing session. Made by :meth:`mpc.session.establish.Pairing.prepare`.

    It has no opening, no zero-sharing and no READY: nothing is computed in it.
    """

    __slots__ = ()

    def receive(self, channel: Channel, recipes: Sequence[Recipe]) -> Prepared:
        """This party's material for ``recipes``. Once. At the last party, corrections follow.

        ``channel`` leads to every other party and the dealer. Opens: nothing. Cost: 1 round of 32
        bytes to everyone; to the last party what :func:`mpc.dealing.delivery.deliver` says. Raises
        IntegrityError naming who deals, or is dealt, something else, and what ``channel`` raises.
        """
        agreement = self._agreement
        agreement.check_links(channel, self.own)
        if agreement.dealer is None:
            raise IntegrityError("the session has no dealer, so nothing can be prepared in it")
        digest = recipes_digest(recipes)
        agree_recipes(self.id, channel, digest)
        terms = _terms(agreement, self.own, digest, _material_id(self.id, digest))
        key = self._keys.key(PURPOSE, agreement.dealer.id, self.own, OPERATION)
        parts: Iterator[bytes] = iter(())
        if self.own == agreement.last:
            scope = dealing_scope(self.id, digest)
            parts = delivered_parts(channel, agreement.dealer.id, recipes, scope)
        return Prepared(Material(terms, key), parts)


def prepared_supply(
    session: Session, channel: Channel, recipes: Sequence[Recipe], prepared: Prepared
) -> PlannedSupply:
    """A party's shares of ``recipes`` from its material, to be taken in that sequence. Once.

    ``channel`` leads to every other party and nobody else. Opens: the material's id, to the other
    parties. Cost: 1 round of 32 bytes to each; nothing comes from a dealer. Raises IntegrityError
    if the session is not for prepared material or this is not its party's, its run's and for its
    recipes, with nothing sent; naming who holds other material; and what ``channel`` raises.
    """
    agreement, terms = session.agreement, prepared.material.terms
    agreement.check_channel(channel, session.own)
    if agreement.phase is not Phase.PREPARED:
        raise IntegrityError("the participants of this session agreed to prepare nothing for it")
    digest = recipes_digest(recipes)
    terms.check(_terms(agreement, session.own, digest, terms.id))
    odd = odd_one_out(channel, operation_id(session.id, b"parley/material"), terms.id)
    if odd is not None:
        raise IntegrityError(
            "it holds other prepared material than everybody else", party=odd,
            hint="propose the plan again, and prepare it anew",
        )  # fmt: skip
    session.use_material(terms.id)
    return PlannedSupply(
        agreement.parties.index(session.own),
        prepared.material.stream(),
        recipes,
        terms.id,
        KeptCorrections(prepared.corrections) if session.own == agreement.last else None,
    )


def _terms(agreement: Agreement, own: PartyId, recipes: bytes, material: bytes) -> MaterialTerms:
    return MaterialTerms(material, agreement.run, agreement.plan_digest, own, recipes)


def _material_id(session: SessionId, recipes: bytes) -> bytes:
    return hashlib.sha256(joined(b"parley/material/v1", session, recipes)).digest()
