# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Request, a client's message that an agent has read and checked."""

from __future__ import annotations

import hashlib
from typing import Any

from aioxen.errors import InvalidError
from aioxen.fleet import wire

MOST_SECONDS = 1e12
MEMBERS = {"v", "id", "caller", "host", "call", "issued", "timeout", "progress", "inputs"}


class Request:
    """A request whose members have the right types. Its inputs are not read yet."""

    __slots__ = ("id", "caller", "host", "call", "issued", "timeout", "progress", "inputs", "digest")

    def __init__(self, message: bytes) -> None:
        """Reads a message. Raises InvalidError."""
        given = wire.loads(message, wire.MOST_REQUEST)
        if given.keys() != MEMBERS:
            raise InvalidError(f"a request has the members {', '.join(sorted(MEMBERS))}")
        if given["v"] != wire.VERSION:
            raise InvalidError(f"v: this agent speaks version {wire.VERSION}")
        self.id: str = wire.member(given, "id", str)
        self.caller: str = wire.member(given, "caller", str)
        self.host: str = wire.member(given, "host", str)
        self.call: str = wire.member(given, "call", str)
        self.issued: float = wire.member(given, "issued", int, float)
        self.timeout: float | None = wire.member(given, "timeout", int, float, type(None))
        self.progress: bool = wire.member(given, "progress", bool)
        self.inputs: dict[str, Any] = wire.member(given, "inputs", dict)
        if not wire.ID.fullmatch(self.id):
            raise InvalidError("id: 16 to 64 letters, digits, - and _ are expected")
        # An integer in JSON may be too great for a float.
        if not (abs(self.issued) < MOST_SECONDS and abs(self.timeout or 0) < MOST_SECONDS):
            raise InvalidError(f"issued, timeout: a number below {MOST_SECONDS:.0e} is expected")
        self.digest: bytes = hashlib.sha256(message).digest()

    def target(self) -> str:
        """Returns the id of the request that CANCEL or OUTCOME is about. Raises InvalidError."""
        of: str = wire.member(self.inputs, "of", str)
        if len(self.inputs) != 1 or not wire.ID.fullmatch(of):
            raise InvalidError("inputs: the only input is `of`, an id")
        return of


def id_of(message: bytes) -> str | None:
    """Returns the id in a message that may be no request. None: the message has no id."""
    try:
        found = wire.loads(message, wire.MOST_REQUEST).get("id")
    except InvalidError:
        return None
    return found if isinstance(found, str) and wire.ID.fullmatch(found) else None
