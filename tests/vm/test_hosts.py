# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests run on a real Xen whose command line disables capabilities, one at a time or all of them."""

import pytest
from launching import PROJECT, Run

OPTIONS = ["gnttab=max-ver:1", "hap=no"]
SCRIPT = f"""
import asyncio, aioxen

async def main():
    async with aioxen.Context() as xen:
        for make in aioxen.pv, aioxen.pvh:
            kernel = "{PROJECT}/build/guest/tiny"
            dom = await xen.domain_create(make("guest", kernel, memory="24M", cmdline="p"))
            await dom.unpause()
            print(make.__name__, (await dom.wait_shutdown(limit=20)).name)
            await dom.destroy()

asyncio.run(main())
"""


@pytest.mark.parametrize("options", [*OPTIONS, " ".join(OPTIONS)])
def test_guests_run_without_a_capability(run: Run, options: str) -> None:
    environment = f"PYTHONPATH={PROJECT}/build/python"
    done = run("--xen", options, "--env", environment, "--", "/usr/bin/python3", "-c", SCRIPT)
    assert done.stdout.splitlines() == ["pv POWEROFF", "pvh POWEROFF"], done.stderr
