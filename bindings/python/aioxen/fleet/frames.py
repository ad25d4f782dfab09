# SPDX-License-Identifier: LGPL-2.1-or-later
"""The frames of connections without a broker: sockets, and an agent on standard input.

A frame is a letter, the length of the body as four octets in network order, and the body.
"""

from __future__ import annotations

import asyncio
import enum
import struct

from aioxen.errors import InvalidError
from aioxen.fleet import wire

HEAD = struct.Struct(">cI")


class Frame(enum.Enum):
    """The kinds of frames. The value is the letter with which a frame begins."""

    CALL = b"C"
    """From the client: a request."""
    NAME = b"N"
    """The first frame of a bridge (aioxen-agent --stdio) that runs as the agent's user or as root: the
    caller's name."""
    SINCE = b"S"
    """From the client: a request for events. "EPOCH NUMBER": the events of this epoch with greater numbers.
    "": new events only."""
    REPLY = b"R"
    BEAT = b"H"
    EVENT = b"E"


def frame(kind: Frame, body: bytes) -> bytes:
    return HEAD.pack(kind.value, len(body)) + body


async def read(reader: asyncio.StreamReader, most: int) -> tuple[Frame, bytes] | None:
    """Reads a frame. Returns None at the end. Raises InvalidError if the frame has an unknown letter or is
    too long."""
    try:
        letter, length = HEAD.unpack(await reader.readexactly(HEAD.size))
        kind = Frame(letter)
        if length > most:
            raise InvalidError(f"a frame of {length} octets is longer than {most}")
        return kind, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        if isinstance(error, InvalidError):
            raise
        raise InvalidError(f"a frame of an unknown kind: {letter!r}") from None


MOST_IN = wire.MOST_REQUEST
MOST_OUT = wire.MOST_REPLY + 4096
