# SPDX-License-Identifier: LGPL-2.1-or-later
"""far_world.py SOCKET: the program that runs on the second simulated machine, to which the tests of migration
send guests. It listens at SOCKET.

Each line of its input is a call of a function below as a JSON array, and each line of its output is the
result. After `receive` this process receives the guest from the next connection. After `spawn` another
program receives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from typing import Any

import aioxen
from aioxen.cli import exits
from saving import runs
from worldly import xenstore


class World:
    def __init__(self, xen: aioxen.Context, path: str) -> None:
        self.xen = xen
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.setblocking(False)
        self.task: asyncio.Task[str] | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.before = xenstore()
        self.waits = False

    async def _accept(self) -> socket.socket:
        self.waits = True
        connection, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        self.waits = False
        return connection

    async def receive(self, timeout: float | None = None) -> None:
        self.task = asyncio.create_task(self._receive(timeout))

    async def _receive(self, limit: float | None) -> str:
        connection = await self._accept()
        with connection:
            try:
                return f"domain {(await self.xen.receive(connection, timeout=limit)).domid}"
            except aioxen.Error as error:
                return f"{type(error).__name__}: {exits.text_of(error)}"

    async def spawn(self, *words: str) -> None:
        self.task = asyncio.create_task(self._spawn(words))

    async def _spawn(self, words: tuple[str, ...]) -> str:
        connection = await self._accept()
        with connection:
            connection.setblocking(True)
            self.process = await asyncio.create_subprocess_exec(
                *words, stdin=connection.fileno(), stdout=connection.fileno()
            )
        return f"status {await self.process.wait()}"

    async def cancel(self) -> None:
        if self.task:
            self.task.cancel()

    async def kill(self) -> None:
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def ended(self) -> str:
        """Waits until the receipt of the guest has ended. Returns the outcome."""
        assert self.task
        await asyncio.wait([self.task])
        return "cancelled" if self.task.cancelled() else self.task.result()

    async def create(self, name: str) -> None:
        """Makes a domain of this name that does nothing."""
        create_info = aioxen.DomainCreateInfo(name=name, type=aioxen.DomainType.PV)
        build_info = aioxen.DomainBuildInfo(max_memkb=16 << 10, kernel="build/guest/tiny", cmdline="b")
        await self.xen.domain_create(aioxen.DomainConfig(create_info, build_info))

    async def fill(self, megabytes: int) -> None:
        """Makes the domain "filler" so large that about `megabytes` MiB stay free."""
        host = await self.xen.host_info()
        memory = (host.free_pages >> 8) - megabytes
        create_info = aioxen.DomainCreateInfo(name="filler", type=aioxen.DomainType.PV)
        build_info = aioxen.DomainBuildInfo(max_memkb=memory << 10, kernel="build/guest/tiny", cmdline="b")
        await self.xen.domain_create(aioxen.DomainConfig(create_info, build_info))

    async def destroy(self, name: str) -> None:
        await (await self.xen.domain_find(name)).destroy()

    async def pending(self) -> str:
        """Returns "waits" if the connection has not come yet, else "came"."""
        return "waits" if self.waits else "came"

    async def states(self) -> dict[str, str]:
        """Returns the state of each domain, by name."""
        found = {}
        for info in await self.xen.domain_list():
            if info.domid:
                name = await self.xen.domain_get_name(info.domid)
                found[name] = "stopped" if info.shutdown else "paused" if info.paused else "runs"
        return found

    async def finish(self) -> int:
        """Removes the unfinished domains. Returns their number."""
        left = await self.xen.unfinished()
        for one in left:
            await self.xen.remove_unfinished(one.uuid)
        return len(left)

    async def end(self, name: str) -> bool:
        """Requests a power-off of the guest, and then destroys the domain. Returns whether the guest has
        obeyed the request."""
        dom = await self.xen.domain_find(name)
        obeyed = await runs(dom)
        await dom.destroy()
        return obeyed

    async def monitor(self, name: str, line: str) -> str:
        """Sends a line to the monitor of the domain's QEMU, and returns the answer."""
        return (await (await self.xen.domain_find(name)).qemu_monitor_command(line)).strip()

    async def left(self) -> list[str]:
        """Returns the nodes that did not exist when this program started."""
        return sorted(xenstore() - self.before)


async def main(path: str) -> None:
    loop = asyncio.get_running_loop()
    async with aioxen.Context() as xen:
        world = World(xen, path)
        print("null", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            name, *arguments = json.loads(line)
            result: Any = await getattr(world, name)(*arguments)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
