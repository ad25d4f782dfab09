# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library on hosts that lack something.

The command line of the real Xen disables capabilities. One test runs with each capability disabled alone, and
then with all disabled. In another test, dom0 can reach xenstored only by the kernel's device."""

import pytest
from launching import PROJECT, Run

OPTIONS = ["gnttab=max-ver:1", "hap=no"]  # The options on which the flags of a created domain depend.
OTHERS = ["gnttab_max_frames=16", "gnttab_max_maptrack_frames=16", "iommu=no", "sched=credit"]
SCRIPT = f"""
import asyncio, aioxen

async def main():
    async with aioxen.Context() as xen:
        host = await xen.host_info()
        print("paging" if host.cap_hap or host.cap_shadow else "no paging")
        for make in aioxen.pv, aioxen.pvh:
            kernel = "{PROJECT}/build/guest/tiny"
            try:
                dom = await xen.domain_create(make("guest", kernel, memory="24M", cmdline="p"))
            except aioxen.NotSupportedError as error:
                print(make.__name__, "refused:", error.message)
                continue
            await dom.unpause()
            print(make.__name__, (await dom.wait_shutdown(limit=20)).name)
            await dom.destroy()

asyncio.run(main())
"""


REFUSAL = (
    "pvh refused: d_config.c_info.type: this host has neither hardware-assisted paging (hap) nor shadow "
    "paging; PVH domains need one of them (domain_create_new 'guest', phase build)"
)
# Debian's Xen has no shadow paging from 4.17.7 on, so with hap=no it has no paging for PVH domains.
ENDS = {"paging": ["pv POWEROFF", "pvh POWEROFF"], "no paging": ["pv POWEROFF", REFUSAL]}


@pytest.mark.parametrize("options", [*OPTIONS, " ".join([*OPTIONS, *OTHERS])])
def test_guests_run_without_a_capability(run: Run, options: str) -> None:
    environment = f"PYTHONPATH={PROJECT}/build/python"
    done = run("--xen", options, "--env", environment, "--", "/usr/bin/python3", "-c", SCRIPT)
    paging, *ends = done.stdout.splitlines()
    assert ends == ENDS[paging], done.stderr
    assert paging == "paging" or "hap=no" in options


# The context uses /dev/xen/xenbus, because xenstored's socket is renamed. Then xenstored is stopped. The
# kernel's device can still be opened, but xenstored does not answer.
BY_DEVICE = f"""
import asyncio, os, signal, aioxen

async def life(xen):
    dom = await xen.domain_create(aioxen.pv("guest", "{PROJECT}/build/guest/tiny", memory="24M", cmdline="p"))
    await dom.unpause()
    print((await dom.wait_shutdown(limit=20)).name)
    await dom.destroy()

async def main():
    os.rename("/run/xenstored/socket", "/run/xenstored/away")
    async with aioxen.Context() as xen:
        await life(xen)
        xenstored = int(open("/run/xen/xenstored.pid").read())
        os.kill(xenstored, signal.SIGSTOP)
        async with aioxen.Context() as other:
            try:
                await other.domain_get_name(0)
            except aioxen.NoXenstoreError:
                print("not reached")
        print("the other is closed")
        os.kill(xenstored, signal.SIGCONT)
        await life(xen)

asyncio.run(main())
"""


def test_a_context_reaches_xenstored_by_the_kernels_device(run: Run) -> None:
    environment = f"PYTHONPATH={PROJECT}/build/python"
    done = run("--env", environment, "--", "/usr/bin/python3", "-c", BY_DEVICE)
    expected = ["POWEROFF", "not reached", "the other is closed", "POWEROFF"]
    assert done.stdout.splitlines() == expected, done.stderr
