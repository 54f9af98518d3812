"""What crosses the loopback device, and TCP streams put together from it.

Reads raw packets (AF_PACKET), which Linux grants to root alone. The kernel sorts out TCP of other
ports (classic BPF), so that other work on this machine does not overrun the buffer.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

ETH_P_ALL = 0x0003
ETHERNET = 14
TCP = 6
OUTGOING = 4  # each loopback packet is seen twice: leaving and coming
SO_ATTACH_FILTER = 26
LOAD_PACKET_TYPE, LOAD_HALF, LOAD_BYTE, LOAD_HALF_BEYOND, SKIP_HEADER = 0x20, 0x28, 0x30, 0x48, 0xB1
IS, AT_LEAST, RETURN = 0x15, 0x35, 0x06
PACKET_TYPE_AT = 0xFFFFF004
PACKET_MAX = 1 << 17
BUFFER_BYTES = 64 << 20
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
SETTLE_S = 0.2


class NotPermitted(Exception):
    """This machine does not let this user see packets."""


@dataclass(frozen=True)
class Segment:
    """One TCP segment: from port to port, sequence number, payload, and whether it opens."""

    source: int
    target: int
    sequence: int
    opens: bool
    payload: bytes


@dataclass
class Capture:
    """Raw packets of a time, oldest first."""

    packets: list[bytes] = field(default_factory=list)
    lost: int = 0

    def segments(self) -> Iterator[Segment]:
        for packet in self.packets:
            segment = _segment(packet)
            if segment is not None:
                yield segment

    def streams(self, ports: set[int]) -> Mapping[tuple[int, int], bytes]:
        """Each direction that carried bytes of each connection with an end among ``ports``.

        Raises AssertionError if a stream has a gap or did not begin within the capture.
        """
        flows: dict[tuple[int, int], list[Segment]] = {}
        for segment in self.segments():
            carries = segment.opens or segment.payload  # a refusal does not
            if carries and {segment.source, segment.target} & ports:
                flows.setdefault((segment.source, segment.target), []).append(segment)
        joined = {ends: _joined(ends, segments) for ends, segments in flows.items()}
        return {ends: stream for ends, stream in joined.items() if stream}


@contextmanager
def capturing(ports: Collection[range]) -> Iterator[Capture]:
    """Keep loopback's packets until the end: TCP from or to ``ports``, and all that is no TCP.

    Raises NotPermitted.
    """
    try:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except (AttributeError, PermissionError) as refused:
        raise NotPermitted(str(refused)) from None
    with raw:
        try:
            raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
            attach(raw, wanted(ports))
            raw.bind(("lo", ETH_P_ALL))
        except OSError as refused:
            raise NotPermitted(str(refused)) from None
        raw.settimeout(SETTLE_S)
        capture, over = Capture(), threading.Event()

        def read() -> None:
            while True:
                try:
                    capture.packets.append(raw.recv(PACKET_MAX))
                except TimeoutError:
                    if over.is_set():
                        return

        reader = threading.Thread(target=read, name="capture")
        reader.start()
        try:
            yield capture
        finally:
            over.set()
            reader.join()
            counts = raw.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            capture.lost = struct.unpack("II", counts)[1]


Step = tuple[int, int, int, int]
"""A BPF instruction: code, jump if true, jump if false, constant."""


def wanted(ports: Collection[range]) -> list[Step]:
    """A filter that keeps outgoing packets, and of IPv4's TCP only that of ``ports``."""
    ends = [(LOAD_HALF_BEYOND, 14), (LOAD_HALF_BEYOND, 16)]
    tests: list[Step] = []
    for load, at in ends:
        tests.append((load, 0, 0, at))
        for span in ports:
            tests += [(AT_LEAST, 0, 1, span.start), (AT_LEAST, 0, 0, span.stop)]
    drop, keep = len(tests), len(tests) + 1
    for place, (code, true, false, constant) in enumerate(tests):
        if code == AT_LEAST and (true, false) == (0, 0):
            tests[place] = (code, 0, keep - place - 1, constant)
    start: list[Step] = [
        (LOAD_PACKET_TYPE, 0, 0, PACKET_TYPE_AT),
        (IS, 0, drop + 5, OUTGOING),
        (LOAD_HALF, 0, 0, 12),
        (IS, 0, keep + 3, 0x0800),
        (LOAD_BYTE, 0, 0, 23),
        (IS, 0, keep + 1, TCP),
        (SKIP_HEADER, 0, 0, ETHERNET),
    ]
    return [*start, *tests, (RETURN, 0, 0, 0), (RETURN, 0, 0, PACKET_MAX)]


def attach(raw: socket.socket, steps: list[Step]) -> None:
    """Give ``steps`` to the kernel, which refuses a filter that is not well formed."""
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HL", len(steps), ctypes.addressof(held))
    raw.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _segment(packet: bytes) -> Segment | None:
    version = packet[ETHERNET] >> 4 if len(packet) > ETHERNET else 0
    if version == 4:
        start = ETHERNET + 4 * (packet[ETHERNET] & 15)
        protocol, end = packet[ETHERNET + 9], ETHERNET + int.from_bytes(packet[16:18], "big")
    elif version == 6:
        start, protocol = ETHERNET + 40, packet[ETHERNET + 6]
        end = start + int.from_bytes(packet[ETHERNET + 4 : ETHERNET + 6], "big")
    else:
        return None
    if protocol != TCP:
        return None
    source, target, sequence, _, offset, flags = struct.unpack(
        ">HHIIBB", packet[start : start + 14]
    )
    if end <= start:  # larger than its length field can say
        end = len(packet)
    payload = packet[start + 4 * (offset >> 4) : end]
    return Segment(source, target, sequence, bool(flags & 2), payload)


def _joined(ends: tuple[int, int], segments: list[Segment]) -> bytes:
    opening = next((segment for segment in segments if segment.opens), None)
    assert opening is not None, f"the connection {ends} began before the capture"
    stream = bytearray()
    first = opening.sequence + 1
    parts = sorted(
        (((segment.sequence - first) & 0xFFFFFFFF, segment.payload) for segment in segments),
        key=lambda part: part[0],
    )
    for at, payload in parts:
        if not payload or at + len(payload) <= len(stream):
            continue  # nothing, or sent again
        assert at <= len(stream), f"the capture of {ends} has a gap"
        stream += payload[len(stream) - at :]
    return bytes(stream)
