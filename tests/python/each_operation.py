# SPDX-License-Identifier: LGPL-2.1-or-later
"""The arguments of each operation that waits, and the guests that the operations work on.

To add an operation, write its arguments in Arguments.of(). prepare() makes what the operation needs on its
guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import itertools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import aioxen
from aioxen import Operation
from aioxen._operations import ContextOperations
from aioxen.types import StoreAction, StoreStep, StoreSteps
from limits import scaled
from worldly import Configure, read_node, write_node

LIMIT = scaled(30)

NAMES = (f"c{os.getpid()}-{n}" for n in itertools.count())
"""Yields names of domains that differ from each other."""

OPERATIONS = [
    name
    for name, method in vars(ContextOperations).items()
    if not name.startswith("_") and "progress" in inspect.signature(method).parameters
]
"""All operations that wait. An instant operation has no await point."""

WAITS = {
    "domain_wait_shutdown",
    "domain_wait_gone",
    "device_wait_connected",
    "host_wait_free_memory",
    "serve_backends",
}
"""The operations that wait for an event that does not happen in these tests."""

NODE = "/tool/test-cancellation"
"""The node of xenstore on which the operations on nodes work."""

POOL = 7
"""The cpupool on which the operations on cpupools work."""

SAVING = {
    "domain_migrate_stream",
    "domain_receive_stream",
    "domain_suspend_only",
    "domain_suspend",
    "domain_save_stream",
    "domain_resume",
    "resume_unfinished",
    "domain_restore",
    "domain_soft_reset",
}
"""The operations on guests that are saved or reset. The simulator does this with PVH guests only."""

MEDIA = {"cdrom_insert", "cdrom_eject"}
"""The operations on the CD drive of an HVM guest."""

DEVICES: dict[str, Any] = {
    "nic": aioxen.DeviceNic(devid=0),
    "vfb": aioxen.DeviceVfb(devid=0),
    "vkb": aioxen.DeviceVkb(devid=0),
    "vtpm": aioxen.DeviceVtpm(devid=0),
    "vdispl": aioxen.DeviceVdispl(devid=0),
    "vsnd": aioxen.DeviceVsnd(devid=0),
    "pvcallsif": aioxen.DevicePvcallsif(devid=0),
    "usbctrl": aioxen.DeviceUsbctrl(devid=0),
    "usbdev": aioxen.DeviceUsbdev(ctrl=0, port=1, u=aioxen.DeviceUsbdevHostdev(hostbus=1, hostaddr=2)),
    "pci": aioxen.DevicePci(bus=1, vfunc_mask=1, seize=True),
}

RECEIVER = (
    b"xl migration receiver ready, send binary domain data.\n"
    b"domain received, ready to unpause\0my copy unpause results are as follows\0\0"
)
"""All messages of a receiver that lets the guest run."""

GO = b"domain is yours, you are cleared to unpause\0"
"""The last message of a sender."""


def close(fd: int, _: object) -> None:
    os.close(fd)


class Arguments:
    """The arguments of all operations on a guest. `limit` is the time limit of each operation, in seconds."""

    def __init__(self, xen: aioxen.Context, guest: Configure, folder: Path, limit: float = LIMIT) -> None:
        self.xen, self.guest, self.limit = xen, guest, limit
        self.disk = aioxen.DeviceDisk(vdev="xvda", pdev_path=str(folder / "image"), readwrite=1)
        (folder / "image").write_bytes(bytes(1 << 16))
        self.medium = aioxen.DeviceDisk(vdev="hdc", pdev_path=str(folder / "image"))
        self.saved = folder / "saved"
        self.uuid: UUID | None = None
        self.present = aioxen.DomainConfig()
        """The configuration of the guest that domain_soft_reset resets."""
        self.fixed: dict[str, Any] = {
            **DEVICES,
            "disk": self.disk,
            "p9": aioxen.DeviceP9(tag="share", path=str(folder), devid=0),
            "kind": "vif",
            "devid": 3,
            "uuid": aioxen.Domain(xen, 0, bytes(range(16))).uuid,
            "target_memkb": 20 << 10,
            "max_memkb": 24 << 10,
            "memkb": 1 << 50,
            "cpumap": {0},
            "sched": aioxen.Scheduler.UNKNOWN,
            "poolid": POOL,
            "rebind": True,
            "sysrq": "h",
            "vdev": "hdc",
            "command": "query-status",
            "command_line": "info block",
            "filename": str(folder / "core"),
            "path": NODE,
            "value": b"value",
            "permissions": aioxen.StorePermissions(),
            "steps": StoreSteps([StoreStep(StoreAction.WRITE, NODE, b"value")]),
        }

    def of(self, name: str, dom: aioxen.Domain) -> Callable[..., Operation[Any]]:
        """Returns a function that starts the operation."""
        method = getattr(self.xen, name)
        needed = [
            p.name
            for p in inspect.signature(method).parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        limit = scaled(0.02) if name in WAITS else self.limit
        file = (str(self.saved), os.O_RDONLY) if name == "domain_restore" else (os.devnull, os.O_WRONLY)

        def start(**keywords: Any) -> Operation[Any]:
            changing: dict[str, Any] = {
                "domid": dom,
                "disk": self.medium if name in MEDIA else self.disk,
                "d_config": self.present if name == "domain_soft_reset" else self.guest(name=next(NAMES)),
                "uuid": dom.uuid if name == "resume_unfinished" else self.fixed["uuid"],
                "name": "Domain-0" if name == "domain_find" else next(NAMES),
            }
            ends = self.ends(name) if "in_fd" in needed else ()
            changing |= dict(zip(("in_fd", "out_fd"), ends, strict=False))
            opened = changing["fd"] = os.open(*file) if "fd" in needed else -1
            given = [changing[n] if n in changing else self.fixed[n] for n in needed]
            operation: Operation[Any] = method(*given, timeout=limit, **keywords)
            for fd in (opened, *ends):
                if fd >= 0:
                    operation.add_done_callback(functools.partial(close, fd))
            return operation

        return start

    def ends(self, name: str) -> tuple[int, int]:
        """Returns two descriptors. From the first, all messages of the other side of a migration can be read.
        The second discards what is written."""
        messages = self.saved.with_name("messages")
        if name == "domain_migrate_stream":
            messages.write_bytes(RECEIVER)
        else:
            messages.write_bytes(self.saved.read_bytes() + GO)
        return os.open(messages, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)

    def hvm(self, name: str) -> aioxen.DomainConfig:
        """Returns the configuration of an HVM guest with an empty CD drive."""
        config = aioxen.DomainConfig(disks=[aioxen.DeviceDisk(vdev="hdc", is_cdrom=1)])
        config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
        config.c_info.name = name
        config.b_info.u = aioxen.DomainBuildInfoHvm()
        config.b_info.max_memkb = config.b_info.target_memkb = 32 << 10
        return config

    async def save(self) -> None:
        """Saves a domain for domain_restore."""
        guests = Guests(self, "pvh")
        dom = await guests.alive()
        self.uuid = dom.uuid
        await dom.save(self.saved)
        await guests.end()


class Guests:
    """A guest that is made again when an operation has ended it. If `pci`, the guest can have PCI devices."""

    def __init__(self, arguments: Arguments, machine: str, pci: bool = False) -> None:
        self.arguments, self.machine, self.pci = arguments, machine, pci
        self.current: aioxen.Domain | None = None

    async def alive(self) -> aioxen.Domain:
        if self.current is not None and await self.current.state() is not aioxen.DomainState.RUNNING:
            await self.end()
        if self.current is None:
            if self.machine == "hvm":
                config = self.arguments.hvm(next(NAMES))
            else:
                config = self.arguments.guest("l", machine=self.machine, name=next(NAMES))
            if self.pci:
                config.c_info.passthrough = aioxen.Passthrough.ENABLED
            self.current = await self.arguments.xen.domain_create(config)
            await self.current.unpause()
        return self.current

    async def end(self) -> None:
        if self.current is not None:
            # An operation may have destroyed the domain.
            with contextlib.suppress(aioxen.DomainNotFoundError):
                await self.current.destroy()
        self.current = None


async def give_up_save(dom: aioxen.Domain) -> None:
    """Saves the domain. Then changes the mark of the save (src/xen/save_mark.h) to that of a process that has
    given the save up."""
    fd, node = os.open(os.devnull, os.O_WRONLY), f"/libxl/{dom.domid}/aioxen-save"
    try:
        async with asyncio.timeout(LIMIT):
            while True:
                with contextlib.suppress(aioxen.BusyError):  # A cancelled recovery goes on in the background.
                    await dom.save_stream(fd)
                    break
                await asyncio.sleep(0.001)
    finally:
        os.close(fd)
    _, rest = (read_node(node) or "").split(" ", 1)
    write_node(node, f"0 {rest}")


async def return_pci(xen: aioxen.Context) -> None:
    """If the PCI device is bound to pciback, gives it back to its driver."""
    with contextlib.suppress(aioxen.NotFoundError):
        await xen.pci_assignable_remove(DEVICES["pci"], True)


async def prepare(name: str, dom: aioxen.Domain, arguments: Arguments) -> None:
    """Adds the device that the operation removes, makes the node that the operation reads or removes, or
    suspends the guest that the operation resumes."""
    if name.startswith("store_"):
        await arguments.xen.store_write(NODE, b"value")
    if name in ("pci_add", "pci_assignable_add"):
        with contextlib.suppress(aioxen.BusyError):  # The guest has the device already.
            await return_pci(arguments.xen)
    if name == "pci_assignable_remove":
        await arguments.xen.pci_assignable_add(DEVICES["pci"], True)
    if name == "domain_resume":
        await dom.suspend_only()
    if name == "domain_soft_reset":
        arguments.present = await dom.configuration()
        subprocess.run(["aioxen-sim-ctl", "shutdown", str(dom.domid), "soft_reset"], check=True)
    if name == "resume_unfinished":
        await give_up_save(dom)
    if name in ("host_destroy_cpupool", "host_rename_cpupool"):
        with contextlib.suppress(aioxen.InvalidError):  # The cpupool exists already.
            await arguments.xen.host_create_cpupool("p", aioxen.Scheduler.UNKNOWN, wanted=POOL)
    if name.startswith("usbdev_"):
        with contextlib.suppress(aioxen.DeviceExistsError):
            await dom.usbctrl_add(DEVICES["usbctrl"])
    if name == "usbdev_add":
        with contextlib.suppress(aioxen.NotFoundError):
            await dom.usbdev_remove(DEVICES["usbdev"])
    device, _, verb = name.partition("_")
    if device in arguments.fixed and verb in ("remove", "destroy", "safe_remove"):
        try:
            await getattr(dom, f"{device}_add")(arguments.fixed[device])
        except (aioxen.DeviceExistsError, aioxen.DeviceError, aioxen.BusyError):
            return  # The guest still has the device, or an earlier removal is in progress.


async def destroy_result(xen: aioxen.Context, name: str, result: object) -> None:
    if name == "host_create_cpupool" and isinstance(result, int):
        await xen.host_destroy_cpupool(result)
    if isinstance(result, aioxen.Domain) and result.domid:
        await result.destroy()


async def destroy_received(arguments: Arguments) -> None:
    """Destroys the domain that a cancelled domain_receive_stream() has received nevertheless."""
    for info in await arguments.xen.domain_list():
        if info.domid and info.uuid == arguments.uuid:
            await aioxen.Domain(arguments.xen, info.domid, info.uuid).destroy()


async def quiet(xen: aioxen.Context) -> None:
    """Waits until no operation is in progress, and all callbacks have run. Then removes the node NODE."""
    gc.collect()
    async with asyncio.timeout(LIMIT):
        while xen.operations() or xen.counters().operations:
            await asyncio.sleep(0.001)
    await xen.store_remove(NODE)
