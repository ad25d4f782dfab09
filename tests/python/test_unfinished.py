# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process is killed while it creates a domain. Another process finds and removes the unfinished domain."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import aioxen
import pytest
from limits import scaled
from worldly import ROOT, Configure

EXAMPLE = ROOT / "examples" / "lifecycle.py"

KILLED = """
import asyncio, os, signal, sys
from uuid import UUID
import aioxen

# In this phase the creation's mark in xenstore (src/xen/marks.h) has the domid.
def progress(event):
    if isinstance(event, aioxen.OperationProgress) and event.phase == "console":
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with aioxen.Context() as xen:
        config = aioxen.pv("unfinished", sys.argv[1], memory="4M", cmdline="b")
        config.c_info.uuid = UUID(sys.argv[2])
        await xen.domain_create(config, progress=progress)

asyncio.run(main())
"""


def be_killed(kernel: str) -> str:
    uuid = str(uuid4())
    done = subprocess.run([sys.executable, "-c", KILLED, kernel, uuid], timeout=scaled(100), check=False)
    assert done.returncode == -signal.SIGKILL
    return uuid


async def test_a_killed_creation_is_found_and_removed(xen: aioxen.Context, guest: Configure) -> None:
    kernel = guest().b_info.kernel
    assert kernel
    uuid = await asyncio.to_thread(be_killed, kernel)
    (left,) = await xen.unfinished()
    assert str(left.uuid) == uuid
    assert (await xen.domain_get_info(left.domid)).uuid == left.uuid
    assert left.age_ms < scaled(100) * 1000
    await xen.remove_unfinished(left.uuid)
    assert await xen.unfinished() == []
    with pytest.raises(aioxen.NotFoundError, match="uuid"):
        await xen.remove_unfinished(left.uuid)


async def test_the_example_removes_what_is_left(xen: aioxen.Context, guest: Configure) -> None:
    kernel = guest().b_info.kernel
    assert kernel
    uuid = await asyncio.to_thread(be_killed, kernel)
    command = [sys.executable, str(EXAMPLE), str(Path(kernel).resolve())]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=scaled(100), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Removed {uuid}" in done.stdout
    assert await xen.unfinished() == []
