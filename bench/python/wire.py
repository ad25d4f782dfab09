# SPDX-License-Identifier: LGPL-2.1-or-later
"""The protocol of xenstored's socket (xen/io/xs_wire.h)."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

READ, WATCH = 2, 4
HEADER = 16
"""The size of a message's header, in bytes."""


def message(kind: int, *texts: bytes) -> bytes:
    """Returns a request. It has the header (type, number, transaction, length), and each text with a
    final NUL."""
    body = b"".join(text + b"\0" for text in texts)
    return struct.pack("=IIII", kind, 1, 0, len(body)) + body


@contextlib.contextmanager
def connected() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as xenstored:
        xenstored.connect("/run/xenstored/socket")
        yield xenstored
