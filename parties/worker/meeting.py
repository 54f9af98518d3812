"""How a worker meets its peers: from the order on its pipe to every peer's link.

A party's worker and a dealer's do it alike. What they say in their Hellos and do with the links
is their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from mpc.canonical import Plain
from mpc.errors import IntegrityError, ParleyError
from mpc.plan.build import plan_study
from mpc.plan.model import Plan
from mpc.ports import Clock, Randomness
from mpc.roster import Roster
from mpc.session.agreement import Agreement, Phase
from mpc.session.approval import Approval, approvals_from_plain
from mpc.session.establish import OwnHello, Paired, make_hello
from mpc.study.canonical import study_from_plain
from mpc.units import PartyId
from parties.channel import PeerChannel
from parties.direct.lane import DirectListener
from parties.identity.store import Identity
from parties.lane import Listener
from parties.listening import LaneListener, LaneSettings, Port
from parties.problems import as_problem, whereabouts
from parties.waiting import ChannelLimits
from parties.worker.messages import Confirmation, Connect, Failed, Listening
from parties.worker.order import SessionOrder
from parties.worker.pipe import Pipe, exit_when_closed, show_life

CONNECT_S = 60.0  # from the Hello until the coordinator hands over everybody's
MEET_S = 10.0  # until every peer is met
SESSION_TAG_SIZE = 8
DEALER_SHARE = 0.75
"""Of ``wait_s``, how long a dealer is waited for: others wait meanwhile for the party that waits
for it, and are to hear whose fault it is before they give up and name that party."""


P = TypeVar("P", bound=Paired)
Agree = Callable[[OwnHello, Sequence[bytes], bytes], P]
"""The second step of the handshake: ``OwnHello.agree``, or ``OwnHello.agree_as_dealer``."""


def report_end(pipe: Pipe, run: Callable[[dict[str, Plain]], None]) -> None:
    """``run`` the order that comes over ``pipe``; if it fails, say there how, without values."""
    logging.disable(logging.CRITICAL)  # what a library logs may quote data
    try:
        order = pipe.receive(CONNECT_S)
        show_life(pipe)
        run(order)
    except Exception as error:
        where = "" if isinstance(error, ParleyError) else whereabouts(error)
        pipe.send(Failed(as_problem(error), where))


class Meeting:
    """One worker's way to its peers. ``build`` names the mechanism of this software."""

    def __init__(
        self, order: SessionOrder, clock: Clock, randomness: Randomness, build: str
    ) -> None:
        """Raises IntegrityError if the order's plan is not the one it names."""
        self._order = order
        self._clock = clock
        self._randomness = randomness
        self._build = build
        self.identity = Identity.from_node(order.identity)
        self.phase = _phase(order)
        self.plan = _recomputed(order)

    @contextlib.contextmanager
    def paired(self, pipe: Pipe, agree: Agree[P]) -> Iterator[tuple[P, PeerChannel]]:
        """What ``agree`` made of everybody's Hellos, and every peer's link, for the block.

        The coordinator hears this worker's confirmation before a peer is met; peers hear why the
        block ended, or BYE. Raises IntegrityError naming whose Hello or confirmation is refused,
        and what the links raise. Cost: as :meth:`mpc.session.establish.Pairing.confirm`, which the
        block goes on with.
        """
        hello, listener, met = self._invite(pipe)
        pairing = agree(hello, met.hellos, met.confirmation)
        pipe.send(Confirmation(pairing.for_coordinator))
        with self._links(listener, met.addresses) as channel:
            yield pairing, channel

    def _invite(self, pipe: Pipe) -> tuple[OwnHello, LaneListener, Connect]:
        """Say over ``pipe`` where this worker listens, and its Hello; hear everybody's.

        From here on the pipe's end is this process's end.
        """
        hello, order = self._hello(), self._order
        port = Port(order.bind, (order.port_first, order.port_last))
        pipe.send(Listening(self._address(port), hello.data, order.direct))
        met = Connect.from_plain(pipe.receive(CONNECT_S))
        exit_when_closed(pipe)
        return hello, self._listener(port, direct=met.direct), met

    @contextlib.contextmanager
    def _links(
        self, listener: LaneListener, addresses: Mapping[PartyId, str]
    ) -> Iterator[PeerChannel]:
        """Every peer's link, for as long as the block lasts; peers hear why it ended, or BYE."""
        channel = self._met(listener, addresses)
        try:
            yield channel
        except ParleyError as error:
            channel.fail(error, about=self._blamed(error))
            raise
        finally:
            # What is committed stays so, however they end.
            with contextlib.suppress(ParleyError):
                channel.close()

    def _met(self, listener: LaneListener, addresses: Mapping[PartyId, str]) -> PeerChannel:
        """What went wrong is told after MEET_S, whatever it was: addresses are the coordinator's,
        and how soon one answers would tell it of this participant's network."""
        begun_s = self._clock.monotonic_s()
        try:
            present = self.phase.present(self.plan.roster)
            return listener.connect(present, self._session_tag(), addresses, MEET_S)
        except ParleyError:
            time.sleep(max(0.0, MEET_S - (self._clock.monotonic_s() - begun_s)))
            raise

    def _blamed(self, error: ParleyError) -> PartyId:
        """Whom ``error`` is about, for the peers: the one it names, else this one."""
        known = [member.id for member in self.plan.roster.linked]
        return PartyId(error.party) if error.party in known else self._order.party

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """Those that name the run. Raises IntegrityError if the order has none."""
        return approvals_from_plain(self._order.approvals)

    def _hello(self) -> OwnHello:
        approvals = self.approvals
        agreement = Agreement.of(
            self.plan, approvals, self._clock.unix_s(), build=self._build, phase=self.phase
        )
        if agreement.run != self._order.run:
            raise IntegrityError("the order names another run than its approvals make")
        return make_hello(agreement, self._order.party, self.identity.sign, self._randomness)

    def _listener(self, port: Port, *, direct: bool) -> LaneListener:
        """On the lane that all of the run take, since each was told what all announced."""
        order = self._order
        settings = LaneSettings(order.keepalive_s, order.timeout_s, self._limits())
        lane = DirectListener if direct and order.direct else Listener
        return lane(self.identity.member, self.identity.tls_key_pem(), port, settings)

    def _limits(self) -> ChannelLimits:
        wait_s, dealer = float(self._order.wait_s), self.plan.roster.dealer
        sooner = {} if dealer is None else {dealer.id: DEALER_SHARE * wait_s}
        return ChannelLimits(wait_s=wait_s, waits_s=sooner)

    def _address(self, port: Port) -> str:
        host = f"[{self._order.host}]" if ":" in self._order.host else self._order.host
        return f"{host}:{port.number}"

    def _session_tag(self) -> bytes:
        return hashlib.sha256(b"parley/lane/v1" + bytes.fromhex(self._order.run)).digest()[
            :SESSION_TAG_SIZE
        ]


def _phase(order: SessionOrder) -> Phase:
    try:
        return Phase(order.phase)
    except ValueError:
        raise IntegrityError("the order names no phase of a run") from None


def _recomputed(order: SessionOrder) -> Plan:
    plan = plan_study(study_from_plain(order.study), Roster.from_plain(order.roster))
    if plan.digest != order.plan_digest:
        raise IntegrityError("the order's plan is not the one it names")
    return plan
