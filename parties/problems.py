"""Our errors across gRPC: what a server raises is what its caller sees, and nothing more.

A :class:`mpc.errors.ParleyError` crosses with its code and message; any other exception becomes a
generic one, so that no value, path or trace of the server leaves it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, NoReturn, TypeVar

import grpc

from mpc import errors
from mpc.canonical import canonical_bytes, from_canonical
from mpc.units import is_identifier

PROBLEM_KEY = "parley-problem-bin"
MESSAGE_MAX = 2000  # characters

Reply = TypeVar("Reply")
Call = Callable[[Any, Any, grpc.ServicerContext], Reply]

_log = logging.getLogger("parley")

_CLASSES: dict[str, type[errors.ParleyError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.ParleyError)
}
_PARTY_FIRST = (errors.PolicyRefusal, errors.PeerError)


def whereabouts(error: BaseException) -> str:
    """Which exception, and the last line of our own that it came through. No words of its own."""
    own = [
        f"{name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if (name := _own_file(frame.filename))
    ]
    return f"{type(error).__name__} at {own[-1] if own else 'no line of Parley'}"


def _own_file(path: str) -> str:
    parts = PurePath(path).parts
    roots = [place for place, part in enumerate(parts) if part in ("mpc", "parties")]
    return "/".join(parts[roots[-1] :]) if roots else ""


def as_problem(error: BaseException) -> dict[str, str]:
    """What others may know of ``error``: code, message, and the party it names."""
    if isinstance(error, errors.ParleyError):
        code, what, party = error.code, error.what, error.party
    else:
        # Where it was stays here, for the operator; exceptions of libraries may quote data.
        _log.error("unexpected %s", whereabouts(error))
        code, what, party = errors.ParleyError.code, "unexpected error; see this node's log", ""
    return {"code": code, "message": what[:MESSAGE_MAX], "party": party}


def from_problem(code: str, message: str, party: str) -> errors.ParleyError:
    """The error that :func:`as_problem` described; ``party`` is whom it names or who said it."""
    lines = message[:MESSAGE_MAX].splitlines()
    what = "; ".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)
    party = party if is_identifier(party) else ""
    kind = _CLASSES.get(code, errors.ParleyError)
    if issubclass(kind, errors.FileFaults) or kind is errors.PlanRefusal:
        kind = errors.PolicyRefusal
    return kind(party, what) if kind in _PARTY_FIRST else kind(what, party=party)


def _abort(context: grpc.ServicerContext, error: BaseException) -> NoReturn:
    problem = as_problem(error)
    context.set_trailing_metadata(((PROBLEM_KEY, canonical_bytes(dict(problem))),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, problem["code"])


def unary(call: Call[Reply]) -> Call[Reply]:
    """A servicer method whose errors cross as problems."""

    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> Reply:
        try:
            return call(self, request, context)
        except Exception as error:
            _abort(context, error)

    guarded.__doc__ = call.__doc__
    return guarded


def streaming(call: Call[Iterator[Reply]]) -> Call[Iterator[Reply]]:
    """A servicer method that streams, whose errors cross as problems."""

    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> Iterator[Reply]:
        try:
            yield from call(self, request, context)
        except Exception as error:
            _abort(context, error)

    guarded.__doc__ = call.__doc__
    return guarded


def raised_by(failure: grpc.RpcError, party: str) -> errors.ParleyError | None:
    """The error ``party`` raised while answering, or None if the call itself failed."""
    entries = failure.trailing_metadata() or ()
    data = next((entry.value for entry in entries if entry.key == PROBLEM_KEY), None)
    if not isinstance(data, bytes):
        return None
    try:
        problem = from_canonical(data)
    except errors.IntegrityError:
        return errors.PeerError(party, "answered with a broken error")
    if not isinstance(problem, dict):
        return errors.PeerError(party, "answered with a broken error")
    code, message, named = (str(problem.get(key, "")) for key in ("code", "message", "party"))
    return from_problem(code, message[:MESSAGE_MAX], named or party)
