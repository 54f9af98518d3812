"""A coordinator that breaks the rules: refused at the step it breaks, nothing computed or spent.

It has real certificates and is pinned by every party; it takes every step by hand, and one of them
wrongly.
"""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from by_hand import ByHand
from federation import Consortium, rival_office, study_of

from mpc.errors import (
    Busy,
    IntegrityError,
    NotCommitted,
    ParleyError,
    PeerError,
    UnknownStudy,
)
from mpc.plan.build import plan_study
from mpc.ports import ChargeState
from mpc.roster import Roster
from mpc.session.approval import NONCE_SIZE, Approval
from mpc.session.hello import Hello
from mpc.units import PartyId
from parties.config import Workers
from parties.coordinator.client import PartyClient
from parties.coordinator.office import Office
from parties.identity.store import load_identity
from parties.node.main import CALLS_MAX
from parties.node.parts import REQUESTS
from parties.node.requests import RequestStore
from parties.node.runs import WATCHERS_MAX, share_of
from parties.problems import raised_by
from parties.system import SystemClock, SystemRandomness
from protos import control_pb2 as wire

COMMITTED = (ChargeState.COMMITTED,)


@pytest.fixture(scope="session")
def rival(shared_consortium: Consortium) -> Office:
    return rival_office(shared_consortium.federation)


def nothing_spent(consortium: Consortium, before: object) -> None:
    assert consortium.ledgers() == before


def test_plan_changed_after_approval_is_not_started(consortium: Consortium) -> None:
    plan, other, before = consortium.plan(), consortium.plan("2"), consortium.ledgers()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        with pytest.raises(ParleyError, match="approved no such plan"):
            hand.start("alpha", other.digest, approvals)
        hand.approvals(other)  # even if every party approved that one as well
        with pytest.raises(IntegrityError, match="alpha: its approval is of another plan"):
            hand.start("alpha", other.digest, approvals)
        assert consortium.runs_under_way("alpha") == 0
    nothing_spent(consortium, before)


def test_study_that_is_not_of_the_digest_it_came_with_is_refused(consortium: Consortium) -> None:
    plan, other, before = consortium.plan(), consortium.plan("2"), consortium.ledgers()
    with ByHand(consortium) as hand, pytest.raises(IntegrityError, match=r"bravo: .*digest"):
        hand.propose("bravo", plan, study=other.study)
    nothing_spent(consortium, before)


def test_two_parties_sent_different_plans_do_not_start(consortium: Consortium) -> None:
    plan, other, before = consortium.plan(), consortium.plan("2"), consortium.ledgers()
    with ByHand(consortium) as hand:
        approvals = [
            hand.approval("alpha", plan),
            hand.approval("bravo", other),
            hand.approval("charlie", plan),
        ]
        with pytest.raises(IntegrityError, match="bravo: its approval is of another plan"):
            hand.start("alpha", plan.digest, approvals)
        with pytest.raises(IntegrityError, match="alpha: its approval is of another plan"):
            hand.start("bravo", other.digest, approvals)
    nothing_spent(consortium, before)


def test_rosters_that_differ_between_parties_do_not_start(
    consortium: Consortium, rival: Office
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    without = study_of({party: consortium.announced(party) for party in ("alpha", "bravo")})
    smaller = consortium.office.plan(without)
    with ByHand(consortium) as hand:
        refused = hand.propose("charlie", smaller)
        assert refused.verdict == wire.Judgement.REFUSED
        assert "does not list charlie" in refused.reasons[0].what
        foreign = Roster((*plan.roster.parties, rival.identity.member))
        with pytest.raises(IntegrityError, match="alpha: the roster names another coordinator"):
            hand.propose("alpha", plan, roster=foreign)
        with pytest.raises(IntegrityError, match=r"alpha: .*another coordinator"):
            hand.propose("alpha", plan_study(plan.study, foreign))
        approvals = [hand.approval(party, plan) for party in ("alpha", "charlie")]
        approvals.insert(1, hand.approval("bravo", smaller))
        with pytest.raises(IntegrityError, match="bravo: its approval is of another plan"):
            hand.start("alpha", plan.digest, approvals)
    nothing_spent(consortium, before)


def test_certificates_of_two_parties_swapped_in_the_roster_are_refused_by_all(
    consortium: Consortium,
) -> None:
    honest, before = consortium.plan(), consortium.ledgers()
    alpha, bravo, charlie = honest.roster.parties
    swapped = Roster((
        replace(
            alpha,
            tls_certificate=bravo.tls_certificate,
            signing_certificate=bravo.signing_certificate,
        ),
        replace(
            bravo,
            tls_certificate=alpha.tls_certificate,
            signing_certificate=alpha.signing_certificate,
        ),
        charlie,
        honest.roster.coordinator,
    ))  # fmt: skip
    plan = plan_study(honest.study, swapped)
    with ByHand(consortium) as hand:
        for party, what in (
            ("alpha", "other certificates for alpha than its own"),
            ("bravo", "certificates presented for party alpha"),
            ("charlie", "certificates presented for party alpha"),
        ):
            judgement = hand.propose(party, plan)
            assert judgement.verdict == wire.Judgement.REFUSED
            assert what in judgement.reasons[0].what
            assert not judgement.approval
    nothing_spent(consortium, before)


def test_signing_key_of_another_party_in_the_roster_is_refused(consortium: Consortium) -> None:
    honest, before = consortium.plan(), consortium.ledgers()
    alpha, bravo, charlie = honest.roster.parties
    mixed = replace(alpha, signing_certificate=bravo.signing_certificate)
    other = replace(bravo, signing_certificate=alpha.signing_certificate)
    plan = plan_study(honest.study, Roster((mixed, other, charlie, honest.roster.coordinator)))
    with ByHand(consortium) as hand:
        for party in consortium.parties:
            judgement = hand.propose(party, plan)
            assert judgement.verdict == wire.Judgement.REFUSED
            assert not judgement.approval
    nothing_spent(consortium, before)


def test_start_is_not_replayed(consortium: Consortium) -> None:
    plan = consortium.plan()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        run = hand.start_all(plan, approvals)
        before = consortium.ledgers()
        for party in consortium.parties:
            with pytest.raises(IntegrityError, match=f"{party}: this run was started before"):
                hand.start(party, plan.digest, approvals)
            assert consortium.runs_under_way(party) == 1
        nothing_spent(consortium, before)
        for client in hand.clients.values():
            client.cancel(run, "over")
        with pytest.raises(IntegrityError, match="this run was started before"):
            hand.start("alpha", plan.digest, approvals)


def test_start_of_a_finished_run_is_not_replayed(consortium: Consortium) -> None:
    plan = consortium.plan()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        run = hand.start_all(plan, approvals)
        own = hand.hello(plan, approvals)
        hellos = hand.hellos(own)
        pairing = own.agree_as_coordinator(hellos)
        for party in consortium.parties:
            hand.connect(party, run, hellos, pairing)
        for party in consortium.parties:
            assert hand.watched(party, run).code == ""
        paid = consortium.ledgers()
        for party in consortium.parties:
            with pytest.raises(IntegrityError, match="this run was started before"):
                hand.start(party, plan.digest, approvals)
            with pytest.raises(IntegrityError, match="connected before"):
                hand.connect(party, run, hellos, pairing)
    nothing_spent(consortium, paid)


def test_approval_of_an_earlier_run_does_not_make_another_run(consortium: Consortium) -> None:
    plan = consortium.plan()
    with ByHand(consortium) as hand:
        earlier = hand.approvals(plan)
        run = hand.start_all(plan, earlier)
        for client in hand.clients.values():
            client.cancel(run, "over")
        before = consortium.ledgers()
        mixed = [hand.approval("alpha", plan), earlier[1], hand.approval("charlie", plan)]
        with pytest.raises(IntegrityError, match=r"bravo: .*used by an earlier start"):
            hand.start("bravo", plan.digest, mixed)
    nothing_spent(consortium, before)


def test_approvals_missing_doubled_or_forged_do_not_start(consortium: Consortium) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        alpha, bravo, charlie = hand.approvals(plan)
        forged = replace(Approval.from_bytes(bravo), approved_by="somebody else").to_bytes()
        for approvals, what in (
            ([alpha, charlie], "missing: bravo"),
            ([alpha, alpha, charlie], "missing: bravo"),
            ([bravo, alpha, charlie], "out of order"),
            ([alpha, forged, charlie], "bravo: its signature"),
            ([alpha] * 50, "more approvals than"),
        ):
            with pytest.raises(IntegrityError, match=what):
                hand.start("alpha", plan.digest, approvals)
        assert consortium.runs_under_way("alpha") == 0
    nothing_spent(consortium, before)


def test_expired_approval_does_not_start(consortium: Consortium) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        alpha, _bravo, charlie = hand.approvals(plan)
        identity = load_identity(consortium.node("bravo").directory / "identity")
        nonce = SystemRandomness().random_bytes(NONCE_SIZE)
        expired = Approval.sign(
            plan_digest=plan.digest,
            party=PartyId("bravo"),
            nonce=nonce,
            expires_unix_s=SystemClock().unix_s() - 1,
            approved_by="policy",
            signer=identity.sign,
        )
        state = consortium.node("bravo").directory / "state"
        office, until = plan.roster.coordinator.id, expired.expires_unix_s
        store = RequestStore(state / REQUESTS, SystemClock())
        store.promise(expired.nonce, plan.digest, office, "policy", until)
        for party in consortium.parties:
            with pytest.raises(IntegrityError, match="bravo: its approval has expired"):
                hand.start(party, plan.digest, [alpha, expired.to_bytes(), charlie])
            assert consortium.runs_under_way(party) == 0
    nothing_spent(consortium, before)


def test_hello_of_another_run_is_refused_by_every_party(consortium: Consortium) -> None:
    plan = consortium.plan()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        earlier = hand.start_all(plan, approvals)
        replayed = hand.started["bravo"].hello
        for client in hand.clients.values():
            client.cancel(earlier, "over")
        before = consortium.ledgers()
        approvals = hand.approvals(plan)
        run = hand.start_all(plan, approvals)
        assert run != earlier
        assert Hello.from_bytes(replayed).key != Hello.from_bytes(hand.started["bravo"].hello).key
        own = hand.hello(plan, approvals)
        pairing = own.agree_as_coordinator(hand.hellos(own))
        given = list(hand.hellos(own))
        given[1] = replayed
        for party, what in (
            ("alpha", "bravo: its Hello is refused: it has other approvals"),
            ("bravo", "bravo: its Hello is refused: it has other approvals"),
        ):
            with pytest.raises(IntegrityError, match=what):
                hand.connect(party, run, given, pairing)
            assert consortium.runs_under_way(party) == 0
    nothing_spent(consortium, before)


def test_parties_given_different_hellos_of_the_coordinator_find_out_and_nobody_pays(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        run = hand.start_all(plan, approvals)
        first, second = hand.hello(plan, approvals), hand.hello(plan, approvals)
        one, two = hand.hellos(first), hand.hellos(second)
        pairings = {
            "alpha": (one, first.agree_as_coordinator(one)),
            "bravo": (two, second.agree_as_coordinator(two)),
        }
        pairings["charlie"] = pairings["alpha"]
        for party, (hellos, pairing) in pairings.items():
            hand.connect(party, run, hellos, pairing)  # each by itself looks right
        for party in consortium.parties:
            assert hand.watched(party, run).code != ""
            assert consortium.charges(plan)[party] == ()
    nothing_spent(consortium, before)


def test_parties_told_of_different_lanes_do_not_meet_and_nobody_pays(
    consortium: Consortium,
) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        run = hand.start_all(plan, approvals)
        own = hand.hello(plan, approvals)
        hellos = hand.hellos(own)
        pairing = own.agree_as_coordinator(hellos)
        for party in consortium.parties:
            hand.started["charlie"].direct = party != "bravo"
            hand.connect(party, run, hellos, pairing)
        for party in consortium.parties:
            assert hand.watched(party, run).code == PeerError.code
    nothing_spent(consortium, before)


def test_run_is_connected_once(consortium: Consortium) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        approvals = hand.approvals(plan)
        run = hand.start_all(plan, approvals)
        own = hand.hello(plan, approvals)
        hellos = hand.hellos(own)
        pairing = own.agree_as_coordinator(hellos)
        hand.connect("alpha", run, hellos, pairing)
        with pytest.raises(IntegrityError, match="alpha: this run was connected before"):
            hand.connect("alpha", run, hellos, pairing)
        nothing_spent(consortium, before)  # alone, alpha gets nowhere
        for client in hand.clients.values():
            client.cancel(run, "over")
    nothing_spent(consortium, before)


def test_cancel_after_the_commit_changes_nothing(consortium: Consortium) -> None:
    plan = consortium.plan()
    with ByHand(consortium) as hand:
        run = hand.connected(plan)
        for party in consortium.parties:
            assert hand.watched(party, run).code == ""
        paid = consortium.ledgers()
        shares = {party: consortium.outbox(party, run) for party in consortium.parties}
        for party, client in hand.clients.items():
            reply = client._stub.Cancel(wire.CancelRequest(run=run, reason="regret"), timeout=10)
            assert reply.was_running is False
            assert client.collect(run).share == shares[party]
    nothing_spent(consortium, paid)
    assert consortium.charges(plan) == dict.fromkeys(consortium.parties, COMMITTED)


def test_watching_without_end_takes_no_more_than_a_few_calls(consortium: Consortium) -> None:
    plan, before = consortium.plan(), consortium.ledgers()
    with ByHand(consortium) as hand:
        run = hand.start_all(plan, hand.approvals(plan))
        client = hand.clients["alpha"]
        most = WATCHERS_MAX * share_of(Workers().at_once, coordinators=2)
        watching = [client.watch(run) for _ in range(most)]
        assert [next(stages).name for stages in watching] == ["started"] * most
        for _ in range(2 * CALLS_MAX):
            with pytest.raises(Busy, match=f"alpha: {most} calls of this coordinator watch"):
                next(client.watch(run))
        assert consortium.runs_under_way("alpha") == 1  # others are heard all the while
        client.cancel(run, "over")
        for stages in watching:
            assert next(stages).final
        with pytest.raises(StopIteration):
            next(watching[0])
    nothing_spent(consortium, before)


def test_run_of_another_coordinator_is_neither_shown_nor_ended(
    consortium: Consortium, rival: Office
) -> None:
    plan = consortium.plan()
    with ByHand(consortium) as hand, ByHand(consortium, rival) as thief:
        approvals = hand.approvals(plan)
        with pytest.raises(IntegrityError, match="alpha: another coordinator than the plan's"):
            thief.start("alpha", plan.digest, approvals)
        run = hand.start_all(plan, approvals)
        client = thief.clients["alpha"]
        stub = client._stub
        for call, request in (
            (stub.Connect, wire.ConnectRequest(run=run)),
            (stub.Cancel, wire.CancelRequest(run=run)),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                call(request, timeout=10)
            assert raised_code(refused.value) == UnknownStudy.code
        with pytest.raises(UnknownStudy, match="alpha: no such run here"):
            list(client.watch(run))
        with pytest.raises(NotCommitted, match="alpha: nothing was committed here"):
            client.collect(run)
        assert consortium.runs_under_way("alpha") == 1
        own = hand.hello(plan, approvals)
        hellos = hand.hellos(own)
        pairing = own.agree_as_coordinator(hellos)
        for party in consortium.parties:
            hand.connect(party, run, hellos, pairing)
        assert hand.watched("alpha", run).code == ""
        paid = consortium.ledgers()
        with pytest.raises(NotCommitted, match="alpha: nothing was committed here"):
            client.collect(run)
        assert hand.clients["alpha"].collect(run).share == consortium.outbox("alpha", run)
    nothing_spent(consortium, paid)


def raised_code(failure: grpc.RpcError) -> str:
    raised = raised_by(failure, "alpha")
    assert raised is not None
    return raised.code


def test_party_is_no_coordinator(consortium: Consortium) -> None:
    before = consortium.ledgers()
    bravo = load_identity(consortium.node("bravo").directory / "identity")
    alpha = consortium.office.trust.member(PartyId("alpha"))
    with (
        PartyClient(bravo, alpha, consortium.node("alpha").address) as client,
        pytest.raises(ParleyError, match="bravo"),
    ):
        client.describe()
    nothing_spent(consortium, before)
