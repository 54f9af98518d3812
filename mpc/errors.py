"""Every error of the project, grouped by who must act.

An error names the file, row, column, party or question it is about, and never carries a data
value. ``code`` is stable and documented; ``exit_code`` is what the command line returns. None of
them is a ``RuntimeError``: CrypTen retries on any RuntimeError and would hide ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ParleyError(Exception):
    """Base of all our errors: a stable code, a sentence, whom it names, a hint at what to do."""

    code: ClassVar[str] = "PLY-X000"
    exit_code: ClassVar[int] = 70
    who_acts: ClassVar[str] = "the developers of Parley"

    def __init__(self, what: str, *, party: str = "", hint: str = "") -> None:
        self.what = what
        self.party = party
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """What is wrong, after the party that it is about, if it is about one."""
        return f"{self.party}: {self.what}" if self.party else self.what

    def what_of(self, party: str) -> str:
        """What is wrong, for a line that names ``party`` already: its name is not said again."""
        return self.what if self.party == party else self.message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True)
class Fault:
    """One fault of a file: where it is, what is wrong, what is allowed. Line and column from 1."""

    code: str
    path: str
    what: str
    allowed: str = ""
    line: int = 0
    column: int = 0

    def render(self, file: str) -> str:
        """``file:line:column code path: what; what is allowed``."""
        tail = f"; {self.allowed}" if self.allowed else ""
        return f"{file}:{self.line}:{self.column} {self.code} {self.path}: {self.what}{tail}"


class FileFaults(ParleyError):
    """A file we were given is wrong; carries every fault of it at once."""

    code = "PLY-F000"
    exit_code = 2
    who_acts = "the author of the file"

    def __init__(self, file: str, faults: tuple[Fault, ...], *, hint: str = "") -> None:
        if not faults:
            raise ValueError("FileFaults needs at least one fault")
        self.file = file
        self.faults = faults
        super().__init__("\n".join(fault.render(file) for fault in faults), hint=hint)

    def __str__(self) -> str:
        return self.message


class StudyFaults(FileFaults):
    """The scenario file is wrong (codes PLY-S…)."""

    code = "PLY-S000"
    who_acts = "the author of the scenario"


class DataFaults(FileFaults):
    """A data set does not match its owner's own schema (codes PLY-D…). For that owner alone."""

    code = "PLY-D000"
    who_acts = "the owner of the data"


class ConfigFaults(FileFaults):
    """A node, policy or coordinator file is wrong (codes PLY-C…)."""

    code = "PLY-C000"
    who_acts = "whoever keeps this file"


class UsageError(ParleyError):
    """The command or call was given something it cannot use."""

    code = "PLY-U001"
    exit_code = 2
    who_acts = "whoever typed the command"


class PlanRefusal(ParleyError):
    """The planner cannot prove the study safe; names the question and the bound."""

    code = "PLY-P001"
    exit_code = 2
    who_acts = "the author of the scenario"

    def __init__(self, question: str, what: str, *, hint: str = "") -> None:
        self.question = question
        super().__init__(f"{question}: {what}" if question else what, hint=hint)


@dataclass(frozen=True)
class RefusalReason:
    """Why one party refuses a plan, and what would be allowed there. Texts are the party's own."""

    party: str
    code: str
    what: str
    allowed: str = ""

    def render(self) -> str:
        """``code what (allowed: …)``."""
        tail = f" (allowed: {self.allowed})" if self.allowed else ""
        return f"{self.code} {self.what}{tail}".strip()


class PolicyRefusal(ParleyError):
    """A party's own policy, or a person there, says no. Nothing was computed or spent."""

    code = "PLY-R001"
    exit_code = 3
    who_acts = "the owner named, or the author of the scenario"

    def __init__(
        self, party: str, what: str, *, hint: str = "", reasons: tuple[RefusalReason, ...] = ()
    ) -> None:
        self.reasons = reasons
        super().__init__(what, party=party, hint=hint)


class BudgetRefusal(ParleyError):
    """The privacy budget would be exceeded. The request consumed nothing."""

    code = "PLY-B001"
    exit_code = 4
    who_acts = "the owner named, or the author of the scenario"

    def __init__(
        self,
        what: str,
        *,
        party: str = "",
        hint: str = "",
        reasons: tuple[RefusalReason, ...] = (),
    ) -> None:
        self.reasons = reasons
        super().__init__(what, party=party, hint=hint)


class IdentityError(ParleyError):
    """A certificate or pinned key is wrong, expired, not yet valid or another's."""

    code = "PLY-I001"
    exit_code = 5
    who_acts = "whoever holds the certificate named"


class TransportError(ParleyError):
    """The network failed, or a wait met its deadline."""

    code = "PLY-N001"
    exit_code = 5
    who_acts = "the operators of the link named"


class PeerError(ParleyError):
    """A peer died, froze or deviated from the protocol; names it."""

    code = "PLY-N002"
    exit_code = 5
    who_acts = "the operator of the party named"

    def __init__(self, party: str, what: str, *, hint: str = "") -> None:
        super().__init__(what, party=party, hint=hint)


class ListenError(TransportError):
    """The address that a node is to listen on cannot be bound: most often its port is taken."""

    code = "PLY-N003"
    who_acts = "the operator of this node"


class AwaitingApproval(ParleyError):
    """A person has yet to decide, or a deadline passed."""

    code = "PLY-A001"
    exit_code = 6
    who_acts = "the party named"


class Busy(ParleyError):
    """A node holds as many studies, requests or calls as it may. Nothing was changed."""

    code = "PLY-A003"
    exit_code = 6
    who_acts = "nobody: try again when fewer are under way"


class StudyUnderWay(ParleyError):
    """The study has not ended yet; what becomes of it is open."""

    code = "PLY-A002"
    exit_code = 6
    who_acts = "nobody yet: ask again when it is over"


class IntegrityError(ParleyError):
    """A signature, digest, proof or agreed plan does not hold."""

    code = "PLY-G001"
    exit_code = 7
    who_acts = "whoever sent the object named"


class LedgerOutdated(IntegrityError):
    """A party's ledger is an older copy than what it showed its peers before. Nothing was spent."""

    code = "PLY-G002"
    who_acts = "the owner of the party named"


class LedgerError(ParleyError):
    """The ledger refuses a step out of order (charge twice, commit what is not reserved)."""

    code = "PLY-L001"
    exit_code = 70
    who_acts = "the developers of Parley"


class StorageError(ParleyError):
    """A database or file of this participant could not be read or written."""

    code = "PLY-T001"
    exit_code = 8
    who_acts = "the operators of this machine"


class NotCommitted(ParleyError):
    """A party committed nothing for this run, so there is no result. Final."""

    code = "PLY-E002"
    exit_code = 1
    who_acts = "whoever ran the study: run it again"


class ChargeKept(NotCommitted):
    """As NotCommitted, and the party keeps the charge: its rows may be why the run ended there."""

    code = "PLY-E005"


class UnknownStudy(ParleyError):
    """A node knows no such run or approved plan, at least not since it started."""

    code = "PLY-E003"
    exit_code = 1
    who_acts = "whoever runs the study: propose it again"


class StudyAborted(ParleyError):
    """A study ended without a result. What was committed stays charged."""

    code = "PLY-E001"
    exit_code = 1
    who_acts = "the party or the link named"


class EngineFailed(ParleyError):
    """An owner's engine failed while it read rows. Its charge is kept: rows may be the reason."""

    code = "PLY-E004"
    exit_code = 1
    who_acts = "the operators of the party named"


class SecretMisuseError(ParleyError):
    """Code tried to read, copy, serialise or reopen a sealed value: our bug."""

    code = "PLY-X001"


class ContractError(ParleyError):
    """Code called a part of Parley in a way that its contract excludes: our bug."""

    code = "PLY-X002"
