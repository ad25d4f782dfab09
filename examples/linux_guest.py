#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Linux guest from an xl file, with a disk and a network.

The program reads the guest's console, pings the guest, plugs and unplugs a second disk, and asks the guest to
stop. It leaves nothing behind, even after an error or Ctrl-C.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aioxen

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "build/guest/linux-kernel"
FILES = Path("/tmp/aioxen-demo")
BRIDGE, OURS, GUESTS = "aioxen0", "10.123.45.1/24", "10.123.45.2"
START = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - START:6.2f} s  {text}", flush=True)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


@contextlib.contextmanager
def host_side() -> Iterator[None]:
    """Makes the images of two disks, and a bridge with an address. Removes all of them at the end of
    the block."""
    FILES.mkdir(exist_ok=True)
    shutil.copyfile(KERNEL, FILES / "kernel")
    for name in "root.img", "more.img":
        with (FILES / name).open("wb") as image:
            image.truncate(16 << 20)
        run("mkfs.ext4", "-q", str(FILES / name))
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        run("ip", "address", "add", OURS, "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        yield
    finally:
        subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True)
        shutil.rmtree(FILES)


def what_is_there() -> str:
    """Returns the loop devices and the network interfaces of this host."""
    return run("losetup", "--all") + run("ip", "-brief", "link")


class Terminal:
    """The guest's console. The program opens it by the path of the terminal."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        self._text = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._text += os.read(self._fd, 4096).decode(errors="replace")
            self._more.set()

    async def expect(self, text: str) -> str:
        """Waits until the guest has printed the text. Returns the line with the text."""
        while text not in self._text:
            self._more.clear()
            await self._more.wait()
        before, _, after = self._text.partition(text)
        line, _, self._text = after.partition("\n")
        return before.rpartition("\n")[2] + text + line.rstrip()

    def type(self, line: str) -> None:
        os.write(self._fd, line.encode() + b"\n")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


@contextlib.asynccontextmanager
async def created(xen: aioxen.Context, config: aioxen.DomainConfig) -> AsyncIterator[aioxen.Domain]:
    dom = await xen.domain_create(config, timeout=60)
    try:
        yield dom
    finally:
        await dom.destroy()


async def play(xen: aioxen.Context) -> None:
    config = aioxen.load(Path(__file__).with_suffix(".cfg"))
    say("creating a Linux guest from examples/linux_guest.cfg")
    async with created(xen, config) as dom, asyncio.timeout(120):
        say(f"domain {dom.domid} has its memory, its disk and its network")
        terminal = Terminal(await dom.console_tty())
        try:
            await dom.unpause()
            for words in "linux:", "disk xvda:", "address eth0:", "linux: ready":
                say(f"  its console: {await terminal.expect(words)}")
            answer = await asyncio.to_thread(run, "ping", "-c", "1", GUESTS)
            say(f"  ping: {answer.splitlines()[1]}")
            more = aioxen.DeviceDisk(
                pdev_path=str(FILES / "more.img"), vdev="xvdb", format=aioxen.DiskFormat.RAW, readwrite=1
            )
            await dom.disk_add(more)
            say("a second disk is plugged")
            terminal.type("check-disk xvdb")
            say(f"  its console: {await terminal.expect('disk xvdb:')}")
            await dom.disk_remove(more)
            say("and unplugged")
        finally:
            terminal.close()
        await dom.shutdown()
        say(f"asked to stop, it has stopped: {await dom.wait_shutdown()}")
    say("destroyed")


async def main() -> None:
    async with aioxen.Context() as xen:
        before = what_is_there(), len(await xen.domain_list())
        with host_side():
            await play(xen)
        after = what_is_there(), len(await xen.domain_list())
        say("nothing is left" if after == before else f"left: {after}")


if __name__ == "__main__":
    if not Path("/proc/xen/capabilities").exists():
        print("A Linux guest needs a real Xen; the simulated hypervisor runs the tiny guest only.")
        sys.exit()
    asyncio.run(main())
