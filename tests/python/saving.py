# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions that the tests of saved domains share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import aioxen
from limits import scaled
from worldly import ROOT

SAVER = (
    "import asyncio, aioxen, sys\n"
    "async def main():\n"
    "    async with aioxen.Context() as xen:\n"
    "        await xen.domain_save_stream(int(sys.argv[1]), 1)\n"
    "asyncio.run(main())"
)
"""A program that saves the domain of the first argument to its standard output."""


async def saver(dom: aioxen.Domain, **streams: Any) -> asyncio.subprocess.Process:
    """Starts a process that saves the domain. `streams` are those of create_subprocess_exec()."""
    return await asyncio.create_subprocess_exec(sys.executable, "-c", SAVER, str(dom.domid), **streams)


def seeded() -> random.Random:
    """Returns a random generator, and prints its seed. AIOXEN_SEED sets the seed."""
    seed = int(os.environ.get("AIOXEN_SEED") or random.randrange(1 << 32))
    print(f"AIOXEN_SEED={seed}")
    return random.Random(seed)


async def started(xen: aioxen.Context, config: aioxen.DomainConfig) -> aioxen.Domain:
    dom = await xen.domain_create(config)
    await dom.unpause()
    return dom


def saved_domain(kernel: Path, file: Path, machine: str = "pvh") -> bytes:
    """Saves a domain to the file, destroys it, and returns the file's content."""

    async def make() -> None:
        async with aioxen.Context() as xen:
            make_config = aioxen.pv if machine == "pv" else aioxen.pvh
            dom = await started(xen, make_config("template", kernel, memory="20M", cmdline="l"))
            await dom.save(file)

    asyncio.run(make())
    return file.read_bytes()


async def runs(dom: aioxen.Domain) -> bool:
    """Returns whether the guest runs, that is, obeys a request to power off. An HVM guest can be asked only
    after its drivers have set the parameter CALLBACK_IRQ, which they also do after each resumption."""
    async with asyncio.timeout(scaled(20)):
        while True:
            with contextlib.suppress(aioxen.NoParavirtError):
                return await dom.shutdown() is aioxen.ShutdownReason.POWEROFF
            await asyncio.sleep(0.01)


async def resumed(dom: aioxen.Domain) -> None:
    """Waits until a suspended guest runs again."""
    async with asyncio.timeout(scaled(20)):
        while (await dom.info()).shutdown:
            await asyncio.sleep(0.01)


def verify(file: Path) -> None:
    """Lets Xen's verify-stream-v2 read a saved domain."""
    xen = ROOT / "build/dom0/usr/lib/xen-4.17"
    done = subprocess.run(
        ["/usr/bin/python3", xen / "bin/verify-stream-v2", "--format", "xl", "--in", file],
        env={"PYTHONPATH": str(xen / "lib/python")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def programs() -> list[int]:
    """Returns the process ids of the programs that save and restore."""
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit()
        and (folder / "comm").exists()
        and (folder / "comm").read_text().startswith("aioxen-transf")
    ]
