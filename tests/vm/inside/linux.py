# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions for test programs in dom0. They make Linux guests from xl files, use the guests' consoles, and
look for things that guests leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
import tty
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolstacks import Tool

sys.path.append(str(Path(__file__).resolve().parents[2]))
from limits import scaled

LIMIT = scaled(120)  # The time limit of each action of a guest, in seconds.


def run(command: str, check: bool = True) -> str:
    """Runs a command in bash, and returns the command's output. The shell of busybox would run busybox's
    own losetup and ip."""
    done = subprocess.run(
        ["bash", "-c", command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def left() -> str:
    """Returns a list of everything that a guest may leave behind: loop devices, interfaces, device models
    and nodes of devices."""
    commands = (
        "losetup -a",
        "ls /sys/class/net",
        "pidof xen-qemu-system-i386",
        "xenstore-ls -f /local/domain/0/backend 2>/dev/null | grep -v ' = \"\"'",
        "xenstore-ls -f /libxl 2>/dev/null | grep device/",
        "ls /var/lib/xen",
    )
    return "\n".join(run(command, check=False) for command in commands)


def states() -> str:
    """Returns the states of all devices, and the output of the device models."""
    return run("xenstore-ls -f /local/domain | grep -E '/(state|error) = '; tail /var/log/xen/*", check=False)


def prepare() -> None:
    """Makes the bridge. Copies the kernel and the ramdisk to /tmp, because reading parts of them by 9p is
    slow.

    dom0 gets an address in three networks, one for each interface of a guest.
    """
    run("make-bridge && cp -n build/guest/linux-kernel build/guest/linux-initramfs /tmp")
    run("for n in 1 2; do ip address add 10.0.$n.1/24 dev xenbr0; done")
    run("xl sched-credit2 -d 0 -w 4096")  # A busy guest must not slow down the toolstack.


def prepare_passthrough() -> None:
    """Does the work of `prepare` for the guests of passthrough_text(). Also adds dom0's interface eth0, which
    is connected with the card, to the bridge."""
    prepare()
    run("gzip -1 <build/guest/linux-passthrough-initramfs >/tmp/passthrough-initramfs")
    run("cp build/dom0/boot/vmlinuz-* /tmp/vmlinuz && ip link set eth0 master xenbr0 up")


# An HVM guest reads its kernel and its ramdisk from its device model, which is slow. So both are compressed.
# The words of the command line leave out work that takes long where the machine is emulated.
QUICK = "nokaslr pci=noearly mitigations=off rodata=off init_on_alloc=0 cryptomgr.notests tsc=reliable"


def passthrough_text(kind: str, *settings: str) -> str:
    """Returns the text of an xl file for a guest `g` that has the drivers for the devices of
    `aioxen-vm --passthrough`."""
    paths = {"kernel": "/tmp/linux-kernel", "ramdisk": "/tmp/passthrough-initramfs"}
    if kind != "hvm":
        return text("g", kind, "", *settings, **paths, memory=144)
    paths["kernel"] = "/tmp/vmlinuz"
    return text("g", kind, QUICK, 'vga = "none"', "vnc = 0", *settings, **paths, memory=144)


def image(name: str, kind: str = "raw") -> str:
    """Makes an image with an empty file system. Returns the image's path."""
    path = f"/tmp/{name}"
    run(f"truncate -s 16M {path} && mkfs.ext4 -q {path}")
    if kind == "raw":
        return path
    run(f"qemu-img convert -O {kind} {path} {path}.{kind}")
    return f"{path}.{kind}"


def text(
    name: str,
    kind: str,
    words: str,
    *settings: str,
    kernel: str = "/tmp/linux-kernel",
    ramdisk: str = "/tmp/linux-initramfs",
    memory: int = 128,
) -> str:
    """Returns the text of an xl file."""
    lines = (
        f'name = "{name}"',
        f'type = "{kind}"',
        f'kernel = "{kernel}"',
        f'ramdisk = "{ramdisk}"',
        f'extra = "console=hvc0 quiet loglevel=3 {words}"',
        f"memory = {memory}",
        *settings,
    )
    return "\n".join(lines) + "\n"


class Console:
    """The console of a guest."""

    def __init__(self, guest: str) -> None:
        path = run(f"xenstore-read /local/domain/$(xl domid {guest})/console/tty").strip()
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        self._text = ""
        self.log = ""
        """What the guest has printed, as far as it has been read."""

    def _take(self) -> None:
        """Reads what the guest has printed. When the domain ends, there is no more text."""
        with contextlib.suppress(OSError):
            more = os.read(self._fd, 65536).decode(errors="replace").replace("\r", "")
            self._text += more
            self.log += more

    async def read(self) -> None:
        """Reads until the task is cancelled. Without a reader, the terminal keeps only a few KiB."""
        while True:
            self._take()
            await asyncio.sleep(0.05)

    async def expect(self, words: str) -> str:
        """Waits until the guest has printed the words. Returns the text up to the words."""
        deadline = time.monotonic() + LIMIT
        while words not in self._text:
            if time.monotonic() > deadline:
                raise AssertionError(f"not printed: {words}; but: {self._text}\n{states()}")
            await asyncio.sleep(0.05)
            self._take()
        before, _, self._text = self._text.partition(words)
        return before + words

    async def command(self, line: str) -> str:
        """Runs a command in the guest. Returns the command's output."""
        os.write(self._fd, f"{line}\necho status $?.\n".encode())
        output = await self.expect("status ")
        status = (await self.expect(".")).removesuffix(".")
        assert status == "0", f"{line}: {output}{status}"
        return output.removesuffix("status ")

    def close(self) -> None:
        os.close(self._fd)


@contextlib.asynccontextmanager
async def linux(tool: Tool, config: str) -> AsyncIterator[tuple[str, Console, str]]:
    """Makes a guest by the tool, and destroys the guest after the block. Yields the guest's name, its
    console, and its output until its shell is ready."""
    begin = time.monotonic()
    name = re.findall(r'name *= *"(.*?)"', config)[0]
    await tool.create(config)
    created = time.monotonic()
    try:
        console = Console(name)
        try:
            await tool.unpause(name)
            printed = await console.expect("linux: ready")
            print(f"created in {created - begin:.2f} s, ready after {time.monotonic() - created:.2f} s")
            print(printed, flush=True)
            yield name, console, printed
        finally:
            console.close()
    finally:
        if run(f"xl domid {name}", check=False).strip().isdigit():
            await tool.destroy(name)


async def ping(address: str) -> None:
    answer = await asyncio.to_thread(run, f"ping -c 2 -W 10 {address}", False)
    assert " 0% packet loss" in answer, f"{answer}\n{states()}\n{run('ip -s link; bridge fdb', False)}"


async def set_address(console: Console, device: str, address: str) -> None:
    """Sets the address of a network device that is being plugged."""
    await console.command(f"until [ -e /sys/class/net/{device} ]; do usleep 100000; done")
    await console.command(f"ip address add {address} dev {device} && ip link set {device} up")
