"""What a run was agreed on, as the coordinator keeps it: enough for a receipt, but the shares."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.canonical import Plain, Record, canonical_bytes, from_canonical
from mpc.plan.build import plan_study
from mpc.plan.cost import HELLO_BYTES_MAX
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.session.approval import Approval, approvals_from_plain, approvals_to_plain
from mpc.study.canonical import study_from_plain, study_to_plain
from mpc.units import PARTICIPANTS_MAX, PARTIES_MIN

_FIELDS = ("study", "roster", "approvals", "hellos")


@dataclass(frozen=True)
class RunAgreement:
    """A plan, every party's approval, and all Hellos: parties, dealer if any, coordinator."""

    plan: Plan
    approvals: tuple[Approval, ...]
    hellos: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Canonical bytes for the coordinator's database."""
        plain: Plain = {
            "study": study_to_plain(self.plan.study),
            "roster": self.plan.roster.to_plain(),
            "approvals": approvals_to_plain(self.approvals),
            "hellos": [hello.hex() for hello in self.hellos],
        }
        return canonical_bytes(plain)

    @classmethod
    def from_bytes(cls, data: bytes) -> RunAgreement:
        """The agreement that :meth:`to_bytes` wrote. Raises IntegrityError on any other form."""
        record = Record(from_canonical(data), "the coordinator's record of a run", _FIELDS)
        study, roster = record.plain("study"), record.plain("roster")
        return cls(
            plan=plan_study(study_from_plain(study), Roster.from_plain(roster)),
            approvals=approvals_from_plain(record.plain("approvals")),
            hellos=record.octet_items("hellos", PARTIES_MIN + 1, PARTICIPANTS_MAX, HELLO_BYTES_MAX),
        )
