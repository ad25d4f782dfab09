# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory of a guest at the guest's start, and after the balloon driver has changed the memory."""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path

import aioxen
import pytest
from aioxen import ShutdownReason
from limits import scaled
from worldly import ROOT, Configure, read_node, write_node

PAGES_OF_TOOLSTACK_KB = 1024  # The builder adds less than this to a guest's memory.
MACHINES = pytest.mark.parametrize("machine", ["pv", "pvh"])

TARGET_KB, GROWN_KB, MAXIMUM_KB = 128 << 10, 200 << 10, 256 << 10
BOOT_SECONDS = scaled(80)
# The greatest distance of a guest's memory from its target. A balloon driver does not reach a target exactly.
NEAR_KB = 4096


class Xen:
    """The functions of libxenctrl by which a toolstack changes a guest's memory."""

    def __init__(self, major: int, minor: int) -> None:
        self._library = ctypes.CDLL(f"libxenctrl.so.{major}.{minor}")
        self._library.xc_interface_open.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._library.xc_interface_open(None, None, 0))

    def set_target(self, domid: int, kb: int) -> None:
        limit = ctypes.c_uint64(kb + 1024)
        assert self._library.xc_domain_setmaxmem(self._handle, domid, limit) == 0
        write_node(f"/local/domain/{domid}/memory/target", str(kb))

    def not_populated(self, domid: int) -> tuple[int, int]:
        """Returns two numbers of pages. The first is the number of the guest's pages that have no memory
        yet. The second is the number of pages that Xen keeps for these pages."""
        total, pool, entries = (ctypes.c_uint64() for _ in range(3))
        pointers = map(ctypes.byref, (total, pool, entries))
        assert self._library.xc_domain_get_pod_target(self._handle, domid, *pointers) == 0
        return entries.value, pool.value

    def close(self) -> None:
        self._library.xc_interface_close(self._handle)


@MACHINES
async def test_a_guest_starts_with_its_target(xen: aioxen.Context, guest: Configure, machine: str) -> None:
    free = (await xen.host_info()).free_pages
    config = guest("p", machine=machine)
    config.b_info.max_memkb = 96 << 10
    dom = await xen.domain_create(config)
    kb = (await dom.info()).current_memkb
    assert 24 << 10 <= kb <= (24 << 10) + PAGES_OF_TOOLSTACK_KB
    assert read_node(f"/local/domain/{dom.domid}/memory/target") == str(24 << 10)
    assert read_node(f"/local/domain/{dom.domid}/memory/static-max") == str(96 << 10)
    taken = (free - (await xen.host_info()).free_pages) * 4
    assert taken < 40 << 10
    await dom.unpause()
    assert await dom.wait_shutdown() is ShutdownReason.POWEROFF
    await dom.destroy()


@MACHINES
async def test_memory_is_rounded_down_to_whole_mib(
    xen: aioxen.Context, guest: Configure, machine: str
) -> None:
    config = guest("p", machine=machine)
    config.b_info.target_memkb = (24 << 10) + 1023
    config.b_info.max_memkb = (32 << 10) + 1
    dom = await xen.domain_create(config)
    assert read_node(f"/local/domain/{dom.domid}/memory/target") == str(24 << 10)
    assert read_node(f"/local/domain/{dom.domid}/memory/static-max") == str(32 << 10)
    await dom.unpause()
    assert await dom.wait_shutdown() is ShutdownReason.POWEROFF
    await dom.destroy()


@MACHINES
async def test_a_linux_guest_runs_at_its_target_and_grows(
    xen: aioxen.Context, hypervisor: None, machine: str
) -> None:
    """Linux reads memory/static-max to compute how much memory its balloon must give back at the start."""
    if "libaioxen-sim" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("needs a real Xen, on which Linux runs")
    folder = Path(ROOT) / "build/guest"
    config = (aioxen.pv if machine == "pv" else aioxen.pvh)(
        "linux",
        folder / "linux-kernel",
        ramdisk=folder / "linux-initramfs",
        cmdline="console=hvc0 loglevel=4 nokaslr mitigations=off rodata=off",
    )
    config.b_info.target_memkb, config.b_info.max_memkb = TARGET_KB, MAXIMUM_KB
    version = await xen.host_version()
    control = Xen(version.xen_version_major, version.xen_version_minor)
    dom = await xen.domain_create(config)
    await dom.unpause()

    async def until_memory_is(kb: int) -> None:
        while True:
            info = await dom.info()
            assert not info.shutdown, info.shutdown_reason
            entries, pool = control.not_populated(dom.domid) if machine == "pvh" else (0, 0)
            if abs(info.current_memkb - kb) < NEAR_KB and entries <= pool:
                return
            await asyncio.sleep(0.2)

    async with asyncio.timeout(BOOT_SECONDS):
        while read_node(f"/local/domain/{dom.domid}/control/feature-poweroff") != "1":
            await asyncio.sleep(0.2)
        await until_memory_is(TARGET_KB)
        control.set_target(dom.domid, GROWN_KB)
        await until_memory_is(GROWN_KB)
        control.set_target(dom.domid, TARGET_KB)
        await until_memory_is(TARGET_KB)
        assert await dom.shutdown() is ShutdownReason.POWEROFF
    control.close()
    await dom.destroy()
