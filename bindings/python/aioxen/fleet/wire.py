# SPDX-License-Identifier: LGPL-2.1-or-later
"""The messages between clients and agents.

A message is one JSON object in UTF-8. A message of a peer may be hostile. So its size and its depth are
bounded, and a repeated member, NaN and infinite numbers are refused.

A request has `v` (1), `id`, `caller`, `host`, `call` (an operation's name, or one of CANCEL and OUTCOME),
`issued` (seconds since 1970), `timeout` (seconds, or null), `progress` (whether progress is wanted), and
`inputs`. The id identifies the request for ever: a second request with the same id is answered and not
carried out.

A reply has `id` and `state`, which is a member of State, and the members that the state's description names.
"""

from __future__ import annotations

import enum
import json
import re
import secrets
from typing import Any

from aioxen.errors import InvalidError

VERSION = 1

MOST_REQUEST = 256 << 10
"""The greatest size of a request, in octets."""

MOST_REPLY = 8 << 20
"""The greatest size of a reply, in octets."""

MOST_LEVELS = 64
"""The greatest depth of a message."""

WINDOW = 300.0
"""How long after `issued` a request is accepted, in seconds. An agent remembers ids for longer. So a repeated
message is answered from the journal or refused."""

SKEW = 30.0
"""By how much the clocks of a client and a host may differ, in seconds."""

CANCEL = "_cancel"
"""Asks to stop the request whose id is the input `of`."""

OUTCOME = "_outcome"
"""Asks for the outcome of the request whose id is the input `of`. If that request has not arrived, the agent
refuses it from now on."""

ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)
"""The names of hosts and callers. They are parts of subjects, so they have no dots and no wildcards."""


class State(enum.Enum):
    """What a reply says about its request. A description begins with the further members of the reply."""

    RUNNING = "running"
    """The request was accepted and is in progress."""
    PROGRESS = "progress"
    """`kind` and `event`: the operation has reported progress."""
    DONE = "done"
    """`result`: the operation has succeeded."""
    ERROR = "error"
    """`rc`, `message` and `domid`: the operation has failed. `rc` is null for an input that Python
    refuses."""
    CANCELLED = "cancelled"
    """The operation was stopped, and its effects are undone."""
    REFUSED = "refused"
    """`reason`, a word of Reason, and `message`: nothing was done."""
    INTERRUPTED = "interrupted"
    """`message`: the agent ended while the operation was in progress."""


class Reason(enum.Enum):
    """Why an agent refuses a request."""

    MALFORMED = "malformed"
    IDENTITY = "identity"
    POLICY = "policy"
    OVERLOADED = "overloaded"
    LATE = "late"
    OPERATION = "operation"
    REUSED = "reused"
    NEVER = "never"
    """The answer to OUTCOME: the request has not arrived, and is refused if it arrives."""


ENDS = (State.DONE, State.ERROR, State.CANCELLED, State.REFUSED, State.INTERRUPTED)
"""The states after which no further reply comes."""


def new_id() -> str:
    """Returns an id that no other request has."""
    return secrets.token_urlsafe(16)


def dumps(value: dict[str, Any]) -> bytes:
    """Returns the message with these members."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def loads(message: bytes, most: int) -> dict[str, Any]:
    """Reads a message of at most `most` octets. Raises InvalidError."""
    if len(message) > most:
        raise InvalidError(f"a message of {len(message)} octets is longer than {most}")
    if _levels(message) > MOST_LEVELS:
        raise InvalidError(f"a message of more than {MOST_LEVELS} levels")
    try:
        found = json.loads(message, object_pairs_hook=_members, parse_constant=_no_constant)
    except InvalidError:
        raise
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError.
        raise InvalidError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidError("an object is expected")
    return found


_OUTSIDE_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[^"{}\[\]]++')


def _levels(message: bytes) -> int:
    """Returns the depth of a document, or more if it is malformed."""
    depth = deepest = 0
    for octet in _OUTSIDE_STRINGS.sub(b"", message):
        if octet in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif octet in b"}]":
            depth -= 1
    return deepest


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidError("a member is given twice")
    return found


def _no_constant(text: str) -> Any:
    raise InvalidError(f"{text} is no number")


def member(message: dict[str, Any], name: str, *kinds: type) -> Any:
    """Returns a member of a message. Raises InvalidError if it is missing or has none of these types."""
    value = message.get(name)
    if type(value) not in kinds:
        raise InvalidError(f"{name}: {' or '.join(kind.__name__ for kind in kinds)} is expected")
    return value
