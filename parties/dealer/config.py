"""What a dealer is told by its own file, ``dealer.yaml``: whom it deals for, and where.

It has no tables and no policy on data. Deny by default: it deals for the organizations that the
file lists, and an empty list is nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from mpc.columns.model import Frozen
from mpc.columns.text import printable
from mpc.roster import ORGANIZATION_LENGTH_MAX, Roster, same_organization
from mpc.study.model import Identifier
from mpc.units import PartyId
from parties.config import HINTS, ServerConfig, ServerFile, check_kind, server_misfits
from parties.yaml_files import Misfit, read_yaml

ORGANIZATIONS_MAX = 1000

Organization = Annotated[
    str, Field(min_length=1, max_length=ORGANIZATION_LENGTH_MAX), AfterValidator(printable)
]


class _Workers(Frozen):
    at_once: Annotated[int, Field(ge=1, le=64)] = 4


class _DealerFile(ServerFile):
    dealer: Identifier
    organizations: Annotated[tuple[Organization, ...], Field(max_length=ORGANIZATIONS_MAX)]
    workers: _Workers = _Workers()


@dataclass(frozen=True)
class DealerConfig(ServerConfig):
    """``dealer.yaml``."""

    dealer: PartyId
    organizations: tuple[str, ...]
    at_once: int

    def strangers(self, roster: Roster) -> tuple[str, ...]:
        """Organizations in ``roster``, its dealer's apart, that this dealer does not deal for."""
        others = [member for member in roster if member != roster.dealer]
        return tuple(
            dict.fromkeys(
                member.organization
                for member in others
                if not any(
                    same_organization(member.organization, each) for each in self.organizations
                )
            )
        )


def load_dealer_config(path: Path) -> DealerConfig:
    """``path`` as a dealer's file. Raises ConfigFaults with all its faults.

    Raises UsageError if it is another participant's.
    """
    check_kind(path, "dealer", "dealer")
    said = read_yaml(path, _DealerFile, HINTS, _misfits).value
    return DealerConfig(
        **vars(ServerConfig.of(path, said)),
        dealer=PartyId(said.dealer),
        organizations=said.organizations,
        at_once=said.workers.at_once,
    )


def _misfits(said: _DealerFile) -> Iterator[Misfit]:
    return server_misfits(said, said.dealer, "dealer")
