"""``parley requests``: what a person may say, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mpc.errors import UsageError
from mpc.units import PartyId, PlanDigest, RunId
from parties.cli import app
from parties.new_files import node_text
from parties.node.parts import REQUESTS
from parties.node.requests import BegunRun, RequestState, RequestStore
from parties.system import SystemClock

PLAN = PlanDigest("ab" * 32)
FAR = 1 << 40


@pytest.fixture
def config(tmp_path: Path) -> Path:
    text = node_text(
        party="clinic-a", coordinator="office", host="127.0.0.1", port=7100, table="stays",
        rows_max=10_000,
    )  # fmt: skip
    file = tmp_path / "node.yaml"
    file.write_text(text.replace("peers: {}", f"peers: {{office: 'sha256:{'0' * 64}'}}"))
    return file


@pytest.fixture
def store(config: Path) -> RequestStore:
    made = RequestStore(config.parent / "state" / REQUESTS, SystemClock())
    made.ask(PLAN, "stays-1", "office", "{}", 100)
    return made


def requests(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["requests", *arguments, "--config", str(config)])


def answered(config: Path, *arguments: str) -> dict[str, Any]:
    done = requests(config, *arguments, "--json")
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)["data"]
    return said


@pytest.mark.parametrize("by", ["", "  ", "x" * 201, "M.\nOkafor", "a\u202eb", "policy"])
def test_name_that_an_approval_cannot_carry_is_refused_before_anything_is_decided(
    config: Path, store: RequestStore, by: str
) -> None:
    for action in (["approve"], ["refuse", "--reason", "no vote"]):
        refused = requests(config, action[0], PLAN[:12], "--by", by, *action[1:])
        assert refused.exit_code == 2
        assert "--by" in refused.output
    assert store.list()[0].state is RequestState.PENDING
    assert store.decisions(PLAN) == ()


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "no\x07"])
def test_refusal_needs_a_reason_that_can_be_sent(
    config: Path, store: RequestStore, reason: str
) -> None:
    refused = requests(config, "refuse", PLAN[:12], "--by", "M. Okafor", "--reason", reason)
    assert refused.exit_code == 2
    assert "--reason" in refused.output
    assert store.list()[0].state is RequestState.PENDING


@pytest.mark.parametrize(("prefix", "told"), [("ababa", "at least its first 6"), ("cdcdcd", "no")])
def test_prefix_that_is_short_or_of_no_request_decides_nothing(
    config: Path, store: RequestStore, prefix: str, told: str
) -> None:
    refused = requests(config, "approve", prefix, "--by", "M. Okafor")
    assert refused.exit_code == 2
    assert told in refused.output
    assert store.list()[0].state is RequestState.PENDING


def test_refusal_that_was_reconsidered_waits_again_and_its_history_is_kept(
    config: Path, store: RequestStore
) -> None:
    by = ("--by", "M. Okafor")
    answered(config, "refuse", PLAN[:6], *by, "--reason", "no vote")
    second = requests(config, "approve", PLAN[:6], *by)
    assert "refused already" in second.output
    assert "reconsider" in second.output
    said = answered(config, "reconsider", PLAN[:6], *by, "--reason", "vote received")
    assert (said["state"], said["decided_by"], said["reason"]) == ("pending", "", "")
    answered(config, "approve", PLAN[:6], *by)
    assert [(each.state.value, each.reason) for each in store.decisions(PLAN)] == [
        ("refused", "no vote"),
        ("pending", "vote received"),
        ("approved", ""),
    ]


def test_approval_that_was_reconsidered_starts_nothing_and_a_used_one_stays(
    store: RequestStore,
) -> None:
    def begun(run: str) -> BegunRun:
        return BegunRun(RunId(run * 64), PLAN, PartyId("office"), "population")

    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    store.promise("n1", PLAN, "M. Okafor", FAR)
    store.reconsider(PLAN, "M. Okafor", "wrong study")
    with pytest.raises(Exception, match="unknown, expired, or was used"):
        store.use_up("n1", begun("1"))
    with pytest.raises(UsageError, match="pending; nothing can be taken back"):
        store.reconsider(PLAN, "M. Okafor", "again")
    store.decide(PLAN, RequestState.APPROVED, "M. Okafor", "")
    store.promise("n2", PLAN, "M. Okafor", FAR)
    store.use_up("n2", begun("2"))
    with pytest.raises(UsageError, match="used; nothing can be taken back"):
        store.reconsider(PLAN, "M. Okafor", "too late")
