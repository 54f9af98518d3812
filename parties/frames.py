"""How a message of any size travels as frames of bounded size.

Every frame is a 32-byte header and at most :data:`CHUNK_BYTES` of payload::

    session 8 | sequence 4 | operation 16 | length 4      (big-endian)

``session`` is the session tag, ``sequence`` counts the frames of one direction from 0, and
``length`` is what is left of the message, this frame's payload included: so the first frame
states the size of the message, and the size of every frame follows from its header. TLS keeps
frames authentic and in order on the wire; the header catches programs that are out of step.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mpc.errors import ContractError, IntegrityError

SESSION_BYTES = 8
OPERATION_BYTES = 16
_HEADER = struct.Struct(f">{SESSION_BYTES}sI{OPERATION_BYTES}sI")
HEADER_BYTES = _HEADER.size
CHUNK_BYTES = 1 << 20  # 256 KB is 20 % slower, unchunked 16 MB half as fast
FRAME_BYTES_MAX = HEADER_BYTES + CHUNK_BYTES
LENGTH_MAX = (1 << 32) - 1
_SEQUENCE_END = 1 << 32

RESERVED = b"parley/lane/"
JOIN = RESERVED + b"join"
BYE = RESERVED + b"bye."
GOT = RESERVED + b"got."
STOP = RESERVED + b"stop"
HEAR = RESERVED + b"hear"
BEAT = RESERVED + b"beat"
CONTROL_BYTES_MAX = 64
"""A control frame carries at most a party id."""


@dataclass(frozen=True, repr=False)
class Frame:
    """One frame as it came: payload is everything behind the header."""

    operation: bytes
    length: int
    payload: bytes | bytearray

    def __repr__(self) -> str:
        return f"Frame({len(self.payload)} of {self.length} bytes)"

    @property
    def is_control(self) -> bool:
        return self.operation.startswith(RESERVED)


def check_operation(operation: bytes) -> None:
    """Refuse what cannot name a step of a computation. Raises ContractError."""
    if len(operation) != OPERATION_BYTES or operation.startswith(RESERVED):
        raise ContractError(
            f"an operation id is {OPERATION_BYTES} bytes and none of the lane's own"
        )


class FrameWriter:
    """Numbers the frames of one direction of one link."""

    def __init__(self, session: bytes) -> None:
        self._session = session
        self._sequence = 0

    def frames(self, operation: bytes, payload: bytes) -> Iterator[bytes]:
        """The frames of one message, each made when it is asked for. Always at least one."""
        return (b"".join(parts) for parts in self.parts(operation, payload))

    def parts(self, operation: bytes, payload: bytes) -> Iterator[tuple[bytes, memoryview]]:
        """The same frames as header and payload; the payload is not copied."""
        view = memoryview(payload)
        start = 0
        while True:
            if self._sequence == _SEQUENCE_END:
                raise ContractError("a link carries at most 2^32 frames in a session")
            header = _HEADER.pack(self._session, self._sequence, operation, len(payload) - start)
            self._sequence += 1
            yield header, view[start : start + CHUNK_BYTES]
            start += CHUNK_BYTES
            if start >= len(payload):
                return


class FrameReader:
    """Checks the frames of one direction of one link, as far as the header alone can be."""

    def __init__(self, session: bytes) -> None:
        self._session = session
        self._sequence = 0

    def read(self, data: bytes) -> Frame:
        """``data`` as a frame. Raises IntegrityError (without naming the sender: add it)."""
        operation, length = self.head(data)
        if len(data) - HEADER_BYTES != min(length, CHUNK_BYTES):
            raise IntegrityError("sent a frame whose size is not the one its header states")
        return Frame(operation, length, data[HEADER_BYTES:])

    def head(self, data: bytes | bytearray) -> tuple[bytes, int]:
        """Operation and length that the header of the next frame states, at the start of ``data``.

        Of a message that long, the frame carries :data:`CHUNK_BYTES` at most. Raises as
        :meth:`read`, before anything of that size is made.
        """
        if len(data) < HEADER_BYTES:
            raise IntegrityError("sent a frame shorter than its header")
        session, sequence, operation, length = _HEADER.unpack_from(data)
        if session != self._session:
            raise IntegrityError("sent a frame of another session")
        if sequence != self._sequence:
            raise IntegrityError(
                f"sent frame {sequence} where frame {self._sequence} was due: "
                "repeated, left out or out of order"
            )
        self._sequence += 1
        if operation.startswith(RESERVED) and length > CONTROL_BYTES_MAX:
            raise IntegrityError("sent a control frame of impossible size")
        return operation, length
