"""What a run was agreed on, as the coordinator keeps it: enough for a receipt, but the shares."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.canonical import Plain, canonical_bytes, from_canonical
from mpc.errors import IntegrityError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.roster import Roster
from mpc.session.approval import Approval
from mpc.study.canonical import study_from_plain, study_to_plain


@dataclass(frozen=True)
class RunAgreement:
    """A plan, every party's approval in roster order, and all Hellos, the coordinator's last."""

    plan: Plan
    approvals: tuple[Approval, ...]
    hellos: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Canonical bytes for the coordinator's database."""
        plain: Plain = {
            "study": study_to_plain(self.plan.study),
            "roster": self.plan.roster.to_plain(),
            "approvals": [approval.to_plain() for approval in self.approvals],
            "hellos": [hello.hex() for hello in self.hellos],
        }
        return canonical_bytes(plain)

    @classmethod
    def from_bytes(cls, data: bytes) -> RunAgreement:
        """The agreement that :meth:`to_bytes` wrote."""
        plain = from_canonical(data)
        if not isinstance(plain, dict):
            raise IntegrityError("the coordinator's record of a run is broken")
        approvals, hellos = plain["approvals"], plain["hellos"]
        if not isinstance(approvals, list) or not isinstance(hellos, list):
            raise IntegrityError("the coordinator's record of a run is broken")
        plan = plan_study(study_from_plain(plain["study"]), Roster.from_plain(plain["roster"]))
        return cls(
            plan=plan,
            approvals=tuple(Approval.from_plain(approval) for approval in approvals),
            hellos=tuple(bytes.fromhex(str(hello)) for hello in hellos),
        )
