# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of QEMU's machine protocol that saving and restoring needs."""

import json
import socket
import time
from typing import Any

POLL_SECONDS = 0.005


class QmpError(Exception):
    """The exception for a command that QEMU has refused, or for a QEMU that has ended. If QEMU has ended,
    the exception has no message."""


class Qmp:
    """A connection to QEMU. Each call waits for the reply."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = connection.makefile("rb")
        self._receive()  # This call reads QEMU's greeting.
        self.execute("qmp_capabilities")

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise QmpError
        message: dict[str, Any] = json.loads(line)
        return message

    def execute(self, command: str, **arguments: Any) -> Any:
        """Executes one command and returns the command's result. Ignores events."""
        try:
            self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        except ConnectionError as error:
            raise QmpError from error
        while True:
            message = self._receive()
            if "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def migrate(self, command: str, uri: str) -> None:
        """Saves (`migrate`) or restores (`migrate-incoming`) the machine, and waits until the
        transfer is complete."""
        self.execute(command, uri=uri)
        while (status := self.execute("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled"):
                raise QmpError(f"{command}: {status}")
            time.sleep(POLL_SECONDS)
