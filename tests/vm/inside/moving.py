# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl sends a guest to the other machine, or receives one, by a connection instead of ssh."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from pair import HOSTS


async def xl_sends(reach: str) -> None:
    """Sends the guest `g`. The command `reach` starts the receiver, and is connected with it by its standard
    input and output."""
    xl = await asyncio.create_subprocess_exec("xl", "migrate", "-s", "", "g", reach)
    assert await xl.wait() == 0


def relay(port: int) -> str:
    """Returns a command that connects its standard input and output to a port of machine 2."""
    return f"/usr/bin/python3 {Path(__file__).with_name('relay.py')} {HOSTS[2]} {port}"


async def xl_receives(connection: socket.socket) -> None:
    """Receives a guest. With -e, xl leaves no process behind that would destroy the guest at its end."""
    connection.setblocking(True)
    command = ("xl", "migrate-receive", "-e")
    xl = await asyncio.create_subprocess_exec(*command, stdin=connection, stdout=connection)
    assert await xl.wait() == 0
