from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WHOLE: _ClassVar[Phase]
    PREPARING: _ClassVar[Phase]
    PREPARED: _ClassVar[Phase]
WHOLE: Phase
PREPARING: Phase
PREPARED: Phase

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Description(_message.Message):
    __slots__ = ("party", "organization", "software", "tables", "noises")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    NOISES_FIELD_NUMBER: _ClassVar[int]
    party: str
    organization: str
    software: str
    tables: bytes
    noises: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, party: _Optional[str] = ..., organization: _Optional[str] = ..., software: _Optional[str] = ..., tables: _Optional[bytes] = ..., noises: _Optional[_Iterable[str]] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("study", "roster", "plan_digest", "dry_run", "fresh")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    ROSTER_FIELD_NUMBER: _ClassVar[int]
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    study: bytes
    roster: bytes
    plan_digest: str
    dry_run: bool
    fresh: bool
    def __init__(self, study: _Optional[bytes] = ..., roster: _Optional[bytes] = ..., plan_digest: _Optional[str] = ..., dry_run: _Optional[bool] = ..., fresh: _Optional[bool] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "what", "allowed")
    CODE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    code: str
    what: str
    allowed: str
    def __init__(self, code: _Optional[str] = ..., what: _Optional[str] = ..., allowed: _Optional[str] = ...) -> None: ...

class Judgement(_message.Message):
    __slots__ = ("verdict", "approval", "reasons", "run", "manual", "budget", "contact")
    class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VERDICT_UNSPECIFIED: _ClassVar[Judgement.Verdict]
        APPROVED: _ClassVar[Judgement.Verdict]
        REFUSED: _ClassVar[Judgement.Verdict]
        PENDING: _ClassVar[Judgement.Verdict]
        RELEASED: _ClassVar[Judgement.Verdict]
        ACCEPTABLE: _ClassVar[Judgement.Verdict]
    VERDICT_UNSPECIFIED: Judgement.Verdict
    APPROVED: Judgement.Verdict
    REFUSED: Judgement.Verdict
    PENDING: Judgement.Verdict
    RELEASED: Judgement.Verdict
    ACCEPTABLE: Judgement.Verdict
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    MANUAL_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    verdict: Judgement.Verdict
    approval: bytes
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    run: str
    manual: bool
    budget: Budget
    contact: str
    def __init__(self, verdict: _Optional[_Union[Judgement.Verdict, str]] = ..., approval: _Optional[bytes] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., run: _Optional[str] = ..., manual: _Optional[bool] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ..., contact: _Optional[str] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("published", "rho_cap_pico", "rho_left_pico", "delta")
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    RHO_CAP_PICO_FIELD_NUMBER: _ClassVar[int]
    RHO_LEFT_PICO_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    published: bool
    rho_cap_pico: int
    rho_left_pico: int
    delta: str
    def __init__(self, published: _Optional[bool] = ..., rho_cap_pico: _Optional[int] = ..., rho_left_pico: _Optional[int] = ..., delta: _Optional[str] = ...) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ("plan_digest", "approvals", "study", "roster", "phase")
    PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    STUDY_FIELD_NUMBER: _ClassVar[int]
    ROSTER_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    plan_digest: str
    approvals: _containers.RepeatedScalarFieldContainer[bytes]
    study: bytes
    roster: bytes
    phase: Phase
    def __init__(self, plan_digest: _Optional[str] = ..., approvals: _Optional[_Iterable[bytes]] = ..., study: _Optional[bytes] = ..., roster: _Optional[bytes] = ..., phase: _Optional[_Union[Phase, str]] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("run", "address", "hello", "direct")
    RUN_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DIRECT_FIELD_NUMBER: _ClassVar[int]
    run: str
    address: str
    hello: bytes
    direct: bool
    def __init__(self, run: _Optional[str] = ..., address: _Optional[str] = ..., hello: _Optional[bytes] = ..., direct: _Optional[bool] = ...) -> None: ...

class ConnectRequest(_message.Message):
    __slots__ = ("run", "addresses", "hellos", "confirmation")
    RUN_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    HELLOS_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    run: str
    addresses: _containers.RepeatedCompositeFieldContainer[Address]
    hellos: _containers.RepeatedScalarFieldContainer[bytes]
    confirmation: bytes
    def __init__(self, run: _Optional[str] = ..., addresses: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., hellos: _Optional[_Iterable[bytes]] = ..., confirmation: _Optional[bytes] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("party", "address", "direct")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DIRECT_FIELD_NUMBER: _ClassVar[int]
    party: str
    address: str
    direct: bool
    def __init__(self, party: _Optional[str] = ..., address: _Optional[str] = ..., direct: _Optional[bool] = ...) -> None: ...

class Connected(_message.Message):
    __slots__ = ("confirmation",)
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    confirmation: bytes
    def __init__(self, confirmation: _Optional[bytes] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: str
    def __init__(self, run: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("name", "final", "problem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    final: bool
    problem: Problem
    def __init__(self, name: _Optional[str] = ..., final: _Optional[bool] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "message", "party")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    party: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., party: _Optional[str] = ...) -> None: ...

class Collected(_message.Message):
    __slots__ = ("share", "budget")
    SHARE_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    share: bytes
    budget: Budget
    def __init__(self, share: _Optional[bytes] = ..., budget: _Optional[_Union[Budget, _Mapping]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("run", "reason")
    RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    run: str
    reason: str
    def __init__(self, run: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Cancelled(_message.Message):
    __slots__ = ("was_running",)
    WAS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    was_running: bool
    def __init__(self, was_running: _Optional[bool] = ...) -> None: ...

class HealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthReport(_message.Message):
    __slots__ = ("ready", "party", "software", "runs")
    READY_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    party: str
    software: str
    runs: int
    def __init__(self, ready: _Optional[bool] = ..., party: _Optional[str] = ..., software: _Optional[str] = ..., runs: _Optional[int] = ...) -> None: ...
