# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connects two machines by ssh: machine 1 has OpenSSH's client, machine 2 the server dropbear."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from linux import run

HOME = Path.home() / ".ssh"
CONFIG = "Host *\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n"
# The server runs commands with a short PATH, in which `aioxen` must be found.
COMMAND = """#!/bin/sh
export PYTHONPATH={path}
exec /usr/bin/python3 -m aioxen "$@"
"""


def make_key() -> bytes:
    """Makes the key of machine 1. Returns the public part."""
    HOME.mkdir(mode=0o700)
    (HOME / "config").write_text(CONFIG)
    run(f"ssh-keygen -q -t ed25519 -N '' -f {HOME}/id_ed25519")
    return (HOME / "id_ed25519.pub").read_bytes()


async def serve(key: bytes) -> None:
    """Starts the server on machine 2 for the owner of the key."""
    HOME.mkdir(mode=0o700)
    (HOME / "authorized_keys").write_bytes(key)
    Path("/etc/dropbear").mkdir()
    command = Path("/usr/bin/aioxen")
    command.write_text(COMMAND.format(path=os.environ["PYTHONPATH"]))
    command.chmod(0o755)
    await asyncio.create_subprocess_exec("dropbear", "-R", "-F", "-E", "-s")
    while True:
        try:
            socket.create_connection(("127.0.0.1", 22)).close()
        except ConnectionRefusedError:
            await asyncio.sleep(0.5)
        else:
            return
