"""Receipts: one spelling, a strict form, and all that verification needs."""

from __future__ import annotations

from typing import Any

import pytest
from receipts import Run, federation, run_of

from mpc.canonical import canonical_bytes
from mpc.errors import IntegrityError
from mpc.outcome import decode_totals
from parties.report.receipt import RECEIPT_SIZE_MAX, load_receipt, receipt_bytes
from parties.report.verify import NO_PINS, verify_receipt


def test_genuine_receipt_holds_and_gives_the_answers(run: Run) -> None:
    verified = verify_receipt(run.receipt(), run.members.pins)
    assert list(verified.released) == run.totals
    assert verified.answers == decode_totals(run.plan, run.totals)
    assert verified.plan.digest == run.plan.digest
    assert verified.pinned
    assert verified.warnings == ()
    assert [check.name for check in verified.checks] == [
        "plan", "coordinator's signature", "certificates", "roster", "times", "approvals",
        "handshake", "shares", "sum", "answers",
    ]  # fmt: skip


def test_without_a_roster_file_a_receipt_is_only_consistent(run: Run) -> None:
    verified = verify_receipt(run.receipt(), None)
    assert not verified.pinned
    assert verified.warnings == (NO_PINS,)


def test_pins_of_the_parties_alone_warn_about_the_coordinators_times(run: Run) -> None:
    pins = {party.id: party.fingerprint for party in run.members.roster.parties}
    verified = verify_receipt(run.receipt(), pins)
    assert verified.pinned
    assert "office is not in the roster file" in verified.warnings[0]


def test_further_participants_in_the_roster_file_do_no_harm(run: Run) -> None:
    pins = {**run.members.pins, "elsewhere": "sha256:" + "00" * 32}
    assert verify_receipt(run.receipt(), pins).warnings == ()


@pytest.mark.parametrize("count", [2, 5, 16])
def test_receipts_of_two_to_sixteen_parties_hold(
    tmp_path_factory: pytest.TempPathFactory, count: int
) -> None:
    members = federation(tmp_path_factory.mktemp("many"), [f"p-{i}" for i in range(count)])
    run = run_of(members)
    assert list(run.verified().released) == run.totals


def test_receipt_holds_what_a_reader_needs_to_know(run: Run) -> None:
    plain: Any = run.plain()
    assert plain["plan"]["epsilon"] == "1.000000"
    assert {"coalitions", "delta", "event", "roster", "study"} <= set(plain["plan"])
    assert all("epsilon" in question for question in plain["plan"]["questions"])
    assert {share["party"] for share in plain["shares"]} == set(run.members.parties)
    assert all(share["commitment"] and share["software"] for share in plain["shares"])


@pytest.mark.parametrize("field", ["plan", "shares", "signature", "authority", "started_at"])
def test_incomplete_receipt_is_refused(run: Run, field: str) -> None:
    plain = run.plain()
    del plain[field]
    with pytest.raises(IntegrityError, match="exactly the fields"):
        load_receipt(receipt_bytes(plain))


def test_unknown_fields_are_refused_at_every_depth(run: Run) -> None:
    for path in ((), ("shares", 0), ("approvals", 1), ("plan",)):
        plain: Any = run.plain()
        target = plain
        for step in path:
            target = target[step]
        target["note"] = "x"
        with pytest.raises(IntegrityError):
            verify_receipt(load_receipt(canonical_bytes(plain)), run.members.pins)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "parley-receipt/2"),
        ("released", ["1.5"]),
        ("released", ["01"]),
        ("released", ["-0"]),
        ("released", [1]),
        ("released", []),
        ("started_at", -1),
        ("started_at", True),
        ("started_at", 10**15),
        ("session", "00"),
        ("signature", "zz" * 64),
        ("signature", "AB" * 64),
        ("shares", []),
        ("approvals", {}),
        ("hellos", [None, None, None]),
        ("plan", []),
        ("authority", ""),
        ("software", "a" * 1000),
    ],
)
def test_misshapen_field_is_refused(run: Run, field: str, value: Any) -> None:
    plain = {**run.plain(), field: value}
    with pytest.raises(IntegrityError):
        verify_receipt(load_receipt(receipt_bytes(plain)), run.members.pins)


def test_other_spellings_of_a_receipt_are_refused(run: Run) -> None:
    data = receipt_bytes(run.plain())
    for other in (data + b"\n", b" " + data, data[:-1], data[1:], b"", b"null", b"[" * 100_000,
                  data.replace(b":", b": ", 1), data[:-1] + b',"software":"x"}'):  # fmt: skip
        with pytest.raises(IntegrityError):
            load_receipt(other)


def test_oversized_receipt_is_refused_before_it_is_read() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return RECEIPT_SIZE_MAX + 1

    with pytest.raises(IntegrityError, match="at most"):
        load_receipt(Huge(b"{}"))


def test_receipt_is_not_built_without_every_share_or_with_foreign_approvals(run: Run) -> None:
    with pytest.raises(IntegrityError, match="no result without all"):
        run.plain(shares=run.shares[:-1])
    with pytest.raises(IntegrityError):
        run.plain(approvals=run.approvals[::-1])
