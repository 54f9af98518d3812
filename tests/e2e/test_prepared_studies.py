"""Studies prepared by a dealer beforehand, node by node: then the dealer is not there any more.

This file coordinates by hand, phase by phase, over the nodes' control planes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from crash_points import Fate, Point
from federation import Consortium, build, serving

from mpc.canonical import canonical_bytes
from mpc.errors import IntegrityError, StorageError
from mpc.outcome import combine_shares, decode_totals
from mpc.plan.cost import CONFIRMATION_BYTES
from mpc.plan.model import Plan
from mpc.ports import ChargeState
from mpc.session.agreement import Agreement, Phase
from mpc.session.approval import Approval
from mpc.session.establish import OwnHello, make_hello
from mpc.session.hello import NONCE_SIZE, Hello, session_id
from mpc.session.keys import EphemeralKey
from mpc.session.share import ReleasedShare, check_shares, opening_id
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, RunId
from parties.coordinator.client import RunClient
from parties.phases import NAMED
from parties.prepared.store import FOLDER
from parties.system import SystemClock, SystemRandomness
from protos import control_pb2 as wire

HOUSE = "dealing-house"
PARTIES = ("alpha", "bravo", "charlie")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    root = tmp_path_factory.mktemp("prepared")
    with serving(build(root, PARTIES, module="crashing_node", dealer=HOUSE)) as consortium:
        yield consortium


@pytest.fixture
def dealt(shared: Consortium) -> Iterator[Consortium]:
    yield shared
    shared.mend()


class Run:
    """One run of ``plan``, of which this test has every party's approval."""

    def __init__(self, consortium: Consortium) -> None:
        self.consortium = consortium
        self.office = consortium.office
        self.plan: Plan = consortium.plan()
        self.study = canonical_bytes(study_to_plain(self.plan.study))
        self.roster = canonical_bytes(self.plan.roster.to_plain())
        self.approvals = [self._approval(party) for party in consortium.parties]
        self.hellos: tuple[bytes, ...] = ()
        self.id: RunId = self._agreement(Phase.WHOLE).run

    def _approval(self, party: str) -> Approval:
        proposal = wire.Proposal(
            study=self.study, roster=self.roster, plan_digest=self.plan.digest
        )  # fmt: skip
        with self.consortium.client(party) as client:
            judgement = client.propose(proposal)
        assert judgement.verdict == wire.Judgement.APPROVED, judgement
        return Approval.from_bytes(judgement.approval)

    def _agreement(self, phase: Phase) -> Agreement:
        return Agreement.of(self.plan, self.approvals, SystemClock().unix_s(), phase=phase)

    def _client(self, member: PartyId) -> RunClient:
        found = self.plan.roster.member(member)
        return RunClient(self.office.identity, found, self.consortium.server(member).address)

    def start(self, phase: Phase, member: PartyId) -> wire.Started:
        request = wire.StartRequest(
            plan_digest=self.plan.digest,
            approvals=[approval.to_bytes() for approval in self.approvals],
            study=self.study,
            roster=self.roster,
            phase=NAMED[phase],
        )
        with self._client(member) as client:
            return client.start(request)

    def go(self, phase: Phase) -> dict[PartyId, wire.Problem]:
        """``phase`` with everyone in it, to its end; how it ended for each one it failed for."""
        agreement = self._agreement(phase)
        own = self.own(phase)
        started = {member: self.start(phase, member) for member in agreement.linked}
        self.hellos = (*(started[member].hello for member in agreement.linked), own.data)
        pairing = own.agree_as_coordinator(self.hellos)
        addresses = [
            wire.Address(party=member, address=said.address, direct=said.direct)
            for member, said in started.items()
        ]
        with ExitStack() as stack:
            clients = {m: stack.enter_context(self._client(m)) for m in agreement.linked}
            for member, client in clients.items():
                told = client.connect(
                    wire.ConnectRequest(
                        run=self.id, addresses=addresses, hellos=self.hellos,
                        confirmation=pairing.confirmations[member],
                    )
                )  # fmt: skip
                pairing.check(member, told.confirmation)
            ends = {member: list(client.watch(self.id))[-1] for member, client in clients.items()}
        assert all(end.final for end in ends.values())
        return {m: end.problem for m, end in ends.items() if end.HasField("problem")}

    def own(self, phase: Phase) -> OwnHello:
        """The coordinator's Hello for ``phase``."""
        identity = self.office.identity
        agreement = self._agreement(phase)
        return make_hello(agreement, identity.member.id, identity.sign, SystemRandomness())

    def posed(self, member: str) -> bytes:
        """A Hello for ``member``, by the coordinator."""
        key, nonce = EphemeralKey(SystemRandomness()).public, bytes(NONCE_SIZE)
        agreement, sign = self._agreement(Phase.WHOLE), self.office.identity.sign
        return Hello.sign(agreement, PartyId(member), key, nonce, sign).to_bytes()

    def connect_alone(self, member: str, hellos: Sequence[bytes]) -> None:
        """Hand ``hellos`` to one party, whatever the others were given."""
        nobody = bytes(CONFIRMATION_BYTES)
        request = wire.ConnectRequest(run=self.id, hellos=hellos, confirmation=nobody)
        with self._client(PartyId(member)) as client:
            client.connect(request)

    def holders(self) -> list[str]:
        """The parties with a file for this run, whole or in part."""
        parties = self.consortium.parties
        return [party for party in parties if list(self.folder(party).glob(f"{self.id}*"))]

    def folder(self, party: str) -> Path:
        return self.consortium.node(party).directory / "state" / FOLDER

    def shares(self) -> list[ReleasedShare]:
        """Every party's, checked for the last session."""
        shares = []
        for party in self.consortium.parties:
            with self.consortium.client(party) as client:
                shares.append(ReleasedShare.from_bytes(client.collect(self.id).share))
        session = session_id(self.hellos)
        roster, digest = self.plan.roster, self.plan.digest
        check_shares(roster, digest, self.id, session, opening_id(session), shares)
        return shares

    def totals(self, shares: Sequence[ReleasedShare]) -> Sequence[int]:
        return combine_shares(self.plan, [share.words for share in shares])


def test_study_is_prepared_with_the_dealer_and_released_when_that_is_gone(
    dealt: Consortium,
) -> None:
    run, before = Run(dealt), dealt.ledgers()

    assert run.go(Phase.PREPARING) == {}

    assert dealt.ledgers() == before
    assert run.holders() == list(PARTIES)
    dealt.kill(HOUSE)
    dealt.kill("bravo")
    dealt.restart("bravo")

    assert run.go(Phase.PREPARED) == {}

    answers = decode_totals(run.plan, run.totals(run.shares()))
    assert len(answers) == len(run.plan.questions)
    assert dealt.charges(run.plan) == dict.fromkeys(PARTIES, (ChargeState.COMMITTED,))
    assert run.holders() == []
    after = dealt.ledgers()
    for phase in (Phase.PREPARING, Phase.PREPARED, Phase.WHOLE):
        with pytest.raises(IntegrityError, match="this run was started before"):
            run.start(phase, PartyId("alpha"))
    dealt.kill("alpha")
    dealt.restart("alpha")
    with pytest.raises(IntegrityError, match="was used, or is over"):
        run.start(Phase.PREPARED, PartyId("alpha"))
    with pytest.raises(IntegrityError, match="used by an earlier start"):
        run.start(Phase.PREPARING, PartyId("alpha"))
    assert dealt.ledgers() == after


def test_run_that_was_not_prepared_is_refused_and_uses_up_no_approval(dealt: Consortium) -> None:
    run, before = Run(dealt), dealt.ledgers()
    for party in PARTIES:
        with pytest.raises(IntegrityError, match=f"{party}: nothing is prepared here for this run"):
            run.start(Phase.PREPARED, PartyId(party))
    with pytest.raises(IntegrityError, match="what was prepared needs no dealer"):
        run.start(Phase.PREPARED, PartyId(HOUSE))
    assert dealt.ledgers() == before
    assert run.go(Phase.WHOLE) == {}
    assert run.shares()


def test_party_that_lost_its_file_is_named_and_the_others_keep_theirs(dealt: Consortium) -> None:
    run, before = Run(dealt), dealt.ledgers()
    assert run.go(Phase.PREPARING) == {}
    (run.folder("alpha") / run.id).unlink()
    with pytest.raises(StorageError, match="is gone: prepared material is in no backup") as lost:
        run.go(Phase.PREPARED)
    assert lost.value.party == "alpha"
    assert run.holders() == ["bravo", "charlie"]
    assert dealt.ledgers() == before


def test_prepared_run_that_is_called_off_leaves_no_material_and_never_starts_again(
    dealt: Consortium,
) -> None:
    run, before = Run(dealt), dealt.ledgers()
    assert run.go(Phase.PREPARING) == {}
    for party in PARTIES:
        run.start(Phase.PREPARED, PartyId(party))
        with dealt.client(party) as client:
            client.cancel(run.id, "called off")
    assert run.holders() == []
    for party in PARTIES:
        with pytest.raises(IntegrityError, match="this run was started before"):
            run.start(Phase.PREPARED, PartyId(party))
    assert dealt.ledgers() == before


def test_party_whose_file_was_changed_stops_the_study_and_nobody_is_charged(
    dealt: Consortium,
) -> None:
    run, before = Run(dealt), dealt.ledgers()
    assert run.go(Phase.PREPARING) == {}
    file = run.folder("charlie") / run.id
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)

    problems = run.go(Phase.PREPARED)

    assert set(problems) == set(PARTIES)
    assert "prepared material's file was changed" in problems[PartyId("charlie")].message
    others = [problems[PartyId(party)] for party in ("alpha", "bravo")]
    assert [problem.party for problem in others] == ["charlie"] * 2
    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in PARTIES)
    assert dealt.charges(run.plan) == dict.fromkeys(PARTIES, ())
    assert run.holders() == []


def test_dealer_lost_while_it_prepares_leaves_nothing_and_the_run_may_go_on_with_it(
    dealt: Consortium,
) -> None:
    run, before = Run(dealt), dealt.ledgers()
    dealt.crash(HOUSE, Point.CORRECT, Fate.WORKER_KILLED)
    problems = run.go(Phase.PREPARING)
    assert dealt.crashed(HOUSE)
    assert problems[PartyId("charlie")].party == HOUSE
    assert "charlie" not in run.holders()
    assert dealt.ledgers() == before
    dealt.mend()
    with pytest.raises(IntegrityError, match="charlie: nothing is prepared here for this run"):
        run.start(Phase.PREPARED, PartyId("charlie"))
    assert run.go(Phase.WHOLE) == {}
    assert run.shares()


def test_preparing_that_is_called_off_leaves_nothing_and_costs_nothing(dealt: Consortium) -> None:
    run, before = Run(dealt), dealt.ledgers()
    for member in (*PARTIES, HOUSE):
        assert run.start(Phase.PREPARING, PartyId(member)).run == run.id
        with pytest.raises(IntegrityError, match=f"{member}: this run was started before"):
            run.start(Phase.WHOLE, PartyId(member))
        with dealt.client(member) as client:
            client.cancel(run.id, "called off")
    assert run.holders() == []
    assert dealt.ledgers() == before
    assert run.go(Phase.WHOLE) == {}


def test_parties_that_are_started_in_different_phases_refuse_each_other_and_nobody_is_charged(
    dealt: Consortium,
) -> None:
    run, before = Run(dealt), dealt.ledgers()
    assert run.go(Phase.PREPARING) == {}
    phases = {"alpha": Phase.PREPARED, "bravo": Phase.WHOLE, "charlie": Phase.WHOLE}
    said = {party: run.start(phase, PartyId(party)).hello for party, phase in phases.items()}
    dealer = run.start(Phase.WHOLE, PartyId(HOUSE)).hello

    prepared = (*said.values(), run.own(Phase.PREPARED).data)
    with pytest.raises(IntegrityError, match="bravo: its Hello is refused: it has another proto"):
        run.connect_alone("alpha", prepared)
    whole = (*said.values(), dealer, run.own(Phase.WHOLE).data)
    for party in ("bravo", "charlie"):
        with pytest.raises(IntegrityError, match="alpha: its Hello is refused: it has another"):
            run.connect_alone(party, whole)
    with dealt.client(HOUSE) as client:
        client.cancel(run.id, "called off")

    assert run.holders() == []
    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in PARTIES)
    assert dealt.charges(run.plan) == dict.fromkeys(PARTIES, ())


def test_parties_that_are_started_without_the_dealer_do_not_meet_and_nobody_is_charged(
    dealt: Consortium,
) -> None:
    run, before = Run(dealt), dealt.ledgers()
    said = [run.start(Phase.WHOLE, PartyId(party)).hello for party in PARTIES]
    own = run.own(Phase.WHOLE).data

    with pytest.raises(IntegrityError, match="4 Hellos where the session has 5 participants"):
        run.connect_alone("alpha", [*said, own])
    for party in ("bravo", "charlie"):
        with pytest.raises(IntegrityError, match=f"{HOUSE}: its signature on .* does not hold"):
            run.connect_alone(party, [*said, run.posed(HOUSE), own])

    after = dealt.ledgers()
    assert all(after[party].balance == before[party].balance for party in PARTIES)
    assert dealt.charges(run.plan) == dict.fromkeys(PARTIES, ())
