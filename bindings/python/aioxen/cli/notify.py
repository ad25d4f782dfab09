# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reports the state of this process to the service manager as sd_notify(3) does. Puts a process into the
background.

The protocol of sd_notify is one datagram. systemd's own Python library is written in C, so pip cannot install
it without a compiler. The libraries in pure Python are no longer maintained. So this module sends the
datagram itself.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

READY = b"ready"


def notify(*states: str) -> None:
    """Sends states, such as "READY=1", to the service manager. Does nothing without a service manager."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect("\0" + address[1:] if address[0] == "@" else address)
            sender.sendall("\n".join(states).encode())


class Background:
    """A process in the background. The constructor forks and returns in the child only.

    When the child calls ready(), the parent exits with status 0. If the child ends before, the parent exits
    with the child's status. So the program that has started the command sees errors of the start on its
    standard error.
    """

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        receiver, self._sender = os.pipe()
        if child := os.fork():
            os.close(self._sender)
            ready = os.read(receiver, len(READY)) == READY
            os._exit(0 if ready else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os.close(receiver)
        os.setsid()

    def ready(self) -> None:
        """Makes the parent exit. From now on, input comes from /dev/null, and output goes to the log."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
        os.dup2(self._log, 1)
        os.dup2(self._log, 2)
        os.write(self._sender, READY)
        os.close(self._sender)
