"""What a participant signs: an object of named fields, its signature last.

Signed are the canonical bytes of every field but the signature, in a context of the object's kind
(:func:`mpc.roster.signed_bytes`), so that a signature on one kind is none on any other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from mpc.canonical import SIZE_MAX, Plain, Record, canonical_bytes, from_canonical
from mpc.errors import IntegrityError
from mpc.roster import SIGNATURE_SIZE, Roster
from mpc.session.signer import Signer
from mpc.units import PartyId


@dataclass(frozen=True, kw_only=True)
class Signed(ABC):
    """Base of the signed objects: frozen dataclasses of text, integers and bytes. Public.

    A subclass says what it is (``WHAT``, for errors), its ``CONTEXT``, the field that names its
    ``SIGNATORY``, how many bytes are read at most, and reads its own fields.
    """

    WHAT: ClassVar[str]
    CONTEXT: ClassVar[str]
    SIGNATORY: ClassVar[str] = "party"
    BYTES_MAX: ClassVar[int] = SIZE_MAX

    signature: bytes = b""

    @property
    def context(self) -> str:
        """What the signature is made in; a kind with several overrides it."""
        return self.CONTEXT

    def signed(self, signer: Signer) -> Self:
        """The same with its signatory's signature.

        Raises IntegrityError if a field has not the form that others accept.
        """
        made = replace(self, signature=signer(self.context, self._message()))
        return self.from_plain(made.to_plain())

    def verify(self, roster: Roster) -> None:
        """Refuse a signature that is not its signatory's in ``roster``. Looks at nothing else.

        Raises IntegrityError naming the signatory.
        """
        member = roster.member(PartyId(getattr(self, self.SIGNATORY)))
        member.verify(self.context, self._message(), self.signature)

    def to_plain(self) -> dict[str, Plain]:
        """Every field, bytes as hex."""
        return {**self._content(), "signature": self.signature.hex()}

    def to_bytes(self) -> bytes:
        """Canonical bytes, signature included: how it travels and is stored."""
        return canonical_bytes(self.to_plain())

    @classmethod
    def from_plain(cls, plain: Plain) -> Self:
        """The object that :meth:`to_plain` wrote. Raises IntegrityError on any other form."""
        record = Record(plain, cls.WHAT, (*_content_names(cls), "signature"))
        signature = record.octets("signature", SIGNATURE_SIZE, SIGNATURE_SIZE)
        return replace(cls._read(record), signature=signature)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The object that :meth:`to_bytes` wrote. Raises IntegrityError on any other form."""
        if len(data) > cls.BYTES_MAX:
            raise IntegrityError(f"{cls.WHAT} has at most {cls.BYTES_MAX} bytes")
        return cls.from_plain(from_canonical(data))

    @classmethod
    def from_sender(cls, data: bytes, sender: PartyId) -> Self:
        """As :meth:`from_bytes`, of what ``sender`` sent: the IntegrityError names it."""
        try:
            return cls.from_bytes(data)
        except IntegrityError as fault:
            raise IntegrityError(fault.what, party=sender) from None

    @classmethod
    @abstractmethod
    def _read(cls, record: Record) -> Self:
        """The object without its signature, each field of its form and within its limits."""

    def _message(self) -> bytes:
        return canonical_bytes(self._content())

    def _content(self) -> dict[str, Plain]:
        values = {name: getattr(self, name) for name in _content_names(type(self))}
        return {name: _plain(value) for name, value in values.items()}


def _plain(value: Plain | bytes | Signed) -> Plain:
    if isinstance(value, Signed):
        return value.to_plain()
    return value.hex() if isinstance(value, bytes) else value


def _content_names(kind: type[Signed]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name != "signature")
