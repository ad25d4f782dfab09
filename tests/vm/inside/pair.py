# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions for test programs that `aioxen-vm-pair` runs in two machines: for their network and their
connections."""

from __future__ import annotations

import asyncio
import os
import socket
import time

from linux import LIMIT, prepare, run

NUMBER = int(os.environ["AIOXEN_VM_NUMBER"])
HOSTS = {1: "10.0.0.1", 2: "10.0.0.2"}


def join() -> None:
    """Connects dom0's bridge with that of the other machine."""
    run(f"make-bridge xenbr0 {HOSTS[NUMBER]}/24 && ip link set eth0 master xenbr0")
    prepare()


async def connected(port: int) -> socket.socket:
    """Waits until machine 2 listens, and returns a connection to it."""
    deadline = time.monotonic() + LIMIT
    while True:
        connection = socket.socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (HOSTS[2], port))
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return connection


async def accepted(port: int) -> socket.socket:
    with socket.create_server((HOSTS[2], port)) as server:
        server.setblocking(False)
        return (await asyncio.get_running_loop().sock_accept(server))[0]
