# SPDX-License-Identifier: LGPL-2.1-or-later
"""The protocol between launcher and agent. They send frames. A frame has one byte for its kind, the length of
its content, and the content.

Launcher and agent import this file. The file uses only the standard library, because the agent runs in dom0.
"""

import enum
import json
import struct
from collections.abc import Iterator
from typing import Any

HEADER = struct.Struct("!BI")


class Kind(enum.IntEnum):
    """The kind of a frame. Each comment names the sender and the content."""

    READY = 1  # agent: dom0 is up
    RUN = 2  # launcher: the command, its directory and its environment, as JSON
    OUT = 3  # agent: bytes of standard output
    ERR = 4  # agent: bytes of standard error
    IN = 5  # launcher: bytes of standard input. An empty frame means that standard input has ended.
    SIGNAL = 6  # launcher: a signal number in decimal, for the command
    WINDOW = 7  # launcher: "rows columns"
    EXIT = 8  # agent: the exit status in decimal; no frame follows


def pack(kind: Kind, data: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(data)) + data


def pack_json(kind: Kind, value: Any) -> bytes:
    return pack(kind, json.dumps(value).encode())


class Reader:
    """Assembles frames from the received pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._buffer)
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            content = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield Kind(kind), content
